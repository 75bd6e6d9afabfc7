"""Rates from counters of two looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tuiha.model.facts import Look, Polled, R, Snapshot


def rate(new: int | None, new_at: float | None, old: int | None, old_at: float | None) -> float | None:
    """Growth of a counter per second; None when unknown, or when the counter began anew."""
    if new is None or old is None or new_at is None or old_at is None or new_at <= old_at or new < old:
        return None
    return (new - old) / (new_at - old_at)


def transactions(look: Look, earlier: Look | None, previous: Snapshot | None) -> Mapping[str, float | None]:
    """Transactions per second of each database."""
    last = {d.name: d.transactions_per_second for d in previous.databases} if previous is not None else {}
    before = earlier.databases if earlier is not None else ()
    return dict(_rates(look.databases, before, lambda report: report.transactions, last))


def requests(look: Look, earlier: Look | None, previous: Snapshot | None) -> Mapping[str, float | None]:
    """Requests per second of each sprayer."""
    last = {s.name: s.requests_per_second for s in previous.sprayers} if previous is not None else {}
    before = earlier.sprayers if earlier is not None else ()
    return dict(_rates(look.sprayers, before, lambda report: report.requests, last))


def backends(look: Look, earlier: Look | None, previous: Snapshot | None) -> Mapping[str, Mapping[str, float | None]]:
    """Requests per second of each server behind each sprayer."""
    last = {s.name: {b.server: b.requests_per_second for b in s.backends} for s in previous.sprayers} \
        if previous is not None else {}
    old = {polled.name: polled for polled in earlier.sprayers} if earlier is not None else {}
    found: dict[str, Mapping[str, float | None]] = {}
    for polled in look.sprayers:
        then = old.get(polled.name)
        if polled.report is None or then is None or then.report is None:
            found[polled.name] = {}
        elif polled.seen_at == then.seen_at:
            found[polled.name] = last.get(polled.name, {})
        else:
            before = {b.server: b.requests for b in then.report.backends}
            found[polled.name] = {b.server: rate(b.requests, polled.seen_at, before.get(b.server), then.seen_at)
                                  for b in polled.report.backends}
    return found


def _rates(now: Sequence[Polled[R]], before: Sequence[Polled[R]], counter: Callable[[R], int | None],
           last: Mapping[str, float | None]) -> Iterator[tuple[str, float | None]]:
    old = {polled.name: polled for polled in before}
    for polled in now:
        then = old.get(polled.name)
        if polled.report is None or then is None or then.report is None:
            yield polled.name, None
        elif polled.seen_at == then.seen_at:  # no new poll since: the last figure stands
            yield polled.name, last.get(polled.name)
        else:
            yield polled.name, rate(counter(polled.report), polled.seen_at, counter(then.report), then.seen_at)

"""The dashboard over a made-up feed, to run in a pseudo-terminal: `python -m tests.tui.play SAMPLE [PACE] [no-clock]`.

PACE: `still` (nothing comes after the first snapshot), `idle` (a snapshot a second, equal but for its
time), `load` (a snapshot a second in which most numbers change).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from tests.tui.samples import AT, SAMPLES, SampleFeed, mail
from tuiha.model.facts import DatabaseFacts, MailFacts, ServerFacts, Snapshot, SprayerFacts
from tuiha.tui.app import Dashboard, run
from tuiha.tui.looks import Looks


def at_time(snapshot: Snapshot, now: float) -> Snapshot:
    """The same snapshot, taken now."""
    shift = now - snapshot.at

    def seen(at: float | None) -> float | None:
        return None if at is None else at + shift

    return replace(
        snapshot, at=now,
        problems=tuple(replace(problem, since=seen(problem.since)) for problem in snapshot.problems),
        servers=tuple(replace(facts, seen_at=seen(facts.seen_at)) for facts in snapshot.servers),
        databases=tuple(replace(facts, seen_at=seen(facts.seen_at)) for facts in snapshot.databases),
        sprayers=tuple(replace(facts, seen_at=seen(facts.seen_at)) for facts in snapshot.sprayers),
        mail=tuple(replace(facts, seen_at=seen(facts.seen_at)) for facts in snapshot.mail),
    )


def busy(snapshot: Snapshot, turn: int) -> Snapshot:
    """The same snapshot with most numbers changed, as under load."""

    def changed(facts: ServerFacts, place: int) -> ServerFacts:
        step = (turn * (place + 3)) % 17
        return replace(
            facts, users=(facts.users or 0) + step - 8, devices=(facts.devices or 0) + 3 * step,
            availability_index=60 + (turn * 5 + place) % 30, cpu_percent=20.0 + (turn * 7 + place) % 60,
            requests_per_second=200.0 + step, latency_ms=8.0 + step % 7,
        )

    return replace(
        snapshot, number=snapshot.number + turn, users=(snapshot.users or 0) + turn % 10,
        servers=tuple(changed(facts, place) for place, facts in enumerate(snapshot.servers)),
        databases=tuple(_database(facts, turn) for facts in snapshot.databases),
        sprayers=tuple(_sprayer(facts, turn) for facts in snapshot.sprayers),
        mail=tuple(_mail(facts, turn + place) for place, facts in enumerate(snapshot.mail)),
    )


def _database(facts: DatabaseFacts, turn: int) -> DatabaseFacts:
    if facts.lag_bytes is None:
        return replace(facts, transactions_per_second=400.0 + turn % 50)
    return replace(facts, lag_bytes=(turn * 391) % 4000, lag_seconds=0.001 * (1 + turn % 8))


def _sprayer(facts: SprayerFacts, turn: int) -> SprayerFacts:
    return replace(facts, sessions=(facts.sessions or 0) + turn % 40)


def _mail(facts: MailFacts, turn: int) -> MailFacts:
    return replace(facts, users=(facts.users or 0) + turn % 9, latency_ms=2.0 + turn % 5)


def twenty_nodes() -> Snapshot:
    """The pool of the budgets: twelve servers, the pair, two sprayers, four mail servers."""
    from tests.tui.samples import many

    return replace(many(12), mail=tuple(mail(f"mail{n}", "east", 1500 + n) for n in range(1, 5)))


def thousand_nodes() -> Snapshot:
    """Many more servers than anybody has, for the budget of a thousand nodes."""
    from tests.tui.samples import many

    return replace(many(992), mail=tuple(mail(f"mail{n}", "east", 1500 + n) for n in range(1, 5)))


MORE = {"twenty": twenty_nodes, "thousand": thousand_nodes}
PACES: dict[str, Callable[[Snapshot, int], Snapshot]] = {"idle": lambda snapshot, _: snapshot, "load": busy}


def main(sample: str, pace: str, *options: str) -> int:
    """Run it; returns the exit code."""
    first, happened = (MORE[sample](), ()) if sample in MORE else SAMPLES[sample]()
    if pace == "still":
        feed = SampleFeed(first, happened)
        dashboard = Dashboard(feed, first.pool, Looks().palette(), now=lambda: AT + 0.2)
        return dashboard.run(mouse=False) or 0
    feed = SampleFeed(at_time(first, time.time()), happened)
    done = threading.Event()

    def watch() -> None:
        turn = 0
        while not done.wait(1.0):
            turn += 1
            feed.publish(at_time(PACES[pace](first, turn), time.time()))

    thread = threading.Thread(target=watch, daemon=True)
    code = run(feed, first.pool, ready=thread.start, looks=Looks(clock="no-clock" not in options))
    done.set()
    return code


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] if len(sys.argv) > 2 else (sys.argv[1], "still"))))

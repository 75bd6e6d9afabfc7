"""What changed between two snapshots, in words. Never one event for each user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import DatabaseFacts, Event, Severity, Snapshot, SprayerFacts, Verdict
from tuiha.model.problems.mail_trouble import explained
from tuiha.model.reports import ServerState
from tuiha.model.rows import DOWN, OUT, STRAY, UNKNOWN, UP
from tuiha.model.verdict import UNPROTECTED
from tuiha.model.words import count, names

_STATE: Mapping[str, Severity] = {
    DOWN: Severity.BAD,
    STRAY: Severity.BAD,
    ServerState.FENCED: Severity.BAD,
    ServerState.CONSTRAINED: Severity.WARNING,
    ServerState.HELD: Severity.WARNING,
    OUT: Severity.WARNING,
}
_VERDICT: Mapping[Verdict, Severity] = {
    Verdict.HEALTHY: Severity.NOTE,
    Verdict.DEGRADED: Severity.WARNING,
    Verdict.DISPUTED: Severity.BAD,
    Verdict.SPLIT: Severity.BAD,
    Verdict.DOWN: Severity.BAD,
}


class Node(Protocol):
    """What the facts of all nodes have in common."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def state(self) -> str: ...  # noqa: D102

    @property
    def note(self) -> str: ...  # noqa: D102


N = TypeVar("N", bound=Node)


def events(old: Snapshot, new: Snapshot) -> tuple[Event, ...]:
    """All changes from `old` to `new`, the pool's own first."""
    def event(severity: Severity, subject: str, text: str) -> Event:
        return Event(new.at, severity, subject, text)

    found = [*_pool(old, new, event)]
    for before, after, kind in ((old.databases, new.databases, "database"), (old.servers, new.servers, "server"),
                                (old.sprayers, new.sprayers, "sprayer"), (old.mail, new.mail, "mail server")):
        found += _nodes(before, after, kind, event)
    found += _roles(old.databases, new.databases, event)
    found += _restarts(old.sprayers, new.sprayers, event)
    found += _targets(old, new, event)
    found += _without_mail(old, new, event)
    found += _moves({s.name: s.users for s in old.servers}, {s.name: s.users for s in new.servers}, event)
    for cluster in sorted({m.cluster for m in new.mail}):
        found += _moves({m.name: m.users for m in old.mail if m.cluster == cluster},
                        {m.name: m.users for m in new.mail if m.cluster == cluster}, event)
    return tuple(found)


Make = Callable[[Severity, str, str], Event]


def _pool(old: Snapshot, new: Snapshot, event: Make) -> Iterator[Event]:
    if old.verdict != new.verdict:
        yield event(_VERDICT[new.verdict], new.pool, f"{old.verdict} -> {new.verdict}")
    if old.epoch != new.epoch and old.epoch is not None and new.epoch is not None:
        yield event(Severity.WARNING, new.pool, f"epoch {old.epoch} -> {new.epoch}")
    if old.active != new.active and new.active is not None and old.active is not None:
        yield event(Severity.WARNING, new.pool, f"active database {old.active} -> {new.active}")
    if old.protection != new.protection and old.protection is not None and new.protection is not None:
        severity = Severity.WARNING if new.protection == UNPROTECTED else Severity.NOTE
        yield event(severity, new.pool, f"{old.protection} -> {new.protection}")


def _nodes(old: Sequence[N], new: Sequence[N], kind: str, event: Make) -> Iterator[Event]:
    """State changes, and nodes that came or went."""
    before = {n.name: n for n in old}
    for node in new:
        was = before.pop(node.name, None)
        if was is None:
            yield event(Severity.NOTE, node.name, f"{kind} joined, {node.state}")
        elif was.state != node.state and (was.state, node.state) != (UNKNOWN, UP):
            reason = f"  {node.note}" if node.note and node.state != UP else ""
            yield event(_STATE.get(node.state, Severity.NOTE), node.name, f"{was.state} -> {node.state}{reason}")
    for gone in before.values():
        yield event(Severity.NOTE, gone.name, f"{kind} left")


def _roles(old: Sequence[DatabaseFacts], new: Sequence[DatabaseFacts], event: Make) -> Iterator[Event]:
    before = {d.name: d for d in old}
    for node in new:
        was = before.get(node.name)
        if was is None:
            continue
        if was.role not in (None, node.role):
            yield event(Severity.WARNING, node.name, f"role {was.role} -> {node.role}")
        if was.sync_state != node.sync_state and was.reachable and node.reachable:
            yield event(Severity.NOTE if node.sync_state in IN_STEP else Severity.WARNING, node.name,
                        f"replication {was.sync_state or 'none'} -> {node.sync_state or 'none'}")


def _without_mail(old: Snapshot, new: Snapshot, event: Make) -> Iterator[Event]:
    """Reasons for which users of a cluster have no mail: when one begins, and when it ends."""
    before = {(c.cluster, t.reason): t for c in old.without_mail for t in c.troubles}
    after = {(c.cluster, t.reason): t for c in new.without_mail for t in c.troubles}
    for (cluster, reason), trouble in after.items():
        if (cluster, reason) not in before:
            named = f" ({', '.join(trouble.examples)})" if trouble.examples else ""
            yield event(Severity.WARNING, cluster,
                        f"{count(trouble.users, 'user')} without mail: {explained(reason).what}{named}")
    if new.without_mail:  # else nobody reports
        for cluster, reason in before:
            if (cluster, reason) not in after:
                yield event(Severity.NOTE, cluster, f"{explained(reason).what}: no user is affected any more")


def _restarts(old: Sequence[SprayerFacts], new: Sequence[SprayerFacts], event: Make) -> Iterator[Event]:
    """Sprayers that are another process now, or one with less time behind it: what it had learned went with the old."""
    before = {s.name: s for s in old}
    for sprayer in new:
        was = before.get(sprayer.name)
        if was is None or sprayer.uptime_seconds is None:
            continue
        other = None not in (was.process, sprayer.process) and was.process != sprayer.process
        if other or sprayer.uptime_seconds < (was.uptime_seconds or 0):
            knew = "" if was.learned is None else f"; it knew {count(was.learned, 'user')}"
            knows = "" if sprayer.learned is None else f", knows {sprayer.learned:,}"
            yield event(Severity.WARNING, sprayer.name, f"started anew{knew}{knows}")


def _targets(old: Snapshot, new: Snapshot, event: Make) -> Iterator[Event]:
    before = {s.name: s.target for s in old.servers}
    for server in new.servers:
        was = before.get(server.name, UNKNOWN)
        if UNKNOWN not in (was, server.target) and was != server.target:
            yield event(Severity.NOTE, server.name, f"target {was} -> {server.target}")


def _moves(old: Mapping[str, int | None], new: Mapping[str, int | None], event: Make) -> Iterator[Event]:
    """Users that nodes lost and others gained; a node whose users are unknown counts on neither side."""
    change: dict[str, int] = {}
    for name in {*old, *new}:
        before, after = old.get(name, 0), new.get(name, 0)
        if before is not None and after is not None:
            change[name] = after - before
    losers = {name: -delta for name, delta in change.items() if delta < 0}
    winners = {name: delta for name, delta in change.items() if delta > 0}
    moved = min(sum(losers.values()), sum(winners.values()))
    if moved:
        yield event(Severity.NOTE, names(losers),
                    f"{count(moved, 'user')} moved {names(losers)} -> {names(winners)}")

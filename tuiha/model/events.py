"""What changed between two snapshots, as codes with facts. Never one event for each user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from tuiha.model.codes import (
    Came,
    Change,
    EventKind,
    Facts,
    Move,
    NoMail,
    Reason,
    Restart,
    StateChange,
)
from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import (
    DatabaseFacts,
    Event,
    MailFacts,
    NodeKind,
    Protection,
    Severity,
    Snapshot,
    SprayerFacts,
    Verdict,
)
from tuiha.model.reports import DatabaseState, MailState, NodeState, ServerState, ServerTarget, SprayerState
from tuiha.model.words import names

_UP: frozenset[NodeState] = frozenset({ServerState.UP, DatabaseState.UP, SprayerState.UP, MailState.UP})
_UNKNOWN: frozenset[NodeState] = frozenset({
    ServerState.UNKNOWN, DatabaseState.UNKNOWN, SprayerState.UNKNOWN, MailState.UNKNOWN})
_STATE: Mapping[NodeState, Severity] = {
    ServerState.DOWN: Severity.BAD,
    DatabaseState.DOWN: Severity.BAD,
    SprayerState.DOWN: Severity.BAD,
    MailState.DOWN: Severity.BAD,
    DatabaseState.ROGUE_PRIMARY: Severity.BAD,
    ServerState.CUT_OFF: Severity.BAD,
    ServerState.OVERLOADED: Severity.WARNING,
    ServerState.WAITING: Severity.WARNING,
    MailState.OUT: Severity.WARNING,
}
_VERDICT: Mapping[Verdict, Severity] = {
    Verdict.HEALTHY: Severity.NOTE,
    Verdict.DEGRADED: Severity.WARNING,
    Verdict.DISPUTED: Severity.BAD,
    Verdict.SPLIT: Severity.BAD,
    Verdict.DOWN: Severity.BAD,
}


class NodeFacts(Protocol):
    """What the facts of all nodes have in common."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def state(self) -> NodeState: ...  # noqa: D102

    @property
    def note(self) -> str: ...  # noqa: D102


N = TypeVar("N", bound=NodeFacts)


def events(old: Snapshot, new: Snapshot) -> tuple[Event, ...]:
    """All changes from `old` to `new`, the pool's own first."""
    def event(severity: Severity, subject: str, kind: EventKind, facts: Facts) -> Event:
        return Event(new.at, severity, subject, kind, facts)

    found = [*_pool(old, new, event)]
    for before, after, kind in ((old.databases, new.databases, NodeKind.DATABASE),
                                (old.servers, new.servers, NodeKind.SERVER),
                                (old.sprayers, new.sprayers, NodeKind.SPRAYER), (old.mail, new.mail, NodeKind.MAIL)):
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


def changes_state(event: Event) -> bool:
    """Whether an event is about a state. Users that move from node to node do so all the time."""
    return event.kind is not EventKind.USERS_MOVED


Make = Callable[[Severity, str, EventKind, Facts], Event]


def _pool(old: Snapshot, new: Snapshot, event: Make) -> Iterator[Event]:
    if old.verdict != new.verdict:
        yield event(_VERDICT[new.verdict], new.pool, EventKind.VERDICT, Change(old.verdict, new.verdict))
    if old.epoch != new.epoch and old.epoch is not None and new.epoch is not None:
        yield event(Severity.WARNING, new.pool, EventKind.EPOCH, Change(str(old.epoch), str(new.epoch)))
    if old.active != new.active and new.active is not None and old.active is not None:
        yield event(Severity.WARNING, new.pool, EventKind.ACTIVE_DATABASE, Change(old.active, new.active))
    if old.protection != new.protection and old.protection is not None and new.protection is not None:
        severity = Severity.WARNING if new.protection is Protection.UNPROTECTED else Severity.NOTE
        yield event(severity, new.pool, EventKind.PROTECTION, Change(old.protection, new.protection))


def _nodes(old: Sequence[N], new: Sequence[N], kind: NodeKind, event: Make) -> Iterator[Event]:
    """State changes, and nodes that came or went."""
    before = {n.name: n for n in old}
    for node in new:
        was = before.pop(node.name, None)
        if was is None:
            yield event(Severity.NOTE, node.name, EventKind.JOINED, Came(kind, node.state))
        elif was.state != node.state and not (was.state in _UNKNOWN and node.state in _UP):
            yield event(_STATE.get(node.state, Severity.NOTE), node.name, EventKind.STATE, _change(was, node))
    for gone in before.values():
        yield event(Severity.NOTE, gone.name, EventKind.LEFT, Came(kind))


def _change(was: NodeFacts, now: NodeFacts) -> StateChange:
    return StateChange(
        was.state, now.state, now.state in _UP, now.note,
        out_of_service=isinstance(now, MailFacts) and now.in_service is False and now.error is None,
        managed=now.managed if isinstance(now, DatabaseFacts) else None)


def _roles(old: Sequence[DatabaseFacts], new: Sequence[DatabaseFacts], event: Make) -> Iterator[Event]:
    before = {d.name: d for d in old}
    for node in new:
        was = before.get(node.name)
        if was is None:
            continue
        if was.role not in (None, node.role):
            yield event(Severity.WARNING, node.name, EventKind.ROLE, Change(was.role, node.role))
        if was.sync_state != node.sync_state and was.reachable and node.reachable:
            yield event(Severity.NOTE if node.sync_state in IN_STEP else Severity.WARNING, node.name,
                        EventKind.REPLICATION, Change(was.sync_state, node.sync_state))


def _without_mail(old: Snapshot, new: Snapshot, event: Make) -> Iterator[Event]:
    """Reasons for which users of a cluster have no mail: when one begins, and when it ends."""
    before = {(c.cluster, t.reason): t for c in old.without_mail for t in c.troubles}
    after = {(c.cluster, t.reason): t for c in new.without_mail for t in c.troubles}
    for (cluster, reason), trouble in after.items():
        if (cluster, reason) not in before:
            yield event(Severity.WARNING, cluster, EventKind.WITHOUT_MAIL, NoMail(trouble))
    if new.without_mail:  # else nobody reports
        for cluster, reason in before:
            if (cluster, reason) not in after:
                yield event(Severity.NOTE, cluster, EventKind.WITH_MAIL_AGAIN, Reason(reason))


def _restarts(old: Sequence[SprayerFacts], new: Sequence[SprayerFacts], event: Make) -> Iterator[Event]:
    """Sprayers that are another process now, or one with less time behind it: what it had learned went with the old."""
    before = {s.name: s for s in old}
    for sprayer in new:
        was = before.get(sprayer.name)
        if was is None or sprayer.uptime_seconds is None:
            continue
        other = None not in (was.process, sprayer.process) and was.process != sprayer.process
        if other or sprayer.uptime_seconds < (was.uptime_seconds or 0):
            yield event(Severity.WARNING, sprayer.name, EventKind.RESTARTED, Restart(was.learned, sprayer.learned))


def _targets(old: Snapshot, new: Snapshot, event: Make) -> Iterator[Event]:
    before = {s.name: s.target for s in old.servers}
    for server in new.servers:
        was = before.get(server.name, ServerTarget.UNKNOWN)
        if ServerTarget.UNKNOWN not in (was, server.target) and was != server.target:
            yield event(Severity.NOTE, server.name, EventKind.TARGET, Change(was, server.target))


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
        yield event(Severity.NOTE, names(losers), EventKind.USERS_MOVED, Move(moved, tuple(losers), tuple(winners)))

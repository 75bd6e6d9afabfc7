"""What an operator should know, worst first: what it is, what it means, since when, and the command that comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tuiha.model.databases.managed import LEADERLESS
from tuiha.model.facts import Look, NodeKind, Polled, Problem, Severity, Snapshot
from tuiha.model.intent import takes_from
from tuiha.model.problems.databases import after_stray, database_problems
from tuiha.model.problems.mail import mail_problems
from tuiha.model.problems.operation import ATTACHES, first_of, operation_problems
from tuiha.model.problems.servers import server_problems
from tuiha.model.problems.sprayers import oddities
from tuiha.model.reports import ServerState
from tuiha.model.rows import DOWN, down
from tuiha.model.scene import Scene
from tuiha.model.words import natural

_SEVERITY = {Severity.BAD: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_KIND = {NodeKind.POOL: 0, NodeKind.DATABASE: 1, NodeKind.SERVER: 2, NodeKind.SPRAYER: 3, NodeKind.MAIL: 4,
         NodeKind.LEDGER: 5}


def problems(scene: Scene, previous: Snapshot | None) -> tuple[Problem, ...]:
    """Find and rank all problems; one that was there before keeps its time."""
    found = [*_pool(scene), *database_problems(scene), *server_problems(scene), *_sprayers(scene),
             *mail_problems(scene), *_ledger(scene), *_operation(scene)]
    dated = _dated(_in_turn(scene, found), previous, scene.look)
    return tuple(sorted(dated, key=lambda p: (_SEVERITY[p.severity], _KIND[p.kind], natural(p.subject))))


def _dated(found: Iterable[Problem], previous: Snapshot | None, look: Look) -> Iterator[Problem]:
    """Each problem with its time: as the pool knows it, or since this watcher sees it, which may be too late."""
    before = {_mark(p): p for p in previous.problems} if previous is not None else {}
    polled: dict[str, Polled[Any]] = {}
    for group in (look.servers, look.databases, look.sprayers, look.mail):
        polled |= {one.name: one for one in group}
    for problem in found:
        if problem.since is None:
            dated = replace(problem, since=look.at, at_least=previous is None)
        else:
            dated = replace(problem, at_least=_never_answered(problem.since, polled.get(problem.subject)))
        known = before.get(_mark(problem))
        if known is not None and known.since is not None and known.since <= (dated.since or look.at):
            dated = replace(dated, since=known.since, at_least=known.at_least)
        yield dated


def _never_answered(since: float, polled: Polled[Any] | None) -> bool:
    """Whether a time is that of the first failed poll of a node that has never answered this watcher."""
    return polled is not None and polled.seen_at is None and polled.failing_since is not None \
        and since >= polled.failing_since


def _mark(problem: Problem) -> tuple[str, str, str]:
    """What makes two problems the same one: its node and its state."""
    return problem.kind, problem.subject, problem.what.split("  ")[0]


def _pool(scene: Scene) -> Iterator[Problem]:
    name = scene.look.pool
    if scene.split is not None:
        yield Problem(Severity.BAD, NodeKind.POOL, name, f"SPLIT  {scene.split}",
                      "changes can go to two physical databases: what is written in one is missing in the other",
                      None, _after_split(scene))
    if scene.dispute is not None:
        yield Problem(Severity.BAD, NodeKind.POOL, name, f"DISPUTED  {scene.dispute}",
                      "somebody is cut off, not gone: do not fail over before it is clear who", None, "tuiha check")
    if scene.rules.unverified:
        yield Problem(Severity.WARNING, NodeKind.POOL, name,
                      f"UNVERIFIED  verify: false at {', '.join(scene.rules.unverified)}",
                      "any certificate is accepted there: an impostor gets passwords and mail", None, "tuiha check")
    if not scene.servers:
        yield Problem(Severity.BAD, NodeKind.POOL, name, "DOWN  no pool server is known",
                      "no device is answered and no mail is monitored", None, "tuiha serve NAME")


def _operation(scene: Scene) -> Iterator[Problem]:
    ledger = scene.stand.ledger
    if ledger is not None:
        yield from operation_problems(scene.look.pool, scene.running, ledger.phase)


def _in_turn(scene: Scene, found: Iterable[Problem]) -> Iterator[Problem]:
    """What needs the pool waits for the operation that has it: then that one is what comes next."""
    ledger, other = scene.stand.ledger, scene.running
    if ledger is None or other is None:
        yield from found
        return
    for problem in found:
        kind = (problem.next or "").removeprefix("tuiha plan ").partition(" ")[0]
        if not (problem.next or "").startswith("tuiha plan ") or takes_from(kind, other.intent, ledger.phase):
            yield problem
        else:
            yield replace(problem, next=first_of(other, ledger.phase), key=ATTACHES,
                          means=f"{problem.means}; `{problem.next}` comes after {other.kind}, which has the pool")


def _after_split(scene: Scene) -> str:
    stray = next((d.name for d in scene.databases if d.name != scene.stand.active and d.writable), None)
    return after_stray(scene, stray) if stray is not None else "tuiha check"


def _sprayers(scene: Scene) -> Iterator[Problem]:
    others = {s.name for s in scene.sprayers if s.state != DOWN}
    failing = {s.name: s.failing_since for s in scene.look.sprayers}
    for sprayer in scene.sprayers:
        if sprayer.state == DOWN:
            means = "devices go on through the other sprayer; there is no second one to lose" if others \
                else "no device reaches the pool"
            yield Problem(Severity.BAD, NodeKind.SPRAYER, sprayer.name, f"DOWN  {sprayer.error}", means,
                          failing[sprayer.name], "tuiha check")
    serving = frozenset(s.name for s in scene.serving if s.state == ServerState.UP)
    there = {s.name: s.report for s in scene.look.sprayers if s.report is not None and not down(s, scene.rules)}
    for one in oddities(there, serving):
        yield Problem(Severity.WARNING if one.serious else Severity.NOTE, NodeKind.SPRAYER, one.sprayer,
                      f"{one.word}  {one.what}", one.means,
                      None if one.lasts is None else scene.look.at - one.lasts, "tuiha check")


def _ledger(scene: Scene) -> Iterator[Problem]:
    polled = scene.look.ledger
    if polled is None:
        return
    if polled.error is not None and (polled.report is None or polled.failures >= scene.rules.down_after):
        yield Problem(Severity.WARNING, NodeKind.LEDGER, "ledger", f"UNREADABLE  {polled.error}",
                      "the service goes on; the database's roles cannot be changed until it is back",
                      polled.failing_since, "tuiha check")
        return
    record, primary, manager = polled.report, scene.stand.primary_report, scene.rules.manager
    if manager is not None and record is not None and record.phase == LEADERLESS:
        yield Problem(Severity.BAD, NodeKind.LEDGER, "ledger", f"NO LEADER  {manager} has none at this moment",
                      "nothing can be written until one is promoted", None, "tuiha plan failover", "f")
        return
    row = primary.epoch if primary is not None else None
    if record is None or row is None or record.intent is not None:
        return
    if (record.epoch, record.active, record.pool) != (row.epoch, row.active, row.pool):
        if manager is not None and record.epoch > row.epoch and record.pool == row.pool:
            yield Problem(Severity.WARNING, NodeKind.LEDGER, "ledger",
                          f"FOLLOWING  {manager}'s leader is {record.active} on timeline {record.epoch}, "
                          f"the epoch row says {row.epoch} on {row.active}",
                          "the first pool server begins the epoch when no lease on the leader before can be left",
                          None, "tuiha status")
            return
        yield Problem(Severity.WARNING, NodeKind.LEDGER, "ledger",
                      f"DISAGREES  it says epoch {record.epoch} on {record.active}, "
                      f"the database epoch {row.epoch} on {row.active}",
                      "role changes are refused until both say the same", None, "tuiha check")

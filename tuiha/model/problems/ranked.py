"""What an operator should know, worst first: what it is, since when, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tuiha.model.codes import (
    CHECK,
    STATUS,
    Action,
    Facts,
    LostSprayer,
    Named,
    Next,
    NoMail,
    OfManager,
    ProblemCode,
    Reason,
    Turn,
    TwoRecords,
    plan,
    serve,
)
from tuiha.model.databases.backups import backup_problems
from tuiha.model.facts import Look, NodeKind, Polled, Problem, Severity, Snapshot
from tuiha.model.operations.intent import takes_from
from tuiha.model.problems.databases import after_rogue, database_problems
from tuiha.model.problems.guard import guard_problems
from tuiha.model.problems.mail import mail_problems
from tuiha.model.problems.operation import first_of, operation_problems
from tuiha.model.problems.servers import server_problems
from tuiha.model.problems.sprayers import oddities
from tuiha.model.reports import LEADERLESS, ServerState, SprayerState
from tuiha.model.rows import down
from tuiha.model.scene import Scene
from tuiha.model.words import natural

_SEVERITY = {Severity.BAD: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_KIND = {NodeKind.POOL: 0, NodeKind.DATABASE: 1, NodeKind.SERVER: 2, NodeKind.SPRAYER: 3, NodeKind.MAIL: 4,
         NodeKind.LEDGER: 5}


def problems(scene: Scene, previous: Snapshot | None) -> tuple[Problem, ...]:
    """Find and rank all problems; one that was there before keeps its time."""
    found = [*_pool(scene), *database_problems(scene), *server_problems(scene), *_sprayers(scene),
             *mail_problems(scene), *_ledger(scene), *_operation(scene), *guard_problems(scene.look),
             *_backup(scene)]
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


def _mark(problem: Problem) -> tuple[str, str, str, str]:
    """What makes two problems the same one: its node and its code, of users without mail also the reason."""
    reason = problem.facts.trouble.reason if isinstance(problem.facts, NoMail) else ""
    return problem.kind, problem.subject, problem.code, reason


def _pool(scene: Scene) -> Iterator[Problem]:
    name = scene.look.pool
    if scene.split is not None:
        yield Problem(Severity.BAD, NodeKind.POOL, name, ProblemCode.SPLIT, scene.split, next=_after_split(scene))
    if scene.dispute is not None:
        yield Problem(Severity.BAD, NodeKind.POOL, name, ProblemCode.DISPUTED, scene.dispute, next=CHECK)
    if scene.rules.unverified:
        yield Problem(Severity.WARNING, NodeKind.POOL, name, ProblemCode.UNVERIFIED, Named(scene.rules.unverified),
                      next=CHECK)
    if not scene.servers:
        yield Problem(Severity.BAD, NodeKind.POOL, name, ProblemCode.NO_SERVER, next=serve())


def _operation(scene: Scene) -> Iterator[Problem]:
    ledger = scene.stand.ledger
    if ledger is not None:
        yield from operation_problems(scene.look.pool, scene.running, ledger.phase)


def _backup(scene: Scene) -> Iterator[Problem]:
    polled, record, primary = scene.look.backup, scene.stand.ledger, scene.stand.primary_report
    expected = record.system_identifier if record is not None else None if primary is None \
        else primary.system_identifier
    system = None if polled is None or polled.report is None else polled.report.system_identifier
    away = polled is not None and down(polled, scene.rules)
    for code, facts in backup_problems(scene.backup, system, expected, scene.look.at, away):
        yield Problem(Severity.WARNING, NodeKind.POOL, scene.look.pool, code, facts)


def _in_turn(scene: Scene, found: Iterable[Problem]) -> Iterator[Problem]:
    """What needs the pool waits for the operation that has it: then that one is what comes next."""
    ledger, other = scene.stand.ledger, scene.running
    if ledger is None or other is None:
        yield from found
        return
    for problem in found:
        then = problem.next
        if then is None or then.action is not Action.PLAN or takes_from(then.operation, other.intent, ledger.phase):
            yield problem
        else:
            yield replace(problem, next=first_of(other, ledger.phase), turn=Turn(then, other.kind))


def _after_split(scene: Scene) -> Next:
    stray = next((d.name for d in scene.databases if d.name != scene.stand.active and d.writable), None)
    return after_rogue(scene, stray) if stray is not None else CHECK


def _sprayers(scene: Scene) -> Iterator[Problem]:
    others = any(s.state is not SprayerState.DOWN for s in scene.sprayers)
    failing = {s.name: s.failing_since for s in scene.look.sprayers}
    for sprayer in scene.sprayers:
        if sprayer.state is SprayerState.DOWN:
            yield Problem(Severity.BAD, NodeKind.SPRAYER, sprayer.name, ProblemCode.SPRAYER_DOWN,
                          LostSprayer(sprayer.error, others), failing[sprayer.name], next=CHECK)
    serving = frozenset(s.name for s in scene.serving if s.state is ServerState.UP)
    there = {s.name: s.report for s in scene.look.sprayers if s.report is not None and not down(s, scene.rules)}
    for one in oddities(there, serving):
        yield Problem(Severity.WARNING if one.serious else Severity.NOTE, NodeKind.SPRAYER, one.sprayer, one.code, one,
                      None if one.lasts is None else scene.look.at - one.lasts, next=CHECK)


def _ledger(scene: Scene) -> Iterator[Problem]:
    def problem(severity: Severity, code: ProblemCode, facts: Facts, then: Next, since: float | None = None) -> Problem:
        return Problem(severity, NodeKind.LEDGER, "ledger", code, facts, since, next=then)

    polled = scene.look.ledger
    if polled is None:
        return
    if polled.error is not None and (polled.report is None or polled.failures >= scene.rules.down_after):
        yield problem(Severity.WARNING, ProblemCode.LEDGER_UNREADABLE, Reason(polled.error), CHECK,
                      polled.failing_since)
        return
    record, primary, manager = polled.report, scene.stand.primary_report, scene.rules.manager
    if manager is not None and record is not None and record.phase == LEADERLESS:
        yield problem(Severity.BAD, ProblemCode.NO_LEADER, OfManager(manager), plan("failover"))
        return
    row = primary.epoch if primary is not None else None
    if record is None or row is None or record.intent is not None:
        return
    if (record.epoch, record.active, record.pool) != (row.epoch, row.active, row.pool):
        facts = TwoRecords(record.epoch, record.active, row.epoch, row.active, manager)
        if manager is not None and record.epoch > row.epoch and record.pool == row.pool:
            yield problem(Severity.WARNING, ProblemCode.FOLLOWING, facts, STATUS)
        else:
            yield problem(Severity.WARNING, ProblemCode.DISAGREES, facts, CHECK)

"""What an operator should know, worst first: what it is, what it means, since when, and the command that comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tuiha.model.database_problems import after_stray, database_problems
from tuiha.model.facts import NodeKind, Problem, Severity, Snapshot
from tuiha.model.mail_problems import mail_problems
from tuiha.model.managed import LEADERLESS
from tuiha.model.reports import ServerState
from tuiha.model.rows import DOWN
from tuiha.model.scene import Scene
from tuiha.model.server_problems import server_problems
from tuiha.model.words import natural

_SEVERITY = {Severity.BAD: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_KIND = {NodeKind.POOL: 0, NodeKind.DATABASE: 1, NodeKind.SERVER: 2, NodeKind.SPRAYER: 3, NodeKind.MAIL: 4,
         NodeKind.LEDGER: 5}


def problems(scene: Scene, previous: Snapshot | None) -> tuple[Problem, ...]:
    """Find and rank all problems; one that was there before keeps its time."""
    found = [*_pool(scene), *database_problems(scene), *server_problems(scene), *_sprayers(scene),
             *mail_problems(scene), *_ledger(scene)]
    dated = _dated(found, previous, scene.look.at)
    return tuple(sorted(dated, key=lambda p: (_SEVERITY[p.severity], _KIND[p.kind], natural(p.subject))))


def _dated(found: Iterable[Problem], previous: Snapshot | None, now: float) -> Iterator[Problem]:
    before = {_mark(p): p.since for p in previous.problems} if previous is not None else {}
    for problem in found:
        known = before.get(_mark(problem))
        since = problem.since if known is None else known if problem.since is None else min(known, problem.since)
        yield replace(problem, since=now if since is None else since)


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
            continue
        serving = {s.name for s in scene.serving if s.state == ServerState.UP}
        missing = sorted((b.server for b in sprayer.backends if b.state == DOWN and b.server in serving), key=natural)
        if missing:
            yield Problem(Severity.WARNING, NodeKind.SPRAYER, sprayer.name,
                          f"CUT OFF  does not reach {', '.join(missing)}",
                          "devices are forwarded by other servers: slower, and with more load", None, "tuiha check")


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

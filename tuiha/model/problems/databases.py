"""Problems of the database pair."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.codes import (
    CHECK,
    NONE,
    STATUS,
    Action,
    Commits,
    Effect,
    Facts,
    Foreign,
    Lost,
    Named,
    Next,
    OfManager,
    ProblemCode,
    Reason,
    Recovering,
    Replicates,
    mend,
    plan,
)
from tuiha.model.databases.durability import Durability, Gap, follows_first
from tuiha.model.databases.obstacles import obstacles
from tuiha.model.facts import DatabaseFacts, NodeKind, Problem, Severity
from tuiha.model.reports import DatabaseReport, DatabaseRole, DatabaseState, EpochState
from tuiha.model.scene import Scene


def database_problems(scene: Scene) -> Iterator[Problem]:
    """Problems of the active database, then of the other, then of their identity."""
    if scene.primary is None:
        yield from _unknown_active(scene)
    else:
        yield from _active(scene, scene.primary)
    foreign = {name for name, _ in _foreign(scene)}
    for facts in scene.databases:
        if facts is not scene.primary and facts.name not in foreign:
            yield from _other(scene, facts)
    yield from _identity(scene)
    yield from _managed(scene)
    yield from _obstacles(scene)


def _obstacles(scene: Scene) -> Iterator[Problem]:
    """What a plan would stumble over; `tuiha check` has the remedy in full."""
    every = frozenset(one.name for one in scene.databases)
    for polled in scene.look.databases:
        if polled.report is None or not polled.fresh:
            continue
        for one in obstacles(polled.name, polled.report, every - {polled.name}, scene.rules.hold):
            yield _bad(polled.name, one.code, one, CHECK,
                       severity=Severity.WARNING if one.serious else Severity.NOTE)


def _bad(subject: str, code: ProblemCode, facts: Facts, then: Next, since: float | None = None,
         severity: Severity = Severity.BAD) -> Problem:
    return Problem(severity, NodeKind.DATABASE, subject, code, facts, since, next=then)


def _since(scene: Scene, name: str) -> float | None:
    return next((d.failing_since for d in scene.look.databases if d.name == name), None)


def _down(scene: Scene, facts: DatabaseFacts, told: Lost, then: Next) -> Problem:
    return _bad(facts.name, ProblemCode.DATABASE_DOWN, told, then, _since(scene, facts.name))


def _unknown_active(scene: Scene) -> Iterator[Problem]:
    for facts in scene.databases:
        if facts.state is DatabaseState.DOWN:
            yield _down(scene, facts, Lost(Effect.UNDECIDED, facts.error), CHECK)


def _active(scene: Scene, facts: DatabaseFacts) -> Iterator[Problem]:
    if facts.state is DatabaseState.DOWN:
        yield _active_down(scene, facts)
        return
    report = scene.stand.primary_report
    if report is None:
        return
    if not report.writable:
        yield _bad(facts.name, ProblemCode.NOT_WRITABLE, Recovering(report.role is DatabaseRole.SECONDARY),
                   plan("failover"))
    row = report.epoch
    if row is None:
        yield _bad(facts.name, ProblemCode.NO_EPOCH_ROW, NONE, CHECK)
    elif row.pool == scene.look.pool and row.state is EpochState.FENCED \
            and (scene.stand.ledger is None or scene.stand.ledger.intent is None):
        yield _bad(facts.name, ProblemCode.EPOCH_CUT_OFF, NONE, CHECK)


def _active_down(scene: Scene, facts: DatabaseFacts) -> Problem:
    other = scene.secondary
    manager = scene.rules.manager
    if scene.dispute is not None:  # servers renew leases on it: requests are answered, whatever the watcher sees
        return _bad(facts.name, ProblemCode.DATABASE_UNREACHABLE, Reason(facts.error), CHECK,
                    _since(scene, facts.name))
    if other is None or not other.reachable:
        return _down(scene, facts, Lost(Effect.NOTHING_LEFT, facts.error), CHECK)
    if manager is not None and not _paused(scene):
        return _down(scene, facts, Lost(Effect.MANAGER_PROMOTES, facts.error, partner=other.name, manager=manager),
                     STATUS)
    told = Lost(Effect.FAILS_OVER, facts.error, partner=other.name, stale=not scene.stand.kept)
    return _down(scene, facts, told, plan("failover"))


def _other(scene: Scene, facts: DatabaseFacts) -> Iterator[Problem]:
    if facts.state is DatabaseState.ROGUE_PRIMARY:
        yield _bad(facts.name, ProblemCode.ROGUE_PRIMARY, Named((scene.stand.active or "",)),
                   after_rogue(scene, facts.name))
        return
    primary = scene.primary
    if primary is None:
        return
    if facts is not scene.secondary:
        yield from _further(scene, primary, facts)
        return
    if facts.state is DatabaseState.DOWN:
        if primary.state is DatabaseState.DOWN:
            yield _down(scene, facts, Lost(Effect.NO_TAKEOVER, facts.error), CHECK)
            return
        yield _lost(scene, facts, ProblemCode.DATABASE_DOWN)
        return
    if scene.stand.primary_report is None or not facts.reachable:
        return
    if scene.stand.holes - {Gap.NOBODY}:
        yield _hole(scene, primary, facts)
    elif Gap.MORE in scene.stand.gaps:
        yield _endless(scene, primary, facts)
    elif facts.sync_state is None:
        yield _lost(scene, facts, ProblemCode.NOT_STREAMING)
    elif not scene.in_step or not scene.waits:
        yield _bad(facts.name, ProblemCode.NOT_SYNCHRONOUS, Replicates(primary.name, facts.sync_state),
                   _protects(scene), severity=Severity.WARNING)
    elif not scene.stand.kept:
        yield _bad(facts.name, ProblemCode.STALE, NONE, _protects(scene), severity=Severity.WARNING)


def _commits(scene: Scene) -> Durability | None:
    report = scene.stand.primary_report
    return None if report is None else report.waits_for


def _hole(scene: Scene, primary: DatabaseFacts, facts: DatabaseFacts) -> Problem:
    """Commits are acknowledged that the secondary may not have."""
    found, holes = _commits(scene), scene.stand.holes
    stalled = scene.stand.withheld and scene.stalled
    if stalled:
        then = plan("degrade")
    elif scene.rules.manager is not None or found is None:
        then = CHECK
    elif follows_first(scene.stand.gaps):
        then = after_rogue(scene, facts.name)
    else:
        then = mend(found, facts.name, holes)
    told = Commits(primary.name, facts.name, found, tuple(gap for gap in Gap if gap in holes), stalled)
    return _bad(primary.name, ProblemCode.UNPROTECTED, told, then)


def _endless(scene: Scene, primary: DatabaseFacts, facts: DatabaseFacts) -> Problem:
    """Commits wait for more than there can be."""
    told = Commits(primary.name, facts.name, _commits(scene), (Gap.MORE,))
    return _bad(primary.name, ProblemCode.ENDLESS_WAIT, told, _protects(scene))


def _further(scene: Scene, primary: DatabaseFacts, facts: DatabaseFacts) -> Iterator[Problem]:
    """One that stands by beside the secondary: nothing waits for it."""
    told = Lost(Effect.SPARE, facts.error, active=primary.name)
    if facts.state is DatabaseState.DOWN:
        yield _bad(facts.name, ProblemCode.DATABASE_DOWN, told, CHECK, _since(scene, facts.name), Severity.WARNING)
    elif facts.reachable and facts.sync_state is None and scene.stand.primary_report is not None:
        yield _bad(facts.name, ProblemCode.NOT_STREAMING, told, CHECK, None, Severity.WARNING)


def _lost(scene: Scene, facts: DatabaseFacts, code: ProblemCode) -> Problem:
    """The secondary follows no more."""
    effect, then = _effect(scene, facts)
    told = Lost(effect, facts.error, active=scene.stand.active, partner=facts.name, manager=scene.rules.manager,
                commits=_commits(scene) if effect is Effect.OTHERS_CONFIRM else None)
    return _bad(facts.name, code, told, then, _since(scene, facts.name) if code is ProblemCode.DATABASE_DOWN else None)


def _effect(scene: Scene, facts: DatabaseFacts) -> tuple[Effect, Next]:
    """What it means that the secondary follows no more, and what comes next."""
    if scene.rules.manager is not None and scene.waits is not False:
        return Effect.MANAGER_GOES_ON, STATUS
    if scene.stand.withheld:
        return Effect.WITHHELD, plan("degrade")
    if Gap.OTHERS in scene.stand.gaps:
        return Effect.OTHERS_CONFIRM, plan("degrade")
    if scene.waits is False:
        return Effect.ALONE, CHECK if facts.state is DatabaseState.DOWN else plan("rejoin", facts.name)
    return Effect.STOPS if scene.waits else Effect.ALONE, plan("degrade")


def _protects(scene: Scene) -> Next:
    """What makes commits wait for the secondary: an operation, or the manager when it is left to itself."""
    return plan("protect") if scene.rules.manager is None else CHECK


def _paused(scene: Scene) -> bool:
    return any(facts.managed is not None and facts.managed.paused for facts in scene.databases)


def _managed(scene: Scene) -> Iterator[Problem]:
    """What the manager of the pair says of itself."""
    manager = scene.rules.manager
    if manager is None:
        return
    if _paused(scene):
        yield _bad(scene.look.pool, ProblemCode.MANAGER_PAUSED, OfManager(manager), Next(Action.MANAGER_RESUME),
                   severity=Severity.WARNING)
    for facts in scene.databases:
        said = facts.managed
        if said is None or not facts.reachable:
            continue
        if said.error is not None:
            yield _bad(facts.name, ProblemCode.UNMANAGED, OfManager(manager, said.error), CHECK,
                       severity=Severity.WARNING)
        elif said.pending_restart:
            yield _bad(facts.name, ProblemCode.PENDING_RESTART, OfManager(manager), Next(Action.MANAGER_RESTART),
                       severity=Severity.NOTE)


def _identity(scene: Scene) -> Iterator[Problem]:
    known = [(d.name, d.report) for d in scene.look.databases if d.report is not None]
    for name, report in known:
        if report.epoch is not None and report.epoch.pool != scene.look.pool:
            yield _bad(name, ProblemCode.DATABASE_OF_OTHER_POOL, Named((report.epoch.pool,)), CHECK)
    for name, report in _foreign(scene):
        told = Foreign(report.system_identifier, _expected_system(scene, dict(known)))
        yield _bad(name, ProblemCode.FOREIGN, told, CHECK)


def _foreign(scene: Scene) -> list[tuple[str, DatabaseReport]]:
    """Databases of another system than the pool's: no operation touches them, so none is named for them."""
    known = {d.name: d.report for d in scene.look.databases if d.report is not None}
    expected = _expected_system(scene, known)
    return [(name, report) for name, report in known.items()
            if expected is not None and report.system_identifier != expected]


def _expected_system(scene: Scene, known: dict[str, DatabaseReport]) -> str | None:
    """The ledger's system identifier, else the active database's."""
    if scene.stand.ledger is not None:
        return scene.stand.ledger.system_identifier
    active = known.get(scene.stand.active or "")
    return active.system_identifier if active is not None else None


def after_rogue(scene: Scene, name: str) -> Next:
    """What to do about a second primary: the pool gives it up first, while the ledger still counts on it."""
    if scene.rules.manager is not None:
        return CHECK  # who must stop it is the manager, or whoever promoted it by hand
    counted = scene.stand.ledger is not None and scene.stand.kept
    return plan("degrade") if counted else plan("rejoin", name)

"""Problems of the database pair."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.databases.durability import Gap, follows_first, reason, remedy
from tuiha.model.databases.obstacles import obstacles
from tuiha.model.facts import DatabaseFacts, NodeKind, Problem, Severity
from tuiha.model.reports import DatabaseReport, DatabaseRole, EpochState
from tuiha.model.rows import DOWN, STRAY
from tuiha.model.scene import Scene

_STOPS = "commits wait for it: servers hold, then answer 503 when their leases end"
_ALONE = "the active database runs alone: losing it too stops the pool"


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
            yield _bad(polled.name, f"{one.kind.upper()}  {one.what}", one.means, "tuiha check",
                       severity=Severity.WARNING if one.serious else Severity.NOTE)


def _bad(subject: str, what: str, means: str, then: str, key: str | None = None, since: float | None = None,
         severity: Severity = Severity.BAD) -> Problem:
    return Problem(severity, NodeKind.DATABASE, subject, what, means, since, then, key)


def _since(scene: Scene, name: str) -> float | None:
    return next((d.failing_since for d in scene.look.databases if d.name == name), None)


def _unknown_active(scene: Scene) -> Iterator[Problem]:
    for facts in scene.databases:
        if facts.state == DOWN:
            yield _bad(facts.name, f"DOWN  {facts.error}", "nobody says which database is active",
                       "tuiha check", since=_since(scene, facts.name))


def _active(scene: Scene, facts: DatabaseFacts) -> Iterator[Problem]:
    if facts.state == DOWN:
        yield _active_down(scene, facts)
        return
    report = scene.stand.primary_report
    if report is None:
        return
    if not report.writable:
        what = "it is in recovery" if report.role == DatabaseRole.SECONDARY else "it is read-only"
        yield _bad(facts.name, f"NOT WRITABLE  {what}",
                   "no server can take a lease: nothing is answered until a database is promoted",
                   "tuiha plan failover", "f")
    row = report.epoch
    if row is None:
        yield _bad(facts.name, "NO EPOCH ROW  the pool's tables cannot be read in it",
                   "it is not a database of a pool, or the watcher's role may not read it", "tuiha check")
    elif row.pool == scene.look.pool and row.state == EpochState.FENCED \
            and (scene.stand.ledger is None or scene.stand.ledger.intent is None):
        yield _bad(facts.name, "FENCED  its epoch row says so, and no operation runs",
                   "no server can take a lease: nothing is answered", "tuiha check")


def _active_down(scene: Scene, facts: DatabaseFacts) -> Problem:
    other = scene.secondary
    manager = scene.rules.manager
    if scene.dispute is not None:  # servers renew leases on it: requests are answered, whatever the watcher sees
        return _bad(facts.name, f"UNREACHABLE  {facts.error}", "the pool serves: servers have sessions there. Nothing "
                    "new can connect from here, as when its main process hangs; a server that loses its sessions then "
                    "stays without a database", "tuiha check", since=_since(scene, facts.name))
    if other is None or not other.reachable:
        return _bad(facts.name, f"DOWN  {facts.error}", "no database can be reached: nothing is answered, "
                    "nothing is lost while the disks are there", "tuiha check", since=_since(scene, facts.name))
    if manager is not None and not _paused(scene):
        return _bad(facts.name, f"DOWN  {facts.error}", f"{manager} promotes {other.name} by itself when its ttl is "
                    f"over; servers hold requests, then answer 503, and follow", "tuiha status",
                    since=_since(scene, facts.name))
    means = f"servers hold requests, then answer 503 until the pool fails over to {other.name}"
    if not scene.stand.kept:
        means += f"; {other.name} is STALE: acknowledged writes would be lost"
    return _bad(facts.name, f"DOWN  {facts.error}", means, "tuiha plan failover", "f", _since(scene, facts.name))


def _other(scene: Scene, facts: DatabaseFacts) -> Iterator[Problem]:
    if facts.state == STRAY:
        yield _bad(facts.name, f"STRAY  writable, though {scene.stand.active} is active",
                   "whatever is written in it is not in the pool's database", after_stray(scene, facts.name))
        return
    primary = scene.primary
    if primary is None:
        return
    if facts is not scene.secondary:
        yield from _further(scene, primary, facts)
        return
    if facts.state == DOWN:
        if primary.state == DOWN:
            yield _bad(facts.name, f"DOWN  {facts.error}", "it cannot take over", "tuiha check",
                       since=_since(scene, facts.name))
            return
        yield _lost(scene, facts, f"DOWN  {facts.error}", _since(scene, facts.name))
        return
    if scene.stand.primary_report is None or not facts.reachable:
        return
    if scene.stand.holes - {Gap.NOBODY}:
        yield _hole(scene, primary, facts)
    elif Gap.MORE in scene.stand.gaps:
        yield _endless(scene, primary, facts)
    elif facts.sync_state is None:
        yield _lost(scene, facts, f"NOT STREAMING  {primary.name} sends it nothing", None)
    elif not scene.in_step or not scene.waits:
        yield _bad(facts.name, f"UNPROTECTED  replication is {facts.sync_state}, not synchronous",
                   f"losing {primary.name} now would lose acknowledged writes", _protects(scene),
                   severity=Severity.WARNING)
    elif not scene.stand.kept:
        yield _bad(facts.name, "STALE  it may lack acknowledged writes: the pool does not count on it",
                   "it may not be promoted until the pool is protected again", _protects(scene),
                   severity=Severity.WARNING)


def _hole(scene: Scene, primary: DatabaseFacts, facts: DatabaseFacts) -> Problem:
    """Commits are acknowledged that the secondary may not have."""
    report = scene.stand.primary_report
    found = report.waits_for if report is not None else None
    what = "" if found is None else reason(found, facts.name, scene.stand.holes)
    if scene.rules.manager is not None or found is None:
        then = "tuiha check"
    elif follows_first(scene.stand.gaps):
        then = after_stray(scene, facts.name)
    else:
        then = remedy(found, facts.name, scene.stand.holes)
    if scene.stand.withheld and scene.stalled:
        return _bad(primary.name, f"UNPROTECTED  {what}",
                    f"servers hold, then answer 503: the ledger counts on {facts.name}, which may lack writes",
                    "tuiha plan degrade", "f")
    return _bad(primary.name, f"UNPROTECTED  {what}",
                f"losing {primary.name} now loses acknowledged writes that {facts.name} does not have", then)


def _reason(scene: Scene, facts: DatabaseFacts, gap: Gap) -> str:
    report = scene.stand.primary_report
    return "" if report is None else reason(report.waits_for, facts.name, frozenset({gap}))


def _endless(scene: Scene, primary: DatabaseFacts, facts: DatabaseFacts) -> Problem:
    """Commits wait for more than there can be."""
    return _bad(primary.name, f"WAITING  {_reason(scene, facts, Gap.MORE)}",
                "no commit is acknowledged: servers hold requests, then answer 503", _protects(scene))


def _further(scene: Scene, primary: DatabaseFacts, facts: DatabaseFacts) -> Iterator[Problem]:
    """One that stands by beside the secondary: nothing waits for it."""
    if facts.state == DOWN:
        what, since = f"DOWN  {facts.error}", _since(scene, facts.name)
    elif facts.reachable and facts.sync_state is None and scene.stand.primary_report is not None:
        what, since = f"NOT STREAMING  {primary.name} sends it nothing", None
    else:
        return
    yield _bad(facts.name, what, "nothing waits for it; it could not take over either", "tuiha check", None, since,
               Severity.WARNING)


def _lost(scene: Scene, facts: DatabaseFacts, what: str, since: float | None) -> Problem:
    """The secondary follows no more."""
    if scene.rules.manager is not None and scene.waits is not False:
        return _bad(facts.name, what, f"{_STOPS}; {scene.rules.manager} lets the leader go on alone by itself, unless "
                    "it is strict", "tuiha status", None, since)
    if scene.stand.withheld:
        return _bad(facts.name, what, "the ledger counts on it: servers hold, then answer 503", "tuiha plan degrade",
                    "f", since)
    if Gap.OTHERS in scene.stand.gaps:
        return _bad(facts.name, what, f"{_reason(scene, facts, Gap.OTHERS)}: losing {scene.stand.active} loses them",
                    "tuiha plan degrade", "f", since)
    if scene.waits is False:
        then = "tuiha check" if facts.state == DOWN else f"tuiha plan rejoin {facts.name}"
        return _bad(facts.name, what, _ALONE, then, None, since)
    return _bad(facts.name, what, _STOPS if scene.waits else _ALONE, "tuiha plan degrade", "f", since)


def _protects(scene: Scene) -> str:
    """What makes commits wait for the secondary: an operation, or the manager when it is left to itself."""
    return "tuiha plan protect" if scene.rules.manager is None else "tuiha check"


def _paused(scene: Scene) -> bool:
    return any(facts.managed is not None and facts.managed.paused for facts in scene.databases)


def _managed(scene: Scene) -> Iterator[Problem]:
    """What the manager of the pair says of itself."""
    manager = scene.rules.manager
    if manager is None:
        return
    if _paused(scene):
        yield _bad(scene.look.pool, f"PAUSED  {manager} is in maintenance mode", "it neither fails over nor brings a "
                   "database back by itself", "patronictl resume", severity=Severity.WARNING)
    for facts in scene.databases:
        said = facts.managed
        if said is None or not facts.reachable:
            continue
        if said.error is not None:
            yield _bad(facts.name, f"UNMANAGED  its {manager} cannot be asked: {said.error}",
                       "whether it is brought back, or promoted, is not known", "tuiha check",
                       severity=Severity.WARNING)
        elif said.pending_restart:
            yield _bad(facts.name, f"PENDING RESTART  {manager} has settings that wait for it",
                       "they count after the next start only", "patronictl restart", severity=Severity.NOTE)


def _identity(scene: Scene) -> Iterator[Problem]:
    known = [(d.name, d.report) for d in scene.look.databases if d.report is not None]
    for name, report in known:
        if report.epoch is not None and report.epoch.pool != scene.look.pool:
            yield _bad(name, f"OTHER POOL  it is the database of the pool '{report.epoch.pool}'",
                       "its address in the configuration leads to another pool's data", "tuiha check")
    for name, report in _foreign(scene):
        expected = _expected_system(scene, dict(known))
        yield _bad(name, f"FOREIGN  its system identifier is {report.system_identifier}, not {expected}",
                   "it is another database cluster: it holds none of the pool's data", "tuiha check")


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


def after_stray(scene: Scene, name: str) -> str:
    """What to do about a second primary: the pool gives it up first, while the ledger still counts on it."""
    if scene.rules.manager is not None:
        return "tuiha check"  # who must stop it is the manager, or whoever promoted it by hand
    counted = scene.stand.ledger is not None and scene.stand.kept
    return "tuiha plan degrade" if counted else f"tuiha plan rejoin {name}"

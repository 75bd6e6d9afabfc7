"""Problems of pool servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tuiha.model.facts import NodeKind, Polled, Problem, ServerFacts, Severity
from tuiha.model.reports import ServerReport, ServerState, ServerTarget
from tuiha.model.rows import DOWN, NOT_THERE, down
from tuiha.model.scene import Scene
from tuiha.model.words import count


class _Rule(NamedTuple):
    severity: Severity
    means: str
    next: str
    key: str | None = None


_STATES: dict[str, _Rule] = {
    ServerState.FENCED: _Rule(Severity.BAD, "it has no lease on the active database: it answers 503 and writes "
                              "nothing", "tuiha check"),
    ServerState.HELD: _Rule(Severity.WARNING, "requests wait, bounded, until the active database can be used",
                            "tuiha check"),
    ServerState.CONSTRAINED: _Rule(Severity.WARNING, "it takes no new users and sheds some of those it has",
                                   "tuiha plan rebalance", "r"),
    ServerState.WITHDRAWN: _Rule(Severity.NOTE, "it takes no users, as it was told", "tuiha plan enable {name}", "e"),
    ServerState.UNKNOWN: _Rule(Severity.NOTE, "it has not answered yet", "tuiha check"),
    ServerState.LEFT: _Rule(Severity.NOTE, "it handed its users over and ended", "tuiha serve {name}"),
}


def server_problems(scene: Scene) -> Iterator[Problem]:
    """Each server's one problem."""
    polled = {s.name: s for s in scene.look.servers}
    for facts in scene.servers:
        found = _problem(scene, facts, polled[facts.name])
        if found is not None:
            yield found


def _problem(scene: Scene, facts: ServerFacts, polled: Polled[ServerReport]) -> Problem | None:
    def problem(severity: Severity, what: str, means: str, then: str, key: str | None = None,
                since: float | None = None) -> Problem:
        return Problem(severity, NodeKind.SERVER, facts.name, what, means, since, then.format(name=facts.name), key)

    report = polled.report
    if report is not None and report.pool != scene.look.pool:
        return problem(Severity.BAD, f"OTHER POOL  it belongs to the pool '{report.pool}'",
                       "its address in the configuration leads to another pool: it serves none of these users",
                       "tuiha check")
    if facts.state != DOWN and facts.state != ServerState.LEFT and down(polled, scene.rules):
        member = scene.stand.members.get(polled.name)
        late = member is not None and member.heartbeat_age > scene.rules.beating
        return problem(Severity.WARNING, f"UNREACHABLE  {polled.error}",
                       "it renews its lease: it lives, and is too busy to answer" if late else
                       "its heartbeat is fresh: it serves, and only the watcher cannot ask it", "tuiha check",
                       since=polled.failing_since)
    if facts.state == DOWN:
        means = _of_the_lost(facts)
        # one that hangs is no remedy's `serve`: a second process of its name would get no lease beside it
        then = "tuiha serve {name}" if polled.cause in NOT_THERE else "tuiha check"
        return problem(Severity.BAD, f"{DOWN}  {facts.note}", means, then, since=_gone_since(scene, polled))
    rule = _STATES.get(facts.state)
    if facts.state == ServerState.CONSTRAINED and not _takers(scene):
        rule = _nobody_takes(scene)
    if rule is not None:
        return problem(rule.severity, f"{facts.state}  {facts.note}".rstrip(), rule.means, rule.next, rule.key)
    if facts.alive is False and facts.state == ServerState.UP:
        return problem(Severity.WARNING, "SILENT  its heartbeat is older than the window",
                       "it answers the watcher, but the others take its users over", "tuiha check")
    return None


def _of_the_lost(facts: ServerFacts) -> str:
    """What becomes of the users of a server that is down."""
    if not facts.users:
        return "the others have taken its users over"
    if facts.alive is False:
        return f"{count(facts.users, 'user')} of it have no server, as no other has room for them: start it, or add one"
    return "its users move to the others, at the latest when its heartbeat is older than the window"


def _takers(scene: Scene) -> list[str]:
    """The servers that take users from others: without one a rebalance cannot be done."""
    return [s.name for s in scene.servers
            if s.state == ServerState.UP and s.error is None and s.target != ServerTarget.DRAIN
            and (s.availability_index or 0) >= 0]


def _nobody_takes(scene: Scene) -> _Rule:
    """What helps an overloaded server when no other one has room: another server, not a rebalance."""
    means = "it takes no new users, and no server has room for some of those it has"
    drained = next((s.name for s in scene.servers if s.state == ServerState.WITHDRAWN and s.error is None), None)
    if drained is not None:
        return _Rule(Severity.WARNING, f"{means}: {drained} is drained", f"tuiha plan enable {drained}", "e")
    gone = next((s.name for s in scene.servers if s.state in (DOWN, ServerState.LEFT)), None)
    if gone is not None:
        return _Rule(Severity.WARNING, f"{means}: {gone} does not run", f"tuiha serve {gone}")
    return _Rule(Severity.WARNING, f"{means}: add a server", "tuiha serve NAME")


def _gone_since(scene: Scene, polled: Polled[ServerReport]) -> float | None:
    """When it failed first, or when its heart last beat: the database may know it longer than the watcher."""
    member = scene.stand.members.get(polled.name) if scene.stand.current else None
    if member is None or polled.failing_since is None or scene.stand.primary is None:
        return polled.failing_since
    return min(polled.failing_since, (scene.stand.primary.seen_at or scene.look.at) - member.heartbeat_age)

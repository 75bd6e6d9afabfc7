"""Problems of pool servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tuiha.model.codes import (
    CHECK,
    NONE,
    Facts,
    Fate,
    LostServer,
    Named,
    Next,
    Overload,
    ProblemCode,
    Reason,
    Relief,
    Unasked,
    plan,
    serve,
)
from tuiha.model.facts import NodeKind, Polled, Problem, ServerFacts, Severity
from tuiha.model.reports import ServerReport, ServerState, ServerTarget
from tuiha.model.rows import NOT_THERE, down
from tuiha.model.scene import DRAINS, Scene
from tuiha.model.since import gone_since


class _Found(NamedTuple):
    """A problem but for its server."""

    severity: Severity
    code: ProblemCode
    facts: Facts
    next: Next
    since: float | None = None


def _check(_: str) -> Next:
    return CHECK


_STATES: Mapping[ServerState, tuple[Severity, ProblemCode, Callable[[str], Next]]] = {
    ServerState.CUT_OFF: (Severity.BAD, ProblemCode.SERVER_CUT_OFF, _check),
    ServerState.WAITING: (Severity.WARNING, ProblemCode.SERVER_WAITING, _check),
    **dict.fromkeys(DRAINS, (Severity.NOTE, ProblemCode.SERVER_DRAINING, lambda name: plan("enable", name))),
    ServerState.UNKNOWN: (Severity.NOTE, ProblemCode.SERVER_UNKNOWN, _check),
    ServerState.LEFT: (Severity.NOTE, ProblemCode.SERVER_LEFT, serve),
}


def server_problems(scene: Scene) -> Iterator[Problem]:
    """Each server's one problem."""
    polled = {s.name: s for s in scene.look.servers}
    for facts in scene.servers:
        found = _problem(scene, facts, polled[facts.name])
        if found is not None:
            yield Problem(found.severity, NodeKind.SERVER, facts.name, found.code, found.facts, found.since,
                          next=found.next)


def _problem(scene: Scene, facts: ServerFacts, polled: Polled[ServerReport]) -> _Found | None:
    report = polled.report
    if report is not None and report.pool != scene.look.pool:
        return _Found(Severity.BAD, ProblemCode.SERVER_OF_OTHER_POOL, Named((report.pool,)), CHECK)
    if facts.state not in (ServerState.DOWN, ServerState.LEFT) and down(polled, scene.rules):
        member = scene.stand.members.get(polled.name)
        late = member is not None and member.heartbeat_age > scene.rules.beating
        return _Found(Severity.WARNING, ProblemCode.SERVER_UNREACHABLE, Unasked(polled.error, late), CHECK,
                      polled.failing_since)
    if facts.state is ServerState.DOWN:
        # one that hangs is no remedy's `serve`: a second process of its name would get no lease beside it
        then = serve(facts.name) if polled.cause in NOT_THERE else CHECK
        return _Found(Severity.BAD, ProblemCode.SERVER_DOWN, _lost(facts), then, gone_since(polled, scene.stand))
    if facts.state is ServerState.OVERLOADED:
        return _overloaded(scene, facts)
    if facts.state in _STATES:
        severity, code, follows = _STATES[facts.state]
        return _Found(severity, code, Reason(facts.note), follows(facts.name))
    if facts.alive is False:
        return _Found(Severity.WARNING, ProblemCode.SERVER_SILENT, NONE, CHECK)
    return None


def _lost(facts: ServerFacts) -> LostServer:
    """What becomes of the users of a server that is down."""
    if not facts.users:
        return LostServer(facts.note, Fate.TAKEN)
    return LostServer(facts.note, Fate.STRANDED if facts.alive is False else Fate.MOVING, facts.users)


def _takers(scene: Scene) -> list[str]:
    """The servers that take users from others: without one a rebalance cannot be done."""
    return [s.name for s in scene.servers
            if s.state is ServerState.UP and s.error is None and s.target is not ServerTarget.DRAIN
            and (s.availability_index or 0) >= 0]


def _overloaded(scene: Scene, facts: ServerFacts) -> _Found:
    """What helps an overloaded server: a rebalance, or another server when no other one has room."""
    def found(relief: Relief, then: Next, helper: str = "") -> _Found:
        return _Found(Severity.WARNING, ProblemCode.SERVER_OVERLOADED, Overload(facts.note, relief, helper), then)

    if _takers(scene):
        return found(Relief.REBALANCE, plan("rebalance"))
    drained = next((s.name for s in scene.servers if s.state in DRAINS and s.error is None), None)
    if drained is not None:
        return found(Relief.ENABLE, plan("enable", drained), drained)
    gone = next((s.name for s in scene.servers if s.state in (ServerState.DOWN, ServerState.LEFT)), None)
    if gone is not None:
        return found(Relief.START, serve(gone), gone)
    return found(Relief.ADD, serve())

"""The pool in one word, and whether losing a database would lose nothing."""

from __future__ import annotations

from collections.abc import Iterable

from tuiha.model.facts import Problem, Protection, Severity, Verdict
from tuiha.model.reports import DatabaseState
from tuiha.model.scene import Scene


def verdict(scene: Scene, problems: Iterable[Problem]) -> Verdict:
    """The worst that is true: SPLIT, DISPUTED, DOWN, DEGRADED, else HEALTHY.

    DOWN is when nobody is served: no server has a lease. While an operation lets requests wait the pool is DEGRADED.
    """
    if scene.split is not None:
        return Verdict.SPLIT
    if scene.dispute is not None:
        return Verdict.DISPUTED
    if scene.unserved_since is not None:
        return Verdict.DEGRADED if scene.held_by is not None else Verdict.DOWN
    if not scene.serving or any(problem.severity != Severity.NOTE for problem in problems):
        return Verdict.DEGRADED
    return Verdict.HEALTHY


def protection(scene: Scene) -> Protection | None:
    """Whether the secondary has every acknowledged write and may be promoted; None when unknown."""
    if scene.primary is None or scene.primary.state is DatabaseState.UNKNOWN:
        return None
    if scene.waits and scene.in_step and not scene.stand.holes and scene.stand.kept:
        return Protection.PROTECTED
    return Protection.UNPROTECTED

"""The reason of an operation: its own, given for it or suggested by the problem that it ends."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.codes import Action, Next
from tuiha.model.facts import Problem, Snapshot
from tuiha.model.operations.catalogue import LONGEST_REASON
from tuiha.tui.draw.spans import clean, cut
from tuiha.words.problems import what


def ended_by(snapshot: Snapshot | None, kind: str, target: Sequence[str]) -> Problem | None:
    """The worst problem whose next step is that operation; None when there is none."""
    problems = () if snapshot is None else snapshot.problems
    return next((problem for problem in problems if _leads_to(problem.next, kind, target)), None)


def _leads_to(then: Next | None, kind: str, target: Sequence[str]) -> bool:
    if then is None or (then.action, then.operation) != (Action.PLAN, kind):
        return False
    return not then.targets or not target or set(target) <= set(then.targets)


def suggested(snapshot: Snapshot | None, kind: str, target: Sequence[str]) -> str:
    """The reason that the pool itself gives for an operation; empty when it gives none."""
    return told(ended_by(snapshot, kind, target))


def told(problem: Problem | None) -> str:
    """A problem as a reason; empty when there is none."""
    if problem is None:
        return ""
    return cut(clean(" ".join(f"{problem.subject} {what(problem)}".split())), LONGEST_REASON)

"""What can still be done about an operation that was started: resume it, take it back, cancel it. Pure.

The one place that decides it. The shell, the dashboard, the runner and what the ledger says of an operation ask here,
and put the reason in words of their own. What only the databases or the ledger know is asked beside this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tuiha.model.operations.intent import IntentWay, at_rest
from tuiha.model.operations.plans import OperationStatus


class Against(StrEnum):
    """Why something cannot be done about an operation."""

    RUNS = "runs"
    DONE = "done"
    OVER = "over"  # nothing is left of it that could be finished or taken back
    PAST = "past"  # its point of no return may be passed
    BEFORE = "before"  # its point of no return is not passed: half-way is no place to stay, and it can be taken back
    NO_WAY_BACK = "no-way-back"  # a step that began cannot be taken back
    ELSEWHERE = "elsewhere"  # its journal is on another host


KEYS: Mapping[IntentWay, str] = {
    IntentWay.RESUME: "c",
    IntentWay.UNDO: "b",
    IntentWay.CANCEL: "x",
}  # the dashboard's, on an operation
_SETTLED = frozenset({OperationStatus.DONE, OperationStatus.UNDONE, OperationStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class OperationStanding:
    """All of an operation that decides what can be done about it."""

    status: OperationStatus
    changed: bool = True  # of one that has ended: something of it is left in the pool
    left: bool = False  # it was taken back as far as that was possible, and gave the pool back
    began: bool = True  # a step was begun, perhaps taken back since
    returns: bool = True  # it has no point of no return
    past: bool = False  # its point of no return may be passed
    undoable: bool = True  # everything that began can be taken back
    elsewhere: bool = False  # its journal is on another host

    @property
    def running(self) -> bool:
        """Whether its runner lives."""
        return self.status is OperationStatus.RUNNING

    @property
    def settled(self) -> bool:
        """Whether nothing is left that must be brought to an end."""
        taken_back = self.status is OperationStatus.FAILED and (not self.changed or self.left)
        return self.status in _SETTLED or taken_back

    @property
    def over(self) -> bool:
        """Whether nothing can be finished or taken back any more: a cancelled one that left something is not over."""
        return self.settled and not (self.status is OperationStatus.CANCELLED and self.changed)


def against(way: IntentWay, found: OperationStanding) -> Against | None:
    """Why an operation cannot be resumed, taken back or cancelled; None when it can."""
    reason = _RULES[way](found)
    return Against.ELSEWHERE if reason is None and found.elsewhere else reason


def open_ways(found: OperationStanding) -> tuple[IntentWay, ...]:
    """What can be done about it, what finishes it first."""
    return tuple(way for way in IntentWay if against(way, found) is None)


def possible(ways: tuple[IntentWay, ...], phase: str) -> tuple[IntentWay, ...]:
    """The ways of one that stands half-way in the ledger's phase: it cannot stay so while roles are half changed."""
    return tuple(way for way in ways if way is not IntentWay.CANCEL or at_rest(phase)) or (IntentWay.RESUME,)


def _resume(found: OperationStanding) -> Against | None:
    if found.running:
        return Against.RUNS
    return Against.OVER if found.over else None


def _undo(found: OperationStanding) -> Against | None:
    if found.status is OperationStatus.DONE:
        return Against.DONE
    if found.over:
        return Against.OVER
    if found.past:
        return Against.PAST
    return None if found.undoable else Against.NO_WAY_BACK


def _cancel(found: OperationStanding) -> Against | None:
    """Of one that runs: whether it may be asked to stop. Of one that stands half-way: whether it may be left so."""
    if found.settled:
        return Against.OVER
    if not found.running:
        return Against.BEFORE if found.began and not found.returns and not found.past else None
    if found.past:
        return Against.PAST
    return None if found.undoable or found.returns else Against.NO_WAY_BACK


_RULES: Mapping[IntentWay, Callable[[OperationStanding], Against | None]] = {
    IntentWay.RESUME: _resume, IntentWay.UNDO: _undo, IntentWay.CANCEL: _cancel,
}

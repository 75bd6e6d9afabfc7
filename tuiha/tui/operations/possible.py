"""What can still be done about an operation that was started: stop it, take it back, bring it to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tuiha.tui.operations.operator import OperationFacts

_PAST = "it is past the point of no return"


@dataclass(frozen=True, slots=True)
class Way:
    """A key, what it does, and why it may not."""

    key: str
    word: str  # the operator's method, and the key's short text
    means: str  # "x once more ..."
    against: Callable[[OperationFacts], str | None]


def _elsewhere(operation: OperationFacts) -> str | None:
    where = operation.host or "another host"
    return f"it was started on {where}, and its journal is there" if operation.elsewhere else None


def _against_cancel(operation: OperationFacts) -> str | None:
    if operation.ended and not operation.settled and not any(step.point_of_no_return for step in operation.steps):
        return _elsewhere(operation)  # it stands half-way, and may be left so
    if operation.ended:
        return "it does not run any more"
    return _PAST if operation.past_return else _elsewhere(operation)


def _against_undo(operation: OperationFacts) -> str | None:
    if operation.state == "done":
        return "it is done; to lead back, plan the opposite"
    if operation.past_return:
        return _PAST
    if operation.ended and operation.settled and not (operation.state == "cancelled" and operation.changed):
        return "nothing is left of it"
    return _elsewhere(operation) if operation.undoable else "a step that was done has no way back"


def _against_resume(operation: OperationFacts) -> str | None:
    if not operation.ended:
        return "it runs"
    if operation.settled and not (operation.state == "cancelled" and operation.changed):
        return "it is over: there is nothing to bring to an end"
    return _elsewhere(operation)


WAYS: Mapping[str, Way] = {
    "cancel": Way("x", "cancel", "stops it where that is safe, or leaves it as it stands", _against_cancel),
    "undo": Way("b", "undo", "takes back what was done", _against_undo),
    "resume": Way("c", "resume", "brings it to its end", _against_resume),
}

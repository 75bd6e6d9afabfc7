"""What can still be done about an operation that was started, as keys: stop it, take it back, bring it to its end."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.operations import ways
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.ways import KEYS, Against
from tuiha.tui.operations.operator import StartedOperation

MEANS: Mapping[IntentWay, str] = {  # "x once more ..."
    IntentWay.CANCEL: "stops it where that is safe, or leaves it as it is",
    IntentWay.UNDO: "undoes the completed steps",
    IntentWay.RESUME: "finishes it",
}
_PAST = "it is past the point of no return"
_REASONS: Mapping[tuple[IntentWay, Against], str] = {
    (IntentWay.CANCEL, Against.OVER): "it is not running any more",
    (IntentWay.CANCEL, Against.BEFORE): "it is not running any more",
    (IntentWay.CANCEL, Against.PAST): _PAST,
    (IntentWay.UNDO, Against.PAST): _PAST,
    (IntentWay.CANCEL, Against.NO_WAY_BACK): "a step that was done has no way back",
    (IntentWay.UNDO, Against.NO_WAY_BACK): "a step that was done has no way back",
    (IntentWay.UNDO, Against.DONE): "it is done; to lead back, plan the opposite",
    (IntentWay.UNDO, Against.OVER): "nothing is left of it",
    (IntentWay.RESUME, Against.RUNS): "it runs",
    (IntentWay.RESUME, Against.OVER): "it is over: there is nothing to finish",
}


def against(way: IntentWay, operation: StartedOperation) -> str | None:
    """Why that cannot be done about an operation; None when it can."""
    reason = ways.against(way, operation.standing)
    if reason is Against.ELSEWHERE:
        return f"it was started on {operation.host or 'another host'}, and its journal is there"
    return None if reason is None else _REASONS[way, reason]


def keys_of(operation: StartedOperation) -> tuple[str, ...]:
    """The keys that lead on with one that has stopped, each with its word."""
    return tuple(f"{KEYS[way]} {way}" for way in (IntentWay.UNDO, IntentWay.RESUME) if against(way, operation) is None)

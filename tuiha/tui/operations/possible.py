"""What can still be done about an operation that was started, as keys: stop it, take it back, bring it to its end."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.operations import ways
from tuiha.model.operations.intent import Way
from tuiha.model.operations.ways import KEYS, Against
from tuiha.tui.operations.operator import OperationFacts

MEANS: Mapping[Way, str] = {  # "x once more ..."
    Way.CANCEL: "stops it where that is safe, or leaves it as it stands",
    Way.UNDO: "takes back what was done",
    Way.RESUME: "brings it to its end",
}
_PAST = "it is past the point of no return"
_REASONS: Mapping[tuple[Way, Against], str] = {
    (Way.CANCEL, Against.OVER): "it does not run any more", (Way.CANCEL, Against.BEFORE): "it does not run any more",
    (Way.CANCEL, Against.PAST): _PAST, (Way.UNDO, Against.PAST): _PAST,
    (Way.CANCEL, Against.NO_WAY_BACK): "a step that was done has no way back",
    (Way.UNDO, Against.NO_WAY_BACK): "a step that was done has no way back",
    (Way.UNDO, Against.DONE): "it is done; to lead back, plan the opposite",
    (Way.UNDO, Against.OVER): "nothing is left of it",
    (Way.RESUME, Against.RUNS): "it runs",
    (Way.RESUME, Against.OVER): "it is over: there is nothing to bring to an end",
}


def against(way: Way, operation: OperationFacts) -> str | None:
    """Why that cannot be done about an operation; None when it can."""
    reason = ways.against(way, operation.standing)
    if reason is Against.ELSEWHERE:
        return f"it was started on {operation.host or 'another host'}, and its journal is there"
    return None if reason is None else _REASONS[way, reason]


def keys_of(operation: OperationFacts) -> tuple[str, ...]:
    """The keys that lead on with one that has stopped, each with its word."""
    return tuple(f"{KEYS[way]} {way}" for way in (Way.UNDO, Way.RESUME) if against(way, operation) is None)

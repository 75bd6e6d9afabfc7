"""How an operation ended, as a word and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.operations.plans import OperationStatus

WORDS: Mapping[OperationStatus, str] = {
    OperationStatus.RUNNING: "RUNNING",
    OperationStatus.DONE: "DONE",
    OperationStatus.FAILED: "FAILED",
    OperationStatus.UNKNOWN: "UNKNOWN",
    OperationStatus.UNDONE: "UNDONE",
    OperationStatus.CANCELLED: "STOPPED",
    OperationStatus.INTERRUPTED: "INTERRUPTED",
}
MEANINGS: Mapping[OperationStatus, str] = {
    OperationStatus.RUNNING: "",
    OperationStatus.DONE: "Every step was done, and read back.",
    OperationStatus.FAILED: "A step did not happen, and that is certain.",
    OperationStatus.UNKNOWN: "What happened could not be read back: do not take it for failed.",
    OperationStatus.UNDONE: "Every step that was done has been taken back.",
    OperationStatus.CANCELLED: "It was stopped where that is safe.",
    OperationStatus.INTERRUPTED: "What ran it has died. Nothing goes on by itself.",
}

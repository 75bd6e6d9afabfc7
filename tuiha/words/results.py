"""How an operation ended, as a word and as a sentence, and what it cost: the outage, the requests, the users."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tuiha.model.operations.outage import Interruption
from tuiha.model.operations.plans import OperationStatus, Uncounted
from tuiha.model.words import count, names, span
from tuiha.words.states import NOT_KNOWN

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
    OperationStatus.DONE: "Completed. Every step was verified.",
    OperationStatus.FAILED: "A step did not happen, and that is certain.",
    OperationStatus.UNKNOWN: "Outcome unknown. It may have worked: check before you repeat it.",
    OperationStatus.UNDONE: "Every step that was done has been undone.",
    OperationStatus.CANCELLED: "Stopped at a place where that is safe.",
    OperationStatus.INTERRUPTED: "The process running it died. It is stopped: resume it (c) or undo it (b).",
}
_DAY = 86_400.0  # seconds
_WHY: Mapping[str, str] = {
    Uncounted.RESTARTED: "restarted meanwhile",
    Uncounted.SILENT_BEFORE: "did not answer before the operation",
    Uncounted.SILENT_AFTER: "did not answer after the operation",
}


def clock(at: float) -> str:
    """The time of day of a moment (unix seconds), UTC."""
    return time.strftime("%H:%M:%SZ", time.gmtime(at % _DAY)) if math.isfinite(at) else NOT_KNOWN


def meanwhile(found: Interruption, now: float) -> str:
    """What the operation means for requests at this moment; empty while it means nothing yet."""
    if found.served_at is not None:
        return "; ".join(f"{label.lower()}: {text}" for label, text in cost(found))
    if found.lost_at is not None:
        return f"nobody is served since {clock(found.lost_at)}: {span(max(0.0, now - found.lost_at))}"
    if found.held_at is not None:
        return f"requests wait since {clock(found.held_at)}: {span(max(0.0, now - found.held_at))}"
    return ""


def cost(found: Interruption) -> tuple[tuple[str, str], ...]:
    """The outage that users had, and how much of it the operation made: labels and texts."""
    told = []
    if found.unserved is not None and found.lost_at is not None and found.served_at is not None:
        told.append(("Not served", f"{span(found.unserved)}, from {clock(found.lost_at)} (the last lease) to "
                                   f"{clock(found.served_at)}"))
    if found.held is not None:
        told.append(("Writes held", f"{_short(found.held)} by the operation"))
    elif found.served_at is None and (found.lost_at or found.held_at) is not None:
        told.append(("Writes held", f"{NOT_KNOWN}: no server has reported a lease on the new primary"))
    return tuple(told)


def _short(seconds: float) -> str:
    """A time span; under a second in milliseconds."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1.0 else span(seconds)


def requests(outcome: Mapping[str, Any]) -> str:
    """How many requests were delayed and failed, or why that is not known; empty when nobody counted."""
    if "requests_delayed" not in outcome:
        return ""
    delayed, failed = outcome["requests_delayed"], outcome.get("requests_failed")
    if delayed is not None and failed is not None:
        return f"{count(delayed, 'request')} delayed, {failed:,} failed"
    return f"delayed and failed: {NOT_KNOWN}; {_uncounted(outcome)}"


def _uncounted(outcome: Mapping[str, Any]) -> str:
    why = outcome.get("requests_unknown_why")
    if isinstance(why, Mapping) and why:
        reasons: dict[str, list[str]] = {}
        for server, reason in why.items():
            reasons.setdefault(_WHY.get(reason, "cannot be compared"), []).append(str(server))
        return "; ".join(f"{names(servers)} {reason}" for reason, servers in reasons.items())
    silent = outcome.get("requests_unknown_on")
    if silent:
        return f"{names(map(str, silent))} did not answer, or restarted meanwhile"
    return "the servers' counters were not read before the operation"


def users(outcome: Mapping[str, Any]) -> str:
    """What became of users; empty for an operation that is about none."""
    moved, planned, concerned = outcome.get("moves"), outcome.get("moves_planned"), outcome.get("users")
    if moved:
        return str(moved)
    if isinstance(planned, int):
        return f"{count(planned, 'move')} planned; how many were made is {NOT_KNOWN}"
    return count(concerned, "user") if isinstance(concerned, int) else ""


def told(outcome: Mapping[str, Any], found: Interruption | None) -> tuple[tuple[str, str], ...]:
    """All that an operation cost and did, once: labels and texts, the same on the screen and on the command line."""
    costs = () if found is None else cost(found)
    return (*costs, *_recorded(outcome, frozenset(label for label, _ in costs)),
            *((label, text) for label, text in (("Requests", requests(outcome)), ("Users", users(outcome)),
                                                *_others(outcome)) if text))


def _recorded(outcome: Mapping[str, Any], known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The two outages of an operation whose steps are not at hand, by the figures of its result."""
    for label, name, by in (("Not served", "unserved_ms", ""), ("Writes held", "outage_ms", " by the operation")):
        value = outcome.get(name)
        if label not in known and isinstance(value, int | float):
            yield label, f"{_short(value / 1000)}{by}"


_TOLD = frozenset({"outage_ms", "unserved_ms", "protected", "requests_delayed", "requests_failed",
                   "requests_unknown_on", "requests_unknown_why", "moves", "moves_planned", "minimum", "users"})


def _others(outcome: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Figures that only this kind of operation has."""
    for name, value in outcome.items():
        if name not in _TOLD:
            yield name.replace("_", " ").capitalize(), _said(value)


def _said(value: object) -> str:
    """A figure that only one kind of operation has, as people read it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(one)}".rstrip() for name, one in value.items())
    return ", ".join(map(_said, value)) if isinstance(value, list | tuple) else str(value)

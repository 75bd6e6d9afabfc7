"""An operation as a trace: its ids, and a span for itself, each step and the time that requests were held. Pure.

The ids follow from the operation's own. So every process gives the same ones, also one that resumes the operation, and
a server's log names the trace while the operation still runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

HEADER, STATE = "traceparent", "tracestate"  # of a request, as W3C's Trace Context names them
MOST_STATE = 512  # characters of `tracestate` that are handed on
_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
OPERATION, HELD = "operation", "held"  # parts of an operation that have a span


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """A span, before any library makes one of it. Times are unix seconds."""

    name: str
    trace: int
    id: int
    parent: int | None  # the id of another span; None: it is the first
    begin: float
    end: float
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    fault: str = ""  # why it did not go well; empty when it did


def trace_id(operation: str) -> int:
    """The trace of an operation: 128 bits, never 0."""
    return int.from_bytes(hashlib.sha256(operation.encode()).digest()[:16], "big") or 1


def span_id(operation: str, part: str) -> int:
    """The span of a part of an operation: 64 bits, never 0."""
    return int.from_bytes(hashlib.sha256(f"{operation}/{part}".encode()).digest()[:8], "big") or 1


def step_part(number: int, undo: bool, attempt: int) -> str:
    """The part that one attempt at a step is; the first attempt is 1."""
    return f"{'undo' if undo else 'step'} {number}/{attempt}"


def traceparent(operation: str, part: str) -> str:
    """The header by which a request says for which part of an operation it is."""
    return f"00-{trace_id(operation):032x}-{span_id(operation, part):016x}-01"


def trace_of(header: str) -> str | None:
    """The trace that a `traceparent` names, as hexadecimal digits; None when it is not one."""
    found = _PARENT.fullmatch(header)
    return None if found is None else found[1]

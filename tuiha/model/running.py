"""The operation that has the pool now, as the ledger names it: whoever started it, from wherever."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tuiha.model.facts import Snapshot


@dataclass(frozen=True, slots=True)
class Running:
    """Who changes the pool now, and how far that is."""

    id: str
    kind: str
    owner: str
    host: str
    since: float  # unix seconds
    step: int  # 0: before the first
    action: str


def running(snapshot: Snapshot | None) -> Running | None:
    """What the ledger's intent says; None when nothing runs."""
    if snapshot is None or not snapshot.intent:
        return None
    try:
        found = json.loads(snapshot.intent)
        return Running(str(found["id"]), str(found["kind"]), str(found["owner"]), str(found["host"]),
                       float(found["since"]), int(found.get("step", 0)), str(found.get("action", "")))
    except (ValueError, KeyError, TypeError):
        return Running("unknown", "an operation of another version", "somebody", "an unknown host", snapshot.at, 0, "")

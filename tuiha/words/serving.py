"""Whether users are served, in a few words."""

from __future__ import annotations

from tuiha.model.facts import Snapshot
from tuiha.model.scene import serves
from tuiha.model.words import span


def serving(snapshot: Snapshot) -> tuple[int, int]:
    """How many servers serve users, and how many there are."""
    return sum(map(serves, snapshot.servers)), len(snapshot.servers)


def served(snapshot: Snapshot, now: float) -> str:
    """`all 4 serve`, `3 of 4 serve`; or that nobody is served, and for how long."""
    if snapshot.unserved_since is not None:
        lasts = span(float(max(0, int(now - snapshot.unserved_since))), fine=False)
        if snapshot.held_by is not None:
            return f"{snapshot.held_by} holds requests for {lasts}"
        return f"nobody is served for {lasts}"
    there, total = serving(snapshot)
    return f"all {total:,} serve" if there == total else f"{there:,} of {total:,} serve"

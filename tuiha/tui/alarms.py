"""A bell, and a message to the desktop, once for each node that is newly DOWN."""

from __future__ import annotations

from tuiha.model.facts import Snapshot
from tuiha.model.reports import DatabaseState, MailState, NodeState, ServerState, SprayerState
from tuiha.tui.draw.spans import clean

BELL = "\a"
DOWN: frozenset[NodeState] = frozenset({ServerState.DOWN, DatabaseState.DOWN, SprayerState.DOWN, MailState.DOWN})


def down_in(snapshot: Snapshot | None) -> frozenset[str]:
    """The nodes that are DOWN."""
    if snapshot is None:
        return frozenset()
    nodes = (snapshot.servers, snapshot.databases, snapshot.sprayers, snapshot.mail)
    return frozenset(facts.name for kind in nodes for facts in kind if facts.state in DOWN)


class Alarms:
    """Knows which nodes were DOWN before. What is DOWN at the first look rings nothing: somebody is looking."""

    def __init__(self, *, bell: bool, notify: bool) -> None:
        self._bell = bell
        self._notify = notify
        self._down: frozenset[str] | None = None

    def sound(self, snapshot: Snapshot) -> str:
        """What to send to the terminal for this snapshot; empty for most."""
        down = down_in(snapshot)
        before, self._down = self._down, down
        new = sorted(down - before) if before is not None else []
        if not new:
            return ""
        message = clean(f"{snapshot.pool}: {' '.join(new)} DOWN").replace(";", ",")
        told = f"\x1b]9;{message}\x1b\\" if self._notify else ""
        return told + (BELL if self._bell else "")

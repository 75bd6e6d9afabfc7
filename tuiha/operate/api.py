"""What screens, the command line and the drill use: plan, apply, follow, and the operations that there are."""

from __future__ import annotations

from tuiha.operate.apply import apply
from tuiha.operate.planning import make_plan
from tuiha.operate.running import cancel, follow, operation, operations, resume, running, undo
from tuiha.operate.stopping import stop
from tuiha.operate.store import store_of
from tuiha.operate.who import whoami

__all__ = [
    "apply", "cancel", "follow", "make_plan", "operation", "operations", "resume", "running", "stop", "store_of",
    "undo", "whoami",
]

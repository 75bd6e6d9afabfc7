"""What screens, the command line and the drill use: plan, apply, follow, and the operations that there are."""

from __future__ import annotations

from tuiha.operate.plans.draft import make_plan
from tuiha.operate.records.actor import whoami
from tuiha.operate.records.store import store_of
from tuiha.operate.run.apply import apply
from tuiha.operate.run.started import follow, operation, operations, resume, running, undo
from tuiha.operate.run.stop import stop

__all__ = [
    "apply", "follow", "make_plan", "operation", "operations", "resume", "running", "stop", "store_of",
    "undo", "whoami",
]

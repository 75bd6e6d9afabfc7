"""What screens, the command line and the drill use: plan, apply, follow, and the operations that there are."""

from __future__ import annotations

import getpass
import os
import socket

from tuiha.operate.apply import apply
from tuiha.operate.planning import make_plan
from tuiha.operate.running import cancel, follow, operation, operations, resume, running, undo
from tuiha.operate.stopping import stop
from tuiha.operate.store import store_of

__all__ = [
    "apply", "cancel", "follow", "make_plan", "operation", "operations", "resume", "running", "stop", "store_of",
    "undo", "whoami",
]


def whoami() -> str:
    """Who acts, as operations record it: "user@host", with the person behind sudo."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user that has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"

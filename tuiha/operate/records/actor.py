"""Who acts, for journals and for the servers' audit logs."""

from __future__ import annotations

import getpass
import os
import socket


def whoami() -> str:
    """Who acts, as operations record it: "user@host", with the person behind sudo."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user that has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"

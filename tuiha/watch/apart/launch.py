"""Starting the watching process. It imports next to nothing: that process begins before the rest of this program."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

Process = subprocess.Popen[bytes]


def launched(command: Sequence[str]) -> Process:
    """Start it, with a pipe in each direction. Raises OSError."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            bufsize=0, start_new_session=True)

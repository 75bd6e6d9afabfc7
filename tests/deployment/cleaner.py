"""Removes the hosts of one run when whoever made them is gone: `python -m tests.deployment.cleaner PREFIX FOLDER`.

It waits for the end of its standard input, so it also cleans up after a run that was killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=30).stdout


def spaces(prefix: str) -> list[str]:
    """The network namespaces of a run."""
    return [line.split()[0] for line in _ip("netns", "list").splitlines() if line.startswith(prefix)]


def clean(prefix: str, folder: Path) -> None:
    """End every process in the namespaces of a run, and remove them and the folder."""
    for name in spaces(prefix):
        for _ in range(100):
            pids = [int(pid) for pid in _ip("netns", "pids", name).split()]
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
            time.sleep(0.05)
        _ip("netns", "delete", name)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()
    clean(sys.argv[1], Path(sys.argv[2]))

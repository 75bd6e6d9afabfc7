"""Starting a runner: a process in a session of its own, which outlives the terminal and whoever started it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tuiha.operate.journal import Journal
from tuiha.operate.kinds import Refused
from tuiha.operate.store import Folder

RUNNER: tuple[str, ...] = (sys.executable, "-m", "tuiha.operate.runner")


async def start_runner(folder: Folder, config_path: Path, by: str, *, undo: bool = False) -> None:
    """Start the runner of an operation, as `by` asked. Raises Refused when one runs it already.

    The lock is taken here and handed over: there is no moment in which nobody has it.
    """
    await asyncio.to_thread(_start, folder, config_path, by, undo)


def _start(folder: Folder, config_path: Path, by: str, undo: bool) -> None:
    lock = folder.lock()
    if lock is None:
        raise Refused(f"operation {folder.id} is running")
    try:
        folder.forget_requests()
        _open_again(folder, by, undo)
        with open(folder.log, "ab") as log:
            process = subprocess.Popen(
                [*RUNNER, "--config", str(config_path.resolve()), "--lock", str(lock),
                 *(["--undo"] if undo else []), folder.id],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[lock],
            )
    finally:
        os.close(lock)
    threading.Thread(target=process.wait, name=f"runner-{folder.id}", daemon=True).start()  # no zombie stays


def _open_again(folder: Folder, by: str, undo: bool) -> None:
    """From here on an earlier result is not the last word; who follows must not take it for that."""
    journal = Journal(folder.journal)
    try:
        journal.put("start", host=socket.gethostname(), by=by, undo=undo).result()
    finally:
        journal.close()

"""The supervisor's end of the watchdog process (`reaper.py`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tuiha.lab.pool import reaper


class Watchdog:
    """Starts the watchdog, and tells it which processes must not outlive this one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._watched: dict[int, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the watchdog; again when it ended, with all that is watched."""
        read_end, write_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(reaper.__file__).resolve()), str(self._folder)],
            stdin=read_end, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True, env={},
        )
        os.close(read_end)
        self._pipe = write_end
        for pid, started in self._watched.items():
            self._tell(f"+ {pid} {started}\n")

    @property
    def pid(self) -> int | None:
        """The watchdog's process id."""
        return None if self._process is None else self._process.pid

    def check(self) -> None:
        """Start the watchdog again if somebody ended it."""
        if self._process is not None and self._process.poll() is not None:
            os.close(self._pipe)
            self.start()

    def add(self, pid: int) -> None:
        """Have a process, and everything below it, ended when this process is gone."""
        known = reaper.stat(pid)
        if known is not None:
            self._watched[pid] = known[1]
            self._tell(f"+ {pid} {known[1]}\n")

    def remove(self, pid: int) -> None:
        """Forget a process that ended."""
        if self._watched.pop(pid, None) is not None:
            self._tell(f"- {pid}\n")

    def close(self) -> None:
        """Have all that is watched ended and the folder removed, and wait for that."""
        os.close(self._pipe)
        if self._process is not None:
            self._process.wait()

    def _tell(self, line: str) -> None:
        try:
            os.write(self._pipe, line.encode())
        except BrokenPipeError:
            self.check()  # it was ended; the new one is told everything

"""Starting the watching process, with a pipe in each direction: as a copy of this one, or as a new program."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO
from typing import IO, NoReturn, Protocol

FAULT = 1  # the exit code of a watching process that has not ended because it was told to
_OPEN = "/dev/fd"  # the descriptors of the process that looks
_PAUSE = 0.005  # seconds between two looks at whether a copy has ended


class Process(Protocol):
    """A process at the other ends of two pipes; a `subprocess.Popen` is one."""

    pid: int

    @property
    def stdin(self) -> IO[bytes] | None:
        """Where it is told things, without a buffer."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Where it tells things, without a buffer."""

    def kill(self) -> None:
        """End it at once; nothing happens when it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; of one that a signal ended, that signal's negative number.

        Raises subprocess.TimeoutExpired when it still runs after that many seconds.
        """


def launched(command: Sequence[str]) -> Process:
    """Start a program. Raises OSError."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            bufsize=0, start_new_session=True)


def forked(work: Callable[[], int]) -> Process:
    """Copy this process, and run `work` in the copy; what it returns is the exit code. Raises OSError.

    The copy begins with all that is imported here. As a program that was launched it has a session and standard
    streams of its own, and nothing else of what is open here. Only for a process with a single thread.
    """
    told, tell = os.pipe()
    heard, say = os.pipe()
    gc.freeze()  # looked through by neither of them, so that its memory stays one and the same
    pid = os.fork()
    if not pid:
        _live(told, say, work)
    os.close(told)
    os.close(say)
    return _Forked(pid, tell, heard)


def _live(told: int, say: int, work: Callable[[], int]) -> NoReturn:
    """In the copy. Whatever happens, it never goes on with what the original was doing."""
    code = FAULT
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for standard, stream in enumerate((told, say, quiet)):
            os.dup2(stream, standard)
        for inherited in {int(name) for name in os.listdir(_OPEN)} - {0, 1, 2, quiet}:
            os.dup2(quiet, inherited, inheritable=False)  # closed, its number would be somebody else's next
        code = work()
    finally:
        os._exit(code)


class _Forked:
    """A copy of this process, as its original sees it."""

    def __init__(self, pid: int, tell: int, heard: int) -> None:
        self.pid = pid
        self.stdin = FileIO(tell, "w")
        self.stdout = FileIO(heard, "r")
        self._code: int | None = None

    def kill(self) -> None:
        if self._code is None:  # else the number may be another process's by now
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        began = time.monotonic()
        while (code := self._ended()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired("watching", timeout)
            time.sleep(_PAUSE)
        return code

    def _ended(self) -> int | None:
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # this process was started not to hear of children: how it ended is unknown
                pid, status = self.pid, 0
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

"""A real pseudo-terminal around the dashboard: bytes, screens as text, keys, signals."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import pyte

TOP = Path(__file__).resolve().parents[2]
NOT_INHERITED = ("COLUMNS", "LINES", "NO_COLOR", "TERM", "COLORTERM", "SSH_CONNECTION", "SSH_TTY")
PATIENCE = 30.0  # seconds until a test gives up waiting for what it expects


class Terminal:
    """A child process on a pseudo-terminal of a given size, with an emulator that reads what it writes."""

    def __init__(
        self, arguments: list[str], columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.received = 0  # bytes
        self.raw = bytearray()
        self.started = time.monotonic()
        self.status: int | None = None
        self.pid, self._master = os.forkpty()
        if self.pid == 0:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.chdir(TOP)
            inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
            own = {"TERM": "xterm-256color", "COLORTERM": "truecolor"} if environment is None else environment
            os.execve(sys.executable, [sys.executable, *arguments], {**inherited, **own})

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self._master)

    @property
    def lines(self) -> list[str]:
        """What the terminal shows."""
        return [line.rstrip() for line in self.screen.display]

    def read(self, seconds: float) -> int:
        """Read for that long; returns the bytes."""
        before, until = self.received, time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self.read_once(left):
                break
        return self.received - before

    def read_once(self, seconds: float) -> bool:
        """Read what comes within that time; False when there is nothing or the child is gone."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.received += len(data)
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def until(self, what: Callable[[Terminal], bool], patience: float = PATIENCE) -> float:
        """Read until something holds; returns the seconds that it took. Fails with the screen's text."""
        started = time.monotonic()
        while not what(self):
            if time.monotonic() - started > patience:
                raise AssertionError("not seen; the terminal shows:\n" + "\n".join(self.lines))
            if not self.read_once(0.05) and not what(self):
                raise AssertionError("the dashboard ended; the terminal shows:\n" + "\n".join(self.lines))
        return time.monotonic() - started

    def shows(self, text: str) -> float:
        """Read until that text is on the screen."""
        return self.until(lambda terminal: terminal.has(text))

    def has(self, text: str) -> bool:
        """Whether that text is on the screen now; a frame may have come in part only."""
        return any(text in line for line in self.lines)

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the terminal, as when a connection breaks."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)

    def kill(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def ended(self) -> bool:
        """Whether the child has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self, patience: float = PATIENCE, reading: bool = True) -> int:
        """Wait for the child's end; returns its exit code."""
        until = time.monotonic() + patience
        while not self.ended():
            if time.monotonic() > until:
                raise AssertionError("the dashboard has not ended; it shows:\n" + "\n".join(self.lines))
            if not reading or not self.read_once(0.01):
                time.sleep(0.002)
        assert self.status is not None
        return self.status

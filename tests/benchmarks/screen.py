"""The dashboard in a terminal of its own: how long to the first full screen, how much it sends, how big it is."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from typing import Any

import pyte

_LIMIT = 60.0  # seconds for a first screen
_LINES, _COLUMNS = 24, 80


@dataclass(frozen=True, slots=True)
class Seen:
    """What a dashboard did."""

    first: float | None  # seconds from typing to the first full screen
    bytes_per_second: float  # after that, under load
    memory: int  # resident, bytes
    leaving: float  # seconds from `q` to the end of the process


class _Terminal:
    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.screen: Any = pyte.Screen(_COLUMNS, _LINES)
        self._stream: Any = pyte.ByteStream(self.screen)
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "tuiha", *arguments], environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))

    def read(self, seconds: float) -> int:
        """Take what comes for so long; returns how many bytes. Raises EOFError when the program has ended."""
        until, count = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                try:
                    data = os.read(self._fd, 65536)
                except OSError:
                    raise EOFError("\n".join(line.rstrip() for line in self.screen.display).strip()) from None
                self._stream.feed(data)
                count += len(data)
        return count

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def close(self) -> None:
        """Wait for the program's end; kill it when it does not come."""
        until = time.monotonic() + 20
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
            try:
                self.read(0.02)
            except EOFError:
                time.sleep(0.02)
        os.close(self._fd)


def demo(servers: int, users: int, watched: float) -> Seen:
    """Run `tuiha demo` at 80x24, watch it for some seconds under load, and leave it.

    It announces its pool in a folder of its own, so that it does not meet one that this user runs already.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TERM": "xterm-256color", "XDG_RUNTIME_DIR": folder}
        return _demo(["demo", "--servers", str(servers), "--users", str(users)], environment, servers, watched)


def _demo(arguments: list[str], environment: dict[str, str], servers: int, watched: float) -> Seen:
    began = time.monotonic()
    terminal = _Terminal(arguments, environment)
    first: float | None = None
    sent, memory = 0.0, 0
    try:
        while first is None and time.monotonic() - began < _LIMIT:
            terminal.read(0.05)
            if _full(terminal.text, servers):
                first = time.monotonic() - began
        terminal.read(10.0)  # the devices' ramp
        sent = terminal.read(watched) / watched
        memory = _resident(terminal.pid)
        left = time.monotonic()
        terminal.type(b"q")
    finally:
        terminal.close()
    return Seen(first, sent, memory, time.monotonic() - left)


def _full(text: str, servers: int) -> bool:
    """Every server, both databases with their roles, both sprayers, and a verdict are on the screen."""
    wanted = [*(f"s{number}" for number in range(1, servers + 1)), "db1", "db2", "PRIMARY", "SECONDARY",
              "spray1", "spray2", "HEALTHY"]
    return all(word in text for word in wanted)


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

"""Messages to the service manager (systemd): ready, reloading, stopping, one line of state, and signs of life.

The service manager names a datagram socket in NOTIFY_SOCKET, and with WATCHDOG_USEC the microseconds after which it
ends a process that gave no sign of life. Without NOTIFY_SOCKET nothing is sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from tuiha.server.database.lifeline import Lifeline

log = logging.getLogger("tuiha.notify")
_LOOK = 1.0  # seconds between two looks at the status line


class ServiceManager:
    """Sends datagrams to the service manager. A message that cannot be sent is logged, and ends no server."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(environment) if self._address else None

    def ready(self) -> None:
        """The process serves, or serves again after it reloaded."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The process reads its settings again; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The process is about to end."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + " ".join(text.split()))

    def alive(self) -> None:
        """A sign of life."""
        self._send("WATCHDOG=1")

    async def tell(self, line: Callable[[], str]) -> None:
        """Send the status line whenever it has changed, until cancelled; without a service manager, end at once."""
        told = ""
        while self._address:
            if (text := line()) != told:
                self.status(text)
                told = text
            await asyncio.sleep(_LOOK)

    async def give_signs_of_life(self, lifeline: Lifeline) -> None:
        """Give a sign of life at half of the watchdog's time, until cancelled; without a watchdog, end at once.

        Each one takes a turn of this loop and one of the lifeline's: when either of them hangs, there is none.
        """
        while self.watchdog is not None:
            await lifeline.do(self._sign())
            await asyncio.sleep(self.watchdog / 2)

    async def _sign(self) -> None:
        self.alive()

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.connect(self._address)
                sender.send(state.encode())
        except OSError as error:
            log.warning("the service manager was not told", extra={"state": state, "reason": str(error)})


def _address(named: str) -> str:
    """The socket's address; `@` begins an abstract one. Of other kinds of sockets, none is used."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds after which the service manager misses a sign of life; None: it waits for none of this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None

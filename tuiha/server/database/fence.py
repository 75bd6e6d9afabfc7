"""The fence: when a server's lease is gone, its sockets to the database are shut, whatever the event loop is doing.

A commit that waits for the secondary blocks for ever and must never be cancelled (PostgreSQL would make it visible and
report success). Shutting the socket is the one safe way out, and it has to happen also while the event loop is stuck:
hence a thread of its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from tuiha.pooldb.leases import boottime


class Wires:
    """The sockets of one attachment, and the moment after which none of them may carry anything.

    `deadline` is in seconds of the clock given. Written by the loop that renews, read by the fence thread; a float's
    assignment is atomic, the set of sockets has a lock.
    """

    def __init__(self, deadline: float, clock: Callable[[], float] = boottime) -> None:
        self.deadline = deadline
        self._clock = clock
        self._cut = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def whole(self) -> bool:
        """Whether the sockets may be used at this very moment."""
        return not self._cut and self._clock() < self.deadline

    @property
    def left(self) -> float:
        """Seconds until the deadline; 0 when cut."""
        return 0.0 if self._cut else max(0.0, self.deadline - self._clock())

    @property
    def cut(self) -> bool:
        """Whether `sever` has run; nothing makes wires whole again."""
        return self._cut

    def add(self, duplicate: socket.socket) -> None:
        """Guard a socket. The caller hands over a duplicate, so that a reused descriptor is never shut by mistake."""
        with self._lock:
            if not self._cut:
                self._sockets.add(duplicate)
                return
        _shut(duplicate)

    def drop(self, duplicate: socket.socket) -> None:
        """Stop guarding a socket that its owner closes."""
        with self._lock:
            self._sockets.discard(duplicate)
        duplicate.close()

    def sever(self) -> None:
        """Shut every socket, for good."""
        self._cut = True
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            _shut(one)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have closed it already: then it carries nothing either
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class Fence:
    """The thread that severs wires at their deadline, looking every 10 ms."""

    def __init__(self, interval: float = 0.01) -> None:
        self._interval = interval
        self._wires: tuple[Wires, ...] = ()
        self._guarding = threading.Lock()  # the loop that serves and the lifeline both bring wires
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fence", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread, severing what it guards."""
        self._stop.set()
        self._thread.join()
        for wires in self._wires:
            wires.sever()

    def guard(self, wires: Wires) -> None:
        """Sever these wires once their deadline is past. Wires that are cut are forgotten."""
        with self._guarding:
            self._wires = (*(w for w in self._wires if not w.cut), wires)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            for wires in self._wires:
                if not wires.cut and not wires.whole:
                    wires.sever()

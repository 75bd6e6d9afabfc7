"""How many users are let in to one mail server at the same time: as many as it takes in its stride."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tuiha.server.window import Window

LEAST = 4  # at the same time, however slow the server is
SLOW = 0.5  # seconds: half of a probe's deadline, so that probes are still answered in time
_TIMES = 4.0  # and so many times the quickest: a server far away is not slow
_LAST = 8  # of so many log-ins, about, the mean counts


class Turns:
    """Turns to log in at one mail server, first come, first served.

    When a mail server is lost its partner gets all users at once. A server that is asked for more than it can do
    answers everybody late, is taken for gone, and works for those who have given up: then nobody is monitored. So few
    are let in at first, and a `Window` says how many more.

    A log-in that takes longer than `longest` seconds gives its turn on and goes on without it: users whose part of the
    mail server hangs keep nobody else waiting.
    """

    def __init__(self, most: int, longest: float = 2.0) -> None:
        most = max(1, most)
        self._longest = longest
        self._window = Window(min(LEAST, most), most, SLOW, _TIMES, _LAST)
        self._free = asyncio.Semaphore(self._window.limit)
        self._owed = 0  # turns that are not given on when they end

    @property
    def limit(self) -> int:
        """How many may be in at the same time."""
        return self._window.limit

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        await self._free.acquire()
        given = False

        def give() -> None:
            nonlocal given
            if not given:
                given = True
                self._give_on()

        giving = asyncio.get_running_loop().call_later(self._longest, give)
        try:
            yield
        finally:
            giving.cancel()
            give()

    def took(self, seconds: float) -> None:
        """So long it took to let one in."""
        more = self._window.took(seconds, self._free.locked())
        self._owed += max(0, -more)
        for _ in range(more):
            self._give_on()

    def _give_on(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._free.release()

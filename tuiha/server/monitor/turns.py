"""How many users are let in to one mail server at the same time: as many as it takes in its stride."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LEAST = 4  # at the same time, however slow the server is
SLOW = 0.5  # seconds: half of a probe's deadline, so that probes are still answered in time
_TIMES = 4.0  # and so many times the quickest: a server far away is not slow
_LAST = 8  # of so many log-ins, about, the mean counts: one that was slow alone says little


class Turns:
    """Turns to log in at one mail server, first come, first served.

    When a mail server is lost its partner gets all users at once. A server that is asked for more than it can do
    answers everybody late, is taken for gone, and works for those who have given up: then nobody is monitored. So few
    are let in at first, one more for each that was quick, and half as many when they get slow; after that they grow by
    one in each full round, as TCP's congestion window does (RFC 5681, section 3.1). They grow only while all turns are
    taken: what few users showed says nothing about many (RFC 7661).

    A log-in that takes longer than `longest` seconds gives its turn on and goes on without it: users whose part of the
    mail server hangs keep nobody else waiting.
    """

    def __init__(self, most: int, longest: float = 2.0) -> None:
        self._most = max(1, most)
        self._longest = longest
        self._least = min(LEAST, self._most)
        self._limit = self._least
        self._free = asyncio.Semaphore(self._limit)
        self._owed = 0  # turns that are not given on when they end
        self._quickest = float("inf")
        self._mean = 0.0
        self._was_slow = False
        self._round = 0  # log-ins since the limit changed

    @property
    def limit(self) -> int:
        """How many may be in at the same time."""
        return self._limit

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
        self._quickest = min(self._quickest, seconds)
        self._mean += (seconds - self._mean) / _LAST
        self._round += 1
        full = self._round >= self._limit
        if self._mean > max(SLOW, _TIMES * self._quickest):
            if full or not self._was_slow:  # those of the same round were slow for the same reason
                self._change(max(self._least, self._limit // 2))
                self._was_slow = True
        elif self._free.locked() and (full or not self._was_slow):
            self._change(min(self._most, self._limit + 1))

    def _change(self, limit: int) -> None:
        more, self._limit, self._round = limit - self._limit, limit, 0
        self._owed += max(0, -more)
        for _ in range(more):
            self._give_on()

    def _give_on(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._free.release()

"""Costly work that many may ask for at once: so many at a time, so many that wait, and none for long."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tuiha.server.database.access import Unavailable


class Turns:
    """`async with turns:` waits for a turn. Raises access.Unavailable when too many wait, or for too long."""

    def __init__(self, what: str, at_once: int, waiting: int, seconds: float) -> None:
        """`what` is worked on, in words; `seconds` is how long one may wait."""
        self._what = what
        self._free = asyncio.Semaphore(at_once)
        self._room = waiting
        self._seconds = seconds

    async def __aenter__(self) -> None:
        if self._free.locked() and self._room <= 0:
            raise Unavailable(f"too many {self._what} at this moment")
        self._room -= 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable(f"too many {self._what} at this moment") from None
        finally:
            self._room += 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


class FairTurns:
    """Turns by rank, and within a rank by origin in turn: who asks for many waits for its own.

    `async with turns.one(rank, origin)`; the lowest rank goes first. Ranks from `last` on never have all turns at once:
    who comes with a lower rank does not wait for their end. Raises access.Unavailable when too many of a rank wait, or
    for too long.
    """

    def __init__(self, what: str, at_once: int, waiting: int, seconds: float, last: int) -> None:
        """`what` is worked on, in words; `waiting` of a rank; `seconds` is how long one may wait."""
        self._what = what
        self._free = at_once
        self._free_for_last = max(1, at_once - 1)
        self._room = waiting
        self._seconds = seconds
        self._last = last
        self._queues: dict[int, OrderedDict[str, deque[asyncio.Future[None]]]] = {}

    @asynccontextmanager
    async def one(self, rank: int, origin: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        if self._may(rank):
            self._take(rank, 1)
        else:
            await self._wait(rank, origin)
        try:
            yield
        finally:
            self._give_on(rank)

    def _may(self, rank: int) -> bool:
        return self._free > 0 and (rank < self._last or self._free_for_last > 0)

    def _take(self, rank: int, turns: int) -> None:
        self._free -= turns
        if rank >= self._last:
            self._free_for_last -= turns

    async def _wait(self, rank: int, origin: str) -> None:
        origins = self._queues.setdefault(rank, OrderedDict())
        if sum(len(one) for one in origins.values()) >= self._room:
            raise Unavailable(f"too many {self._what} at this moment")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        origins.setdefault(origin, deque()).append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._give_on(rank)  # it came in the very moment
            if isinstance(error, TimeoutError):
                raise Unavailable(f"too many {self._what} at this moment") from None
            raise

    def _give_on(self, rank: int) -> None:
        self._take(rank, -1)
        for waiting in sorted(self._queues):
            while self._may(waiting) and self._next(waiting):
                self._take(waiting, 1)

    def _next(self, rank: int) -> bool:
        """Wake the next one of a rank; False when nobody waits any more."""
        origins = self._queues[rank]
        while origins:
            origin, waiting = origins.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                origins[origin] = waiting  # at the end: the others come first
            if not turn.done():
                turn.set_result(None)
                return True
        return False

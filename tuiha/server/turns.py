"""Costly work that many may ask for at once: so many at a time, so many that wait, and none for long."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tuiha.server.access import Unavailable


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

    `async with turns.one(rank, origin)`; the lowest rank goes first. Raises access.Unavailable when too many of this
    rank wait, or for too long.
    """

    def __init__(self, what: str, at_once: int, waiting: int, seconds: float) -> None:
        """`what` is worked on, in words; `waiting` of a rank; `seconds` is how long one may wait."""
        self._what = what
        self._free = at_once
        self._room = waiting
        self._seconds = seconds
        self._queues: dict[int, OrderedDict[str, deque[asyncio.Future[None]]]] = {}

    @asynccontextmanager
    async def one(self, rank: int, origin: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(rank, origin)
        try:
            yield
        finally:
            self._give_on()

    async def _wait(self, rank: int, origin: str) -> None:
        origins = self._queues.setdefault(rank, OrderedDict())
        if sum(len(one) for one in origins.values()) >= self._room:
            raise Unavailable(f"too many {self._what} at this moment")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        origins.setdefault(origin, deque()).append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except TimeoutError:
            if turn.done() and not turn.cancelled():
                self._give_on()  # it came in the very moment
            raise Unavailable(f"too many {self._what} at this moment") from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_on()
            raise

    def _give_on(self) -> None:
        for rank in sorted(self._queues):
            origins = self._queues[rank]
            while origins:
                origin, waiting = origins.popitem(last=False)
                turn = waiting.popleft()
                if waiting:
                    origins[origin] = waiting  # at the end: the others come first
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1

"""The same kind of writer for every system that is compared: write, wait for the acknowledgement, pause, write again.

What is measured is what a client sees: the longest time in which nobody's write was acknowledged, and the writes that
failed. A writer that fails tries again after 10 ms, then after twice as long each time, up to a quarter of a second.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import asyncpg

PAUSE = 0.02  # seconds between two writes of one writer
_AGAIN, _AGAIN_MOST = 0.01, 0.25
_CONNECT = 1.0
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class Failed(Exception):
    """A write was not acknowledged."""


class Writer(Protocol):
    """One client."""

    async def write(self) -> None:
        """Write something and wait for its acknowledgement. Raises Failed."""

    async def close(self) -> None:
        """Drop the connection."""


@dataclass
class Tally:
    """When writes were acknowledged, and when they failed (monotonic seconds)."""

    acknowledged: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def longest(self, since: float) -> float:
        """The longest time without an acknowledgement since then, in seconds."""
        times = [since, *(at for at in self.acknowledged if at > since)]
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)

    def failures(self, since: float) -> int:
        """Writes that failed since then."""
        return sum(at > since for at in self.failed)


class Crew:
    """Several writers at work, as an asynchronous context manager."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self.tally = Tally()
        self._writers = writers
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Crew:
        self._tasks = [asyncio.create_task(self._work(writer)) for writer in self._writers]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            await writer.close()

    async def _work(self, writer: Writer) -> None:
        pause = _AGAIN
        while True:
            try:
                await writer.write()
            except Failed as failed:
                self.tally.failed.append(time.monotonic())
                self.tally.reasons[str(failed)] += 1
                await asyncio.sleep(pause)
                pause = min(2 * pause, _AGAIN_MOST)
                continue
            pause = _AGAIN
            self.tally.acknowledged.append(time.monotonic())
            await asyncio.sleep(PAUSE)

    async def steady(self, count: int = 50, seconds: float = 180.0) -> None:
        """Wait for so many more acknowledgements. Raises RuntimeError without them, and what a writer died of."""
        wanted, give_up = len(self.tally.acknowledged) + count, time.monotonic() + seconds
        while len(self.tally.acknowledged) < wanted:
            if time.monotonic() > give_up:
                raise RuntimeError(f"the writers do not come through: {self.tally.reasons}")
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)


class DeviceWriter:
    """A device of a pool: registers itself again through a sprayer, which is one commit."""

    def __init__(self, sprayers: Sequence[str], user: str, password: str, device: str) -> None:
        self._sprayers = itertools.cycle(sprayers)
        self._sprayer = next(self._sprayers)
        self._device = device
        self._session = aiohttp.ClientSession(auth=aiohttp.BasicAuth(user, password),
                                              timeout=aiohttp.ClientTimeout(total=30))

    async def write(self) -> None:
        """PUT the device."""
        place = f"{self._sprayer}/v1/devices/{self._device}"
        try:
            async with self._session.put(place, json={"kind": "bench"}) as answer:
                await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._sprayer = next(self._sprayers)
            raise Failed(type(error).__name__) from None
        if answer.status not in (200, 201):
            raise Failed(f"answered {answer.status}")

    async def close(self) -> None:
        """Drop the connection."""
        await self._session.close()


class RowWriter:
    """A client of PostgreSQL: inserts a row, which is one commit, into whichever node is the primary.

    It looks for the primary at all nodes at once, so that a dead one costs nothing: better than a host list does.
    """

    def __init__(self, ports: Sequence[int], password: str, number: int, numbers: Callable[[], int]) -> None:
        self._ports = ports
        self._password = password
        self._number = number
        self._numbers = numbers
        self._connection: Any = None
        self.written: list[int] = []

    async def write(self) -> None:
        """Insert a row."""
        try:
            if self._connection is None:
                self._connection = await self._primary()
            number = self._numbers()
            await self._connection.execute("INSERT INTO written (writer, number) VALUES ($1, $2)", self._number, number)
        except _LOST as error:
            await self.close()
            raise Failed(type(error).__name__) from None
        self.written.append(number)

    async def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _primary(self) -> Any:
        """A connection to the node that takes writes. Raises OSError when none does."""
        found = await asyncio.gather(*(self._asked(port) for port in self._ports))
        there = [connection for connection in found if connection is not None]
        for connection in there[1:]:
            connection.terminate()
        if not there:
            raise OSError("no primary")
        return there[0]

    async def _asked(self, port: int) -> Any:
        try:
            connection = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", password=self._password,
                                               database="postgres", ssl=False, timeout=_CONNECT)
        except _LOST:
            return None
        try:
            if not await connection.fetchval("SELECT pg_is_in_recovery()", timeout=_CONNECT):
                return connection
        except _LOST:
            connection.terminate()
            return None
        connection.terminate()
        return None

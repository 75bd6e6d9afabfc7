"""Looking users up while somebody types: a page at a time, with the watcher's role, on a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuiha.model.users.placement import Biases, Candidate
from tuiha.model.words import no_user
from tuiha.watch.background import Background

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.watch.reader import DeviceRow, Reader, UserRow

Read = Callable[["Reader"], Awaitable["list[UserRow]"]]
T = TypeVar("T")
DEADLINE = 5.0  # seconds that one question may take, the way to the database included
KEPT = 5.0  # seconds after a question in which the next one uses the same connection


@dataclass(frozen=True, slots=True)
class UserPage:
    """Users in the order of their names, and the servers that they could be on."""

    users: tuple[UserRow, ...]
    more: bool  # there are users after the last one
    servers: Mapping[str, Candidate]
    biases: Biases
    database: str
    active: bool  # it was read from the active database; else it may be older


@dataclass(frozen=True, slots=True)
class NoPage:
    """Why there is no page, in words for people."""

    text: str


class UserLookup:
    """Pages of users. Of several questions only the newest is answered: the one before it is given up."""

    def __init__(self, settings: Callable[[], Pool], base: Path, deadline: float = DEADLINE) -> None:
        """`settings` is called on the lookup's thread, when somebody is looked for."""
        self._settings, self._base, self._deadline = settings, base, deadline
        self._background = Background("tuiha-lookup", self._disconnect)
        self._give_up: Callable[[], None] | None = None
        self._stack: AsyncExitStack | None = None
        self._source: Reader | None = None
        self._used = 0.0
        self._free: asyncio.Lock | None = None

    def find(self, pattern: str, after: str, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """At most `limit` users after the name `after`; `pattern` as in `tuiha users`. Answers on the thread."""

        async def read(source: Reader) -> list[UserRow]:
            from tuiha.watch.reader import read_users

            return await read_users(source, pattern, after, limit + 1)

        self._answer(lambda: self._page(read, limit), answer)

    def find_on(self, server: str, after: int, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """At most `limit` users that a server monitors, after the one with the id `after`. Answers on the thread."""

        async def read(source: Reader) -> list[UserRow]:
            from tuiha.watch.reader import read_users_on

            return await read_users_on(source, server, after, limit + 1)

        self._answer(lambda: self._page(read, limit), answer)

    def devices(self, user: str, answer: Callable[[tuple[DeviceRow, ...] | NoPage], None]) -> None:
        """The devices of a user. Answers on the thread."""

        async def read(source: Reader) -> tuple[DeviceRow, ...] | NoPage:
            from tuiha.watch.reader import read_devices

            found = await read_devices(source, user)
            return NoPage(no_user(user)) if found is None else tuple(found)

        self._answer(lambda: self._asked(self._settings(), read), answer)

    def _answer(self, ask: Callable[[], Awaitable[T]], answer: Callable[[T | NoPage], None]) -> None:
        async def work() -> T:
            try:
                async with asyncio.timeout(self._deadline):
                    return await ask()
            except TimeoutError:
                raise TimeoutError(f"the database did not answer in {self._deadline:g} s") from None

        def failed(error: Exception) -> None:
            answer(NoPage(str(error) or type(error).__name__))

        if self._give_up is not None:
            self._give_up()
        self._give_up = self._background.run(work, answer, failed)

    def close(self) -> None:
        """End the thread, and the connection with it."""
        self._background.close()

    async def _page(self, read: Read, limit: int) -> UserPage:
        pool = self._settings()

        async def page(source: Reader) -> UserPage:
            from tuiha.watch.reader import read_candidates

            servers = await read_candidates(source, pool.heartbeat.window)
            rows = await read(source)
            return UserPage(tuple(rows[:limit]), len(rows) > limit, servers,
                            Biases(pool.binding.local_bias, pool.binding.current_bias), source.database, source.active)

        return await self._asked(pool, page)

    async def _asked(self, pool: Pool, ask: Callable[[Reader], Awaitable[T]]) -> T:
        """The answer to one question: on one connection there is one at a time."""
        if self._free is None:
            self._free = asyncio.Lock()
        async with self._free:
            try:
                answer = await ask(await self._connected(pool))
            except BaseException:  # given up as well: what the connection is at is not known then
                await self._disconnect()
                raise
            self._used = time.monotonic()
        return answer

    async def _connected(self, pool: Pool) -> Reader:
        """The connection of the last question while it is fresh: the active database may be another one since."""
        from tuiha.watch.reader import reader

        if self._source is not None and time.monotonic() - self._used < KEPT:
            return self._source
        await self._disconnect()
        stack = AsyncExitStack()
        self._source = await stack.enter_async_context(reader(pool, self._base))
        self._stack = stack
        return self._source

    async def _disconnect(self) -> None:
        stack, self._stack, self._source = self._stack, None, None
        if stack is not None:
            await stack.aclose()

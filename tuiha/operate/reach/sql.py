"""A database of the pair, spoken to with the coordinator's role."""

from __future__ import annotations

import asyncio
import copy
import ssl as tls
from typing import Any

from tuiha.drivers.databases.scram import NotProven
from tuiha.drivers.databases.session import WrongSession, opened
from tuiha.pooldb.connection import OwnConnection
from tuiha.pooldb.errors import BROKEN


class DatabaseGone(Exception):
    """The database does not answer, or not in time. What was asked may or may not have happened."""


class Coordinator:
    """One connection, opened when needed. Statements run one at a time, outside transactions unless they say so.

    A commit that waits for the secondary must never be cancelled: a deadline here drops the connection (terminate),
    which leaves the row invisible, and never sends a cancel request.
    """

    def __init__(
        self, name: str, address: str, database: str, user: str, password: str, ssl: tls.SSLContext | None
    ) -> None:
        self.name = name
        self.address = address
        host, _, port = address.rpartition(":")
        self._where: dict[str, Any] = {"host": host.strip("[]"), "port": int(port), "database": database, "user": user}
        self._password = password
        self._ssl = ssl
        self._connection: OwnConnection | None = None
        self._turn = asyncio.Lock()  # a connection takes one statement at a time, and servers are asked side by side

    async def fetch(self, statement: str, *arguments: Any, seconds: float = 5.0) -> list[Any]:
        """Run a statement and return its rows. Raises DatabaseGone, or DatabaseError when it is refused."""
        try:
            async with asyncio.timeout(seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseGone(f"{self.name} gave no answer in {seconds:g} s") from None
        try:
            return await self._fetch(statement, *arguments, seconds=seconds)
        finally:
            self._turn.release()

    async def _fetch(self, statement: str, *arguments: Any, seconds: float) -> list[Any]:
        try:
            connection = await self._open(seconds)
            running = asyncio.ensure_future(connection.fetch(statement, *arguments))
            done, _ = await asyncio.wait({running}, timeout=seconds)
            if not done:
                connection.terminate()
                await asyncio.wait({running})
                running.exception()
                raise DatabaseGone(f"{self.name} gave no answer in {seconds:g} s")
            return list(running.result())
        except (NotProven, WrongSession) as error:
            raise DatabaseGone(f"{self.name}: {error}") from error
        except BROKEN as error:
            await self.close()
            raise DatabaseGone(f"{self.name} does not answer ({type(error).__name__})") from error

    async def value(self, statement: str, *arguments: Any, seconds: float = 5.0) -> Any:
        """The first value of the first row; None without rows. Raises what `fetch` raises."""
        rows = await self.fetch(statement, *arguments, seconds=seconds)
        return rows[0][0] if rows else None

    def beside(self) -> Coordinator:
        """Another one for the same database, with a connection of its own: for what takes long beside the rest."""
        twin = copy.copy(self)
        twin._connection, twin._turn = None, asyncio.Lock()
        return twin

    async def _open(self, seconds: float) -> OwnConnection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await opened(
                "tuiha coordinator", **self._where, password=self._password, ssl=self._ssl, timeout=min(seconds, 3.0))
        return self._connection

    async def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

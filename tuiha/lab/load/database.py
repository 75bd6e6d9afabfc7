"""What the checker reads in the enterprise database, as the watcher's role: whose mailbox is where, the sync history,
and how many users each server has.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tuiha.drivers.databases.positions import IN_RECOVERY
from tuiha.lab.load.books import HistoryRow, plain_id
from tuiha.pooldb.connection import Connection, OwnConnection
from tuiha.pooldb.errors import UNREAD
from tuiha.pooldb.statements.audit import (
    CURSORS_OF,
    HISTORY_BEYOND,
    SERVERS_AND_ADDRESSES,
    USERS_AND_CLUSTERS,
    USERS_PER_MAIL_SERVER,
    USERS_PER_SERVER,
)

T = TypeVar("T")


class NoDatabase(Exception):
    """No database of the pair could be read; the text says why for each."""


@dataclass(frozen=True, slots=True)
class LoadDatabase:
    """How to reach one database of the pair."""

    name: str
    host: str
    port: int
    database: str
    user: str
    password: str
    ssl: tls.SSLContext | None = None  # None: plain text, on loopback

    async def connect(self, application: str) -> OwnConnection:
        """A connection of asyncpg's, to be terminated by the caller. Raises OSError and asyncpg's errors."""
        from tuiha.drivers.databases import scram

        return await scram.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, database=self.database,
            ssl=self.ssl or False, server_settings={"application_name": application})


class Records:
    """Reads from the primary, or from a secondary while there is none. Each reading has a connection of its own."""

    def __init__(self, nodes: list[LoadDatabase], timeout: float = 5.0) -> None:
        self._nodes = nodes
        self._timeout = timeout

    async def clusters(self) -> dict[str, str]:
        """User -> mail cluster. Raises NoDatabase."""
        rows = await self._read(lambda connection: connection.fetch(USERS_AND_CLUSTERS))
        return {row["name"]: row["mail_cluster"] for row in rows}

    async def servers(self) -> dict[str, str]:
        """Server -> address, of all that joined and did not leave, alive or not. Raises NoDatabase."""
        rows = await self._read(lambda connection: connection.fetch(SERVERS_AND_ADDRESSES))
        return {row["name"]: row["address"] for row in rows}

    async def spread(self) -> dict[str, int]:
        """Server -> users bound to it. Raises NoDatabase."""
        rows = await self._read(lambda connection: connection.fetch(USERS_PER_SERVER))
        return {row["server"]: row["users"] for row in rows}

    async def through(self) -> dict[str, int]:
        """Mail server -> users monitored through it. Raises NoDatabase."""
        rows = await self._read(lambda connection: connection.fetch(USERS_PER_MAIL_SERVER))
        return {row["mail_server"]: row["users"] for row in rows}

    async def cursors(self, user: str) -> dict[str, int]:
        """Mail server -> the first UID of the user's mailbox that was not read there. Raises NoDatabase."""
        rows = await self._read(lambda connection: connection.fetch(CURSORS_OF, user))
        return {row["mail_server"]: row["uidnext"] for row in rows}

    async def history(self, known: Mapping[str, int]) -> list[HistoryRow]:
        """Rows of the sync history behind the sequence number that is known of each user. Raises NoDatabase."""
        names, seqs = list(known), list(known.values())
        rows = await self._read(lambda connection: connection.fetch(HISTORY_BEYOND, names, seqs))
        return [
            HistoryRow(row["name"], row["seq"], row["generation"], row["kind"], row["mailbox"],
                       plain_id(row["message_id"] or ""), row["uid"], row["unreadable"])
            for row in rows
        ]

    async def _read(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        """The answer of the first node that is the primary, else of any that answers. Raises NoDatabase."""
        failures = []
        for primary_only in (True, False):
            for node in self._nodes:
                try:
                    return await self._read_from(node, query, primary_only)
                except NoDatabase as error:
                    failures.append(str(error))
        raise NoDatabase("; ".join(dict.fromkeys(failures)))

    async def _read_from(
        self, node: LoadDatabase, query: Callable[[Connection], Awaitable[T]], primary_only: bool
    ) -> T:

        connection = None
        try:
            async with asyncio.timeout(self._timeout):
                connection = await node.connect("tuiha load")
                if primary_only and await connection.fetchval(IN_RECOVERY):
                    raise NoDatabase(f"{node.name}: is not the primary")
                return await query(connection)
        except TimeoutError as error:
            raise NoDatabase(f"{node.name}: no answer for {self._timeout:g} s") from error
        except UNREAD as error:
            raise NoDatabase(f"{node.name}: {type(error).__name__}") from error
        finally:
            if connection is not None:
                connection.terminate()  # it only read: nothing to say goodbye for

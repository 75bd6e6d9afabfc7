"""Counting the users of a pool: in the poll while the tables are small, beside it when they are big.

A count reads whole tables. Over a million users that takes a second or more, and a poll that waited for it would
make a healthy database look dead. So it then runs on a connection of its own, at most a tenth of the time, and the
poll takes the last count there is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from tuiha.drivers.databases.questions import Counts
from tuiha.pooldb.connection import Connection, OwnConnection
from tuiha.pooldb.statements.bindings import BOUND_USERS
from tuiha.pooldb.statements.mail import ASSIGNED_USERS
from tuiha.pooldb.statements.users import COUNT_USERS

_BIG = 8 * 1024 * 1024  # bytes of the counted tables: about 30,000 users
_PATIENCE = 0.25  # seconds that a poll waits for the very first count
_SHARE = 10.0  # a count may take this part of the time: one in ten
_LEAST = 2.0  # seconds from one count to the next, at least
_MOST = 60.0
_STALE = 180.0  # seconds after which a count is no longer told

Connect = Callable[[], Awaitable[Any]]


class Counting:
    """The counts of one node."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._task: asyncio.Task[None] | None = None
        self._counts: Counts | None = None
        self._counted = 0.0  # monotonic seconds
        self._again = 0.0

    async def counts(self, connection: Connection, sizes: dict[str, int]) -> Counts | None:
        """The counts, or None while there is none. `sizes` are the bytes of the tables that are there."""
        if sum(sizes.values()) < _BIG:
            return await _count(connection, sizes)
        now = time.monotonic()
        if (self._task is None or self._task.done()) and now >= self._again:
            self._task = asyncio.create_task(self._count_apart(tuple(sizes)))
        if self._counts is None and self._task is not None:
            await asyncio.wait({self._task}, timeout=_PATIENCE)
        if time.monotonic() - self._counted > _STALE:
            self._counts = None
        return self._counts

    async def _count_apart(self, tables: Collection[str]) -> None:
        import asyncpg

        started = time.monotonic()
        connection: OwnConnection | None = None
        try:
            connection = await self._connect()
            self._counts = await _count(connection, tables)
            self._counted = time.monotonic()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self._counts = None  # unknown; whether the node is well is for the poll to say
        finally:
            took = time.monotonic() - started
            self._again = started + min(_MOST, max(_LEAST, took * _SHARE))
            if connection is not None and not connection.is_closed():
                connection.terminate()

    def drop(self) -> None:
        """Forget what was counted, and stop counting."""
        self._counts = None
        self._again = 0.0
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop counting and wait until that is so."""
        self.drop()
        if self._task is not None:
            await asyncio.wait({self._task})
            self._task = None


async def _count(connection: Connection, tables: Collection[str]) -> Counts:
    bound = await connection.fetch(BOUND_USERS) if "binding" in tables else ()
    assigned = await connection.fetch(ASSIGNED_USERS) if {"binding", "mail_assignment"} <= {*tables} else ()
    users = await connection.fetchval(COUNT_USERS) if "app_user" in tables else None
    return Counts(
        {row["server"]: row["users"] for row in bound},
        {row["mail_server"]: row["users"] for row in assigned},
        users,
    )

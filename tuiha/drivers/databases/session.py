"""Opening a session on a database: each sets for itself what it rests on, and reads it back.

An administrator may set defaults for a role, for a database or for all: an isolation level, a search path, time
limits. What a session asks for when it starts goes before these. What it cannot ask for is read back all the same, and
so is what something between here and the database (a connection pooler) may have dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tuiha.model.databases.sessions import KEPT, LATER, STATED, fits
from tuiha.model.problems.causes import Cause
from tuiha.pooldb.connection import Connection, OwnConnection

# transaction_timeout is not known before PostgreSQL 17, where naming it at the start would be refused.
READ_BACK = """
SELECT name, CASE WHEN name = ANY($2::text[]) AND current_setting(name, true) IS NOT NULL
                  THEN set_config(name, '0', false) ELSE current_setting(name, true) END AS value
  FROM unnest($1::text[]) AS name
"""


class WrongSession(ConnectionError):
    """The session is not what it was asked to be. The text is for people."""

    def __init__(self, text: str, cause: Cause) -> None:
        super().__init__(text)
        self.cause = cause


async def opened(application: str, settings: Mapping[str, str] | None = None, *, timeout: float,
                 **where: Any) -> OwnConnection:
    """A connection of asyncpg with our settings, read back within `timeout` seconds.

    `settings` are added to the stated ones, or go before them. Raises WrongSession, TimeoutError, and what
    `scram.connect` raises.
    """
    from tuiha.drivers.databases import scram

    stated = {**STATED, **(settings or {})}
    async with asyncio.timeout(timeout):
        connection = await scram.connect(
            timeout=timeout, server_settings={"application_name": application, **stated}, **where)
        try:
            await read_back(connection, stated)
        except BaseException:
            connection.terminate()
            raise
    return connection


async def read_back(connection: Connection, stated: Mapping[str, str]) -> None:
    """Compare a session's settings with the stated ones. Raises WrongSession, and asyncpg's errors."""
    names = [*stated, *LATER, *KEPT]
    rows = await connection.fetch(READ_BACK, names, list(LATER))
    for name, value in ((row["name"], row["value"]) for row in rows):
        if value is None:
            continue  # of a later version of PostgreSQL
        if name in stated and value != stated[name]:
            raise WrongSession(f"the session has {name} = {value}, though it asked for {stated[name]}: something "
                               "between here and the database (a pooler such as pgbouncer) drops what sessions ask for",
                               Cause.POOLER)
        if name in KEPT and not fits(name, value):
            raise WrongSession(f"{name} = {value} is set for this role, for the database or for all, and no session "
                               "can undo it", Cause.SESSION)

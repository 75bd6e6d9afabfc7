"""What a PostgreSQL says of itself and of its partner, to the role that it is given."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress

from tuiha.drivers.databases import scram
from tuiha.drivers.databases.refusals import refusal
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import short
from tuiha.model.problems.causes import Cause
from tuiha.model.survey.facts import DatabaseSurvey, SeenFollower
from tuiha.pooldb.errors import UNREAD

APPLICATION = "tuiha-init"
_USUAL = "postgres"  # the database that is there before the pool's own

# conninfo is empty for a role that may not read it; it shows no password.
SURVEY = """
SELECT pg_is_in_recovery() AS secondary,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS number,
       current_setting('cluster_name') AS cluster_name,
       (SELECT sender_host FROM pg_stat_wal_receiver) AS sender_host,
       (SELECT sender_port FROM pg_stat_wal_receiver) AS sender_port,
       (SELECT conninfo FROM pg_stat_wal_receiver) AS conninfo
"""
FOLLOWERS = """
SELECT application_name AS name, host(client_addr) AS host, coalesce(sync_state, '') AS sync_state
  FROM pg_stat_replication WHERE state = 'streaming' ORDER BY application_name LIMIT 20
"""


async def survey(host: str, port: int, user: str, password: str, database: str, context: ssl.SSLContext | None,
                 timeout: float) -> DatabaseSurvey:
    """Log in, by SCRAM only, and ask. Raises DriverError within `timeout` seconds.

    Where there is no `database` yet, the usual one is asked.
    """
    try:
        return await _asked(host, port, user, password, database, context, timeout)
    except DriverError as error:
        if error.cause is not Cause.NO_DATABASE or database == _USUAL:
            raise
        with suppress(DriverError):  # the first refusal says more
            return await _asked(host, port, user, password, _USUAL, context, timeout)
        raise


async def _asked(host: str, port: int, user: str, password: str, database: str, context: ssl.SSLContext | None,
                 timeout: float) -> DatabaseSurvey:
    try:
        async with asyncio.timeout(timeout):
            connection = await scram.connect(
                host=host, port=port, user=user, password=password, database=database, timeout=timeout,
                ssl=False if context is None else context, command_timeout=timeout,
                server_settings={"application_name": APPLICATION})
            try:
                row = await connection.fetchrow(SURVEY)
                followers = await connection.fetch(FOLLOWERS)
            finally:
                connection.terminate()
    except TimeoutError:
        raise DriverError(f"no answer in {timeout:g} s", Cause.SILENT) from None
    except UNREAD as error:
        raise refusal(error, user, database, context is not None) from None
    assert row is not None  # a SELECT without FROM has a row
    where = row["sender_host"]
    return DatabaseSurvey(
        primary=not row["secondary"],
        system_identifier=row["system_identifier"],
        version=short(row["version"], 40),
        number=row["number"],
        name=_application(row["conninfo"] or "") or short(row["cluster_name"], 100) or None,
        sender=(where, row["sender_port"]) if where and not where.startswith("/") else None,
        followers=tuple(SeenFollower(short(one["name"], 100), one["host"], one["sync_state"] in ("sync", "quorum"))
                        for one in followers),
        database=database,
    )


def _application(conninfo: str) -> str | None:
    """The application_name in a connection string."""
    found = re.search(r"(?:^|\s)application_name=(?:'((?:[^'\\]|\\.)*)'|(\S+))", conninfo)
    if found is None:
        return None
    return short(re.sub(r"\\(.)", r"\1", found[1] or found[2] or ""), 100) or None

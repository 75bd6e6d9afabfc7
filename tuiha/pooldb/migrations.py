"""Bring the enterprise database's schema up to date: numbered SQL files, applied once each, under an advisory lock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib.resources import files
from random import random

import asyncpg

from tuiha.pooldb import leases
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.epochs import TIMELINE
from tuiha.pooldb.statements.servers import RELEASE_LOCK, TAKE_LOCK

log = logging.getLogger("tuiha.migrate")

LOCK = 0x7475696861  # "tuiha": the advisory lock that all migrating servers share
_LOCK_MS = 500  # milliseconds that a table may be waited for; everybody who comes later waits as long
_STATEMENT_MS = 8000  # milliseconds of one statement: shorter than requests are held (hold.seconds)
_TRIES, _PAUSE = 20, 1.0  # seconds between two tries, give or take a half
_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_version (
    number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE schema_version IS 'Which numbered SQL files have been applied';
"""

# UPDATE on the epoch row's constant column is what `FOR SHARE` asks for; it lets a server change nothing.
_GRANTS = """
GRANT USAGE ON SCHEMA public TO tuiha_pool, tuiha_watch;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO tuiha_pool;
REVOKE INSERT, UPDATE, DELETE ON pool_epoch, schema_version, operation FROM tuiha_pool;
REVOKE UPDATE, DELETE ON event FROM tuiha_pool;
GRANT UPDATE (only_row) ON pool_epoch TO tuiha_pool;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tuiha_pool;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tuiha_watch;
"""

_COORDINATOR_GRANTS = """
GRANT USAGE ON SCHEMA public TO tuiha_coordinator;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tuiha_coordinator;
GRANT UPDATE ON pool_epoch TO tuiha_coordinator;
GRANT INSERT ON event TO tuiha_coordinator;
"""
# The history of operations is only added to, by its function (schema/0009_history.sql).
_HISTORY = "SELECT to_regprocedure('public.keep_operation(text)')::text"
_HISTORY_CLOSED = """
REVOKE ALL ON FUNCTION public.keep_operation(text) FROM PUBLIC;
"""
_POOL_ADDS_NONE = "REVOKE INSERT, UPDATE, DELETE ON public.operation_record FROM tuiha_pool;"
_COORDINATOR_ADDS = """
REVOKE INSERT, UPDATE, DELETE ON public.operation FROM tuiha_coordinator;
REVOKE UPDATE, DELETE ON public.event FROM tuiha_coordinator;
GRANT EXECUTE ON FUNCTION public.keep_operation(text) TO tuiha_coordinator;
"""

# Who only looks reads everything of a user but what has to do with the password. What columns there are depends on how
# many of the numbered files have been applied.
_BUT_PASSWORDS = """
DO $do$
DECLARE columns text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
     WHERE attrelid = 'public.app_user'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE 'password%';
    EXECUTE 'REVOKE SELECT ON public.app_user FROM {role}';
    EXECUTE format('GRANT SELECT (%s) ON public.app_user TO {role}', columns);
END
$do$
"""

# Under Patroni an epoch begins without a coordinator. A pool server may do that and nothing else: the epoch becomes the
# timeline that this very database is on, and only a later one.
_FOLLOW = f"""
CREATE OR REPLACE FUNCTION public.follow_timeline(node text, seen bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.pool_epoch SET epoch = {TIMELINE}, active = node, state = 'ACTIVE', changed_at = clock_timestamp()
     WHERE epoch = seen AND epoch < {TIMELINE} RETURNING epoch
$$;
COMMENT ON FUNCTION public.follow_timeline(text, bigint) IS 'Patroni: the epoch follows the timeline';
REVOKE ALL ON FUNCTION public.follow_timeline(text, bigint) FROM PUBLIC;
"""
_HAS_DOUBT = "SELECT to_regprocedure('public.doubt_standby(bigint)')::text"
_DOUBT_GRANT = "GRANT EXECUTE ON FUNCTION public.doubt_standby(bigint) TO tuiha_pool"
_HAS_FOLLOW = "SELECT to_regprocedure('public.follow_timeline(text, bigint)')::text"
_FOLLOW_GRANT = "GRANT EXECUTE ON FUNCTION public.follow_timeline(text, bigint) TO tuiha_pool"


class WrongPool(Exception):
    """The database belongs to another pool."""


def migrations() -> list[tuple[int, str]]:
    """The numbered SQL files as (number, text), lowest first."""
    folder = files("tuiha.pooldb.schema")
    found = [(int(entry.name[:4]), entry) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return [(number, entry.read_text(encoding="utf-8")) for number, entry in sorted(found, key=lambda f: f[0])]


async def migrate(connection: Connection, pool: str, active: str, follows: bool = False) -> None:
    """Create or update the schema, and give an empty database its epoch row (epoch 1, ACTIVE, `active`).

    Servers may be at work meanwhile: each file is a transaction of its own, which waits half a second for a lock and
    then lets the others go first. `follows`: Patroni changes the active database, and the epoch follows its timeline.
    `connection` is an asyncpg connection of the role that owns the schema. Raises WrongPool when the database
    holds another pool, LockNotAvailableError when a lock was not to be had. Grants go to the roles that exist; a pool
    with a single role needs none.
    """
    await connection.execute(TAKE_LOCK, LOCK)
    try:
        await _refuse_another(connection, pool)
        for number, text in [*await _pending(connection), (None, "")]:
            await _patiently(lambda: _step(connection, pool, active, follows, number, text))  # noqa: B023 - awaited here
    finally:
        if not connection.is_closed():
            await connection.execute(RELEASE_LOCK, LOCK)


async def _refuse_another(connection: Connection, pool: str) -> None:
    if await connection.fetchval("SELECT to_regclass('public.pool_epoch')") is not None:
        owner = await connection.fetchval("SELECT pool FROM pool_epoch")
        if owner not in (None, pool):
            raise WrongPool(f"this database holds the pool '{owner}', not '{pool}'")


async def _pending(connection: Connection) -> list[tuple[int, str]]:
    """The numbered files that the database does not have."""
    if await connection.fetchval("SELECT to_regclass('public.schema_version')") is None:
        return migrations()
    applied = {row["number"] for row in await connection.fetch("SELECT number FROM schema_version")}
    return [(number, text) for number, text in migrations() if number not in applied]


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Take a step again when a lock was not to be had. Whoever waits for a lock makes all that come later wait."""
    for _ in range(_TRIES):
        try:
            await step()
            return
        except asyncpg.LockNotAvailableError as error:
            log.info("the schema waits for a lock", extra={"reason": str(error)})
            await asyncio.sleep(_PAUSE * (0.5 + random()))
    raise asyncpg.LockNotAvailableError(
        "its schema cannot be brought up to date: somebody else's transaction keeps a table locked. "
        "pg_stat_activity on the database shows the oldest; this server goes on trying"
    )


async def _step(connection: Connection, pool: str, active: str, follows: bool, number: int | None, text: str) -> None:
    """One file, or none, and what every server relies on: the epoch row and the grants."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MS}; SET LOCAL statement_timeout = {_STATEMENT_MS}")
        if number is not None:
            await connection.execute(_VERSIONS)
            await connection.execute(text)
            await connection.execute("INSERT INTO schema_version (number) VALUES ($1)", number)
        await connection.execute(
            "INSERT INTO pool_epoch (pool, epoch, active, state) VALUES ($1, 1, $2, 'ACTIVE') ON CONFLICT DO NOTHING",
            pool,
            active,
        )
        whole = number is None  # every numbered file has been applied
        if whole:
            await connection.execute(leases.CREATE)
        if follows:
            await connection.execute(_FOLLOW)
        roles = await connection.fetch("SELECT FROM pg_roles WHERE rolname IN ('tuiha_pool', 'tuiha_watch')")
        history = await connection.fetchval(_HISTORY) is not None
        if history:
            await connection.execute(_HISTORY_CLOSED)
        if len(roles) == 2:
            closed = number == 1 or await leases.are_the_only_way(connection)
            await connection.execute(_GRANTS + (leases.GRANT if whole else "")
                                     + _BUT_PASSWORDS.format(role="tuiha_watch"))
            if history:
                await connection.execute(_POOL_ADDS_NONE)
            if closed:
                await connection.execute(leases.CLOSE)
            if follows:
                await connection.execute(_FOLLOW_GRANT)
            if await connection.fetchval(_HAS_DOUBT) is not None:
                await connection.execute(_DOUBT_GRANT)
        if await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'tuiha_coordinator'"):
            await connection.execute(_COORDINATOR_GRANTS + _BUT_PASSWORDS.format(role="tuiha_coordinator"))
            if history:
                await connection.execute(_COORDINATOR_ADDS)


async def is_current(connection: Connection, follows: bool = False) -> bool:
    """Whether every numbered file of this version has been applied to the database, and what Patroni needs."""
    if await connection.fetchval("SELECT to_regclass('public.schema_version')") is None:
        return False
    if follows and await connection.fetchval(_HAS_FOLLOW) is None:
        return False
    if not await leases.are_there(connection):
        return False
    return not await _pending(connection)

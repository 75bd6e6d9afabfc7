"""What is in the embedded enterprise database: roles, schema, users, and the pair's replication."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tuiha.lab.parts.postgres import DATABASE, SUPERUSER, DatabaseSetupError, Pair
from tuiha.model.quotes import literal, slot, wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_STEP = 0.02
_CONNECT = 2.0  # seconds for one attempt
_UP = 30.0  # seconds until a database must answer, on a busy machine
_COMMAND = 30.0

# The replication role is first: the secondary tries to connect from the start.
_ROLES = ("tuiha_replica", "tuiha_owner", "tuiha_pool", "tuiha_watch", "tuiha_coordinator")

# As in config/postgresql.md, step 3. Only a role with REPLICATION makes slots; it could copy the whole cluster as well,
# so it is one that nobody logs in as. What a watcher is told of pg_hba.conf has no options: they may hold secrets.
_FUNCTIONS = """
CREATE ROLE tuiha_slots NOLOGIN REPLICATION;
CREATE FUNCTION public.make_slot(name text) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN name IN ({names}) AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name)
                THEN (pg_create_physical_replication_slot(name)).slot_name::text END
$$;
CREATE FUNCTION public.drop_slot(name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
     WHERE slot_name = name AND name IN ({names}) AND NOT active
$$;
CREATE FUNCTION public.access_rules()
RETURNS TABLE (number int, kind text, databases text[], roles text[], address text, netmask text, method text,
               error text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT line_number, type, database, user_name, address, netmask, auth_method, error FROM pg_hba_file_rules
$$;
ALTER FUNCTION public.make_slot(text) OWNER TO tuiha_slots;
ALTER FUNCTION public.drop_slot(text) OWNER TO tuiha_slots;
REVOKE ALL ON FUNCTION public.make_slot(text), public.drop_slot(text), public.access_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.make_slot(text), public.drop_slot(text) TO tuiha_coordinator;
GRANT EXECUTE ON FUNCTION public.access_rules() TO tuiha_watch;
"""

# What roles may do beside what the schema grants them. Function rights are kept per database.
_GRANTS = f"""
ALTER ROLE tuiha_pool SET synchronous_commit = 'on';
GRANT pg_monitor TO tuiha_watch;
GRANT pg_read_all_stats TO tuiha_pool;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO tuiha_coordinator;
GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names, primary_conninfo, primary_slot_name TO tuiha_coordinator;
GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_promote(boolean, integer) TO tuiha_coordinator;
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO tuiha_owner, tuiha_pool, tuiha_watch, tuiha_coordinator;
"""


@asynccontextmanager
async def connected(pair: Pair, name: str, *, user: str = SUPERUSER, database: str = "postgres") -> AsyncIterator[Any]:
    """A connection to one database, as soon as it takes one. Raises DatabaseSetupError when it does not."""
    from tuiha.drivers.databases import scram
    from tuiha.pooldb.errors import UNREAD

    connection: Any = None
    reason = "no answer"
    try:
        async with asyncio.timeout(_UP):
            while connection is None:
                try:
                    connection = await scram.connect(
                        host="127.0.0.1", port=pair.ports[name], user=user, database=database,
                        password=pair.layout.read_secret(user), timeout=_CONNECT, command_timeout=_COMMAND, ssl=False,
                    )
                except UNREAD as error:
                    reason = str(error) or type(error).__name__
                    await asyncio.sleep(_STEP)
    except TimeoutError:
        raise DatabaseSetupError(f"database {name} does not answer after {_UP:g} s: {reason}; "
                                 f"its log is {pair.layout.logs / name}.log") from None
    try:
        yield connection
    finally:
        await connection.close(timeout=_CONNECT)


async def set_up(pair: Pair, pool: str, users: Sequence[tuple[str, str, str]]) -> None:
    """Create roles, database, schema and users (name, password hash, mail cluster) on a fresh primary.

    Raises DatabaseSetupError.
    """
    from tuiha.pooldb.migrations import migrate

    first, second = pair.names
    async with connected(pair, first) as connection:
        for role in _ROLES:
            right = "REPLICATION" if role == "tuiha_replica" else ""
            password = literal(pair.layout.read_secret(role))
            await connection.execute(f"CREATE ROLE {role} LOGIN {right} PASSWORD {password}")
        await connection.execute("SELECT pg_create_physical_replication_slot($1)", slot(second))
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER tuiha_owner")
    async with connected(pair, first, database=DATABASE) as connection:
        await connection.execute(_GRANTS)
        await connection.execute(_FUNCTIONS.format(names=", ".join(literal(slot(name)) for name in pair.names)))
    async with connected(pair, first, user="tuiha_owner", database=DATABASE) as connection:
        await migrate(connection, pool, first)
        await connection.copy_records_to_table(
            "app_user", records=users, columns=("name", "password_hash", "mail_cluster"))
        await connection.execute("ANALYZE app_user")


async def make_synchronous(pair: Pair) -> None:
    """Have every commit wait for the secondary; returns when it does. Raises DatabaseSetupError."""
    first, second = pair.names
    async with connected(pair, first) as connection:
        # Streaming first: with the name set and nobody there, every commit would hang.
        await _until(connection, second, "state", "streaming", pair)
        await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {literal(wait_for(second))}")
        await connection.execute("SELECT pg_reload_conf()")
        await _until(connection, second, "sync_state", "sync", pair)


async def _until(connection: Any, name: str, column: str, wanted: str, pair: Pair) -> None:
    found = None
    try:
        async with asyncio.timeout(_UP):
            while found != wanted:
                found = await connection.fetchval(
                    f"SELECT {column} FROM pg_stat_replication WHERE application_name = $1", name)
                await asyncio.sleep(0 if found == wanted else _STEP)
    except TimeoutError:
        raise DatabaseSetupError(f"the secondary {name} is not {wanted} after {_UP:g} s (it is {found or 'absent'}); "
                                 f"its log is {pair.layout.logs / name}.log") from None

"""Sessions of ours do not depend on what an administrator set for a role, for the database or for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD
from tuiha.drivers.databases.session import WrongSession, opened, read_back
from tuiha.model.databases.sessions import KEPT, LATER, STATED, WATCHED, fits

# A value that an administrator may have a reason for, and that would do harm.
HARMFUL = {
    "default_transaction_isolation": "serializable", "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on", "search_path": "pg_catalog", "synchronous_commit": "off",
    "client_min_messages": "error", "statement_timeout": "1ms", "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms", "idle_session_timeout": "1ms", "standard_conforming_strings": "off",
    "DateStyle": "German, DMY", "IntervalStyle": "iso_8601", "extra_float_digits": "-15", "bytea_output": "escape",
    "transaction_timeout": "1h", "session_replication_role": "replica", "role": "pg_monitor",
}
LEVELS = ("ROLE tuiha_watch", "DATABASE tuiha", "ROLE ALL", "ROLE tuiha_watch IN DATABASE tuiha")


@asynccontextmanager
async def defaults(pair: Pair, level: str, *settings: str) -> AsyncIterator[None]:
    admin = await pair.admin("empty")
    try:
        for name in settings:
            value = f"'{HARMFUL[name]}'" if name != "search_path" else HARMFUL[name]
            await admin.execute(f"ALTER {level} SET {name} = {value}")
        yield
    finally:
        await admin.execute(f"ALTER {level} RESET ALL")
        await admin.close()


async def session(pair: Pair) -> Any:
    return await opened("a test", host="127.0.0.1", port=pair.db1.port, user="tuiha_watch", password=PASSWORD,
                        database="tuiha", ssl=False, timeout=20.0)


def test_every_watched_setting_is_tried() -> None:
    assert set(HARMFUL) == {*STATED, *LATER, *KEPT}
    assert all(not fits(name, HARMFUL[name]) for name in WATCHED)
    assert all(fits(name, value) for name, value in {**STATED, **KEPT}.items())


@pytest.mark.parametrize("level", LEVELS)
async def test_defaults_of_an_administrator_do_not_reach_our_sessions(pair: Pair, level: str) -> None:
    async with defaults(pair, level, *STATED, *LATER):
        connection = await session(pair)
        try:
            found = {name: await connection.fetchval("SELECT current_setting($1, true)", name)
                     for name in (*STATED, *LATER)}
            assert found == {**STATED, "transaction_timeout": "0"}
            kept = await connection.fetchval("SELECT reset_val FROM pg_settings WHERE name = 'transaction_timeout'")
            assert kept == "3600000", "the default is there, and only this session goes before it"
        finally:
            await connection.close()


@pytest.mark.parametrize("name", sorted(KEPT))
async def test_what_no_session_can_undo_is_refused(pair: Pair, name: str) -> None:
    async with defaults(pair, "ROLE tuiha_watch", name):
        with pytest.raises(WrongSession, match=f"{name} = {HARMFUL[name]}"):
            await session(pair)
    await (await session(pair)).close()


async def test_a_pooler_that_drops_what_sessions_ask_for_is_named(pair: Pair) -> None:
    connection = await asyncpg.connect(host="127.0.0.1", port=pair.db1.port, user="tuiha_watch", password=PASSWORD,
                                       database="tuiha", ssl=False)
    try:
        with pytest.raises(WrongSession, match=r"search_path = .*pgbouncer"):
            await read_back(connection, STATED)
    finally:
        await connection.close()


async def test_a_session_that_vanished_in_a_transaction_loses_its_locks(pair: Pair) -> None:
    """Nothing is closed here: its host may be off the network, and the database would wait for it."""
    gone = await opened("gone", {"idle_in_transaction_session_timeout": "300ms"}, host="127.0.0.1", port=pair.db1.port,
                        user="tuiha_watch", password=PASSWORD, database="tuiha", ssl=False, timeout=20.0)
    other = await session(pair)
    try:
        assert await other.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')") == "5s"
        await gone.execute("BEGIN")
        await gone.execute("SELECT pg_advisory_xact_lock(4711)")
        async with asyncio.timeout(20.0):
            await other.execute("SELECT pg_advisory_lock(4711)")
    finally:
        gone.terminate()
        await other.close()

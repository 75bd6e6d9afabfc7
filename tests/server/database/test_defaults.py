"""A pool server takes its lease and writes whatever defaults an administrator set; what it cannot undo it names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD
from tests.drivers.test_session import HARMFUL
from tests.server.support import COUNT, Attach, insert
from tests.until import until
from tuiha.model.databases.sessions import LATER, STATED


@asynccontextmanager
async def defaults(pair: Pair, *names: str) -> AsyncIterator[None]:
    admin = await pair.admin("empty")
    try:
        for name in names:
            value = f"'{HARMFUL[name]}'" if name != "search_path" else HARMFUL[name]
            await admin.execute(f"ALTER ROLE tuiha_pool SET {name} = {value}")
        yield
    finally:
        await admin.execute("ALTER ROLE tuiha_pool RESET ALL")
        await admin.close()


async def test_a_server_works_whatever_the_defaults_are(attach: Attach, pair: Pair) -> None:
    async with defaults(pair, *STATED, *LATER):
        plain = await asyncpg.connect(host="127.0.0.1", port=pair.db1.port, user="tuiha_pool", password=PASSWORD,
                                      database="tuiha", ssl=False, server_settings={
                                          name: "0" for name in STATED if name.endswith("_timeout")})
        try:  # any other program, given some time
            assert await plain.fetchval("SELECT current_setting('default_transaction_isolation')") == "serializable"
        finally:
            plain.terminate()
        one = await attach()
        await one.gate.write(insert)
        assert await one.gate.read(lambda connection: connection.fetchval(COUNT)) == 1


async def test_what_no_session_can_undo_is_the_reason_for_having_no_lease(attach: Attach, pair: Pair) -> None:
    async with defaults(pair, "session_replication_role"):
        one = await attach(wait=False)
        await until(lambda: "session_replication_role = replica" in one.attacher.problem, "the reason is told")
        assert one.gate.attachment is None

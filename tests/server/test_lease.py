"""Renewals of a lease in a real database."""

from __future__ import annotations

import asyncio

from tests.drivers.conftest import Pair
from tests.server.support import PATIENCE, Node
from tuiha.server.lease import _RENEW

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO lease%'"


async def test_a_renewal_that_is_done_after_a_later_one_does_not_make_the_lease_look_older(
    pair: Pair, node: Node
) -> None:
    # One whose connection was shut while it waited is done at last, after the next connection's.
    renewal = (_RENEW, "s1", 1, "one", 5.0)
    later, late = await pair.admin(), await pair.admin()
    try:
        async with later.transaction():
            assert await later.fetchval(*renewal) == 1
            waiting = asyncio.create_task(late.fetchval(*renewal))
            async with asyncio.timeout(PATIENCE):
                while not await node.admin.fetchval(_WAITING):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            newest = await later.fetchval(
                "UPDATE lease SET renewed_at = clock_timestamp() WHERE server = 's1' RETURNING renewed_at")
        assert await waiting == 1
        assert await node.admin.fetchval("SELECT renewed_at FROM lease WHERE server = 's1'") == newest
    finally:
        await later.close()
        await late.close()


async def test_a_database_whose_clock_was_set_back_gets_no_lease_of_the_future(node: Node) -> None:
    renewal = (_RENEW, "s1", 1, "one", 5.0)
    assert await node.admin.fetchval(*renewal) == 1
    await node.admin.execute("UPDATE lease SET renewed_at = clock_timestamp() + interval '1 hour'")
    assert await node.admin.fetchval(*renewal) == 1
    assert await node.admin.fetchval("SELECT renewed_at <= clock_timestamp() FROM lease WHERE server = 's1'")

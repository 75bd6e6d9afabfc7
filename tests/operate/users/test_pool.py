"""Users move on a real pool."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.operate.pools import bind, bound, monitored_once, names
from tests.operate.support import planned, run, undo
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.users.rebalance import Rebalance
from tuiha.operate.world import World, open_world

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    async with EmbeddedPool(servers=3, users=30, load=False) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(pool: EmbeddedPool) -> AsyncIterator[World]:
    async with open_world(load(pool.config_path), pool.folder) as opened:
        yield opened


async def test_rebalance(pool: EmbeddedPool, world: World) -> None:
    users = names(pool)
    await bind(world, dict.fromkeys(users[:24], "s1") | dict.fromkeys(users[24:], "s2"))
    kind = Rebalance()
    plan = await planned(world, kind, options={"rate": "0"})
    assert plan.stopped_by == ()
    assert plan.details["moves_planned"] == plan.details["minimum"] == 14
    evidence = await run(world, kind, plan)
    assert "14 users moved" in evidence[1]
    assert set((await monitored_once(world)).values()) == {10}
    assert "14 were there already" in (await run(world, kind, plan))[1]
    await undo(world, kind, plan)
    assert await bound(world) == dict.fromkeys(users[:24], "s1") | dict.fromkeys(users[24:], "s2")

"""Moves that are cancelled, run again, and lose a server in their middle, on a real pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.operate.pools import bind, bound, monitored_once, names
from tests.operate.support import Told, planned
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.users.common import pairs_of
from tuiha.operate.users.drain import Drain
from tuiha.operate.users.rebalance import MoveStep, Rebalance
from tuiha.operate.users.throttle import MovePace
from tuiha.words.operations import text

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    async with EmbeddedPool(servers=2, users=40, load=False) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(pool: EmbeddedPool) -> AsyncIterator[World]:
    async with open_world(load(pool.config_path), pool.folder) as opened:
        yield opened


async def test_cancelled_and_taken_up_again(pool: EmbeddedPool, world: World) -> None:
    await bind(world, dict.fromkeys(names(pool), "s1"))
    kind = Rebalance()
    plan = await planned(world, kind, options={"rate": "40", "in-flight": "2"})
    wanted = plan.details["moves_planned"]
    assert wanted == 19
    step = kind.steps(plan)[0]
    told = Told(cancel_at=4)
    evidence = text(await step.run(world, told))
    assert "cancelled" in evidence
    moved = 40 - (await monitored_once(world))["s1"]
    assert 4 <= moved < wanted
    assert evidence.startswith(f"{moved} users moved")
    assert f"{wanted - moved} stay" in evidence
    assert told.done == moved
    # All in one batch, so that it mixes users who were moved before with those who were not.
    again = await MoveStep(plan.steps[0], pairs_of(plan.details), MovePace(0.0, 200)).run(world, Told())
    assert text(again) == f"{wanted - moved} users moved, {moved} users already there"
    assert (await monitored_once(world))["s1"] == 40 - wanted


async def test_the_target_dies_in_the_middle(pool: EmbeddedPool, world: World) -> None:
    await bind(world, dict.fromkeys(names(pool), "s1"))
    kind = Rebalance()
    plan = await planned(world, kind, options={"rate": "20", "in-flight": "2"})
    running = asyncio.create_task(kind.steps(plan)[0].run(world, told := Told()))
    await until(lambda: _done(told, 4))
    await pool.kill("s2")
    assert "moved" in text(await running)
    await until(lambda: _gone(world, "s2"))
    refused = {server: await planned(world, Drain(), server) for server in ("s1", "s2")}
    assert ("last", "never") in [(check.name, check.verdict) for check in refused["s1"].stopped_by]
    assert ("answers", "never") in [(check.name, check.verdict) for check in refused["s2"].stopped_by]
    await pool.start("s2")
    await until(lambda: _answer(world, "s2"))
    counts = await monitored_once(world)
    assert counts.total() == 40


async def test_the_source_dies_in_the_middle(pool: EmbeddedPool, world: World) -> None:
    await bind(world, dict.fromkeys(names(pool), "s1"))
    kind = Drain()
    plan = await planned(world, kind, "s1", options={"rate": "20", "in-flight": "2"})
    steps = kind.steps(plan)
    await steps[0].run(world, Told())
    await steps[1].run(world, Told())
    running = asyncio.create_task(steps[2].run(world, told := Told()))
    await until(lambda: _done(told, 4))
    await pool.kill("s1")
    await running
    assert "s1" not in set((await bound(world)).values())
    assert (await monitored_once(world)).total() == 40
    await pool.start("s1")


async def _done(told: Told, count: int) -> bool:
    return told.done >= count


async def _answer(world: World, server: str) -> bool:
    found = answering(await look(world)).get(server)
    return found is not None and bool(found.lease_seconds)


async def _gone(world: World, server: str) -> bool:
    return not next(s for s in (await look(world)).servers if s.name == server).alive

"""Some of the endings that `python -m tests.operate.endings` goes through, and a failover in between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.operate.endings.ground import CUT_OFF, DEAD, Ground, Runners, ground, one
from tests.until import until
from tuiha.operate import api
from tuiha.operate.plans.look import answering, look

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on() -> AsyncIterator[Ground]:
    async with ground() as made:
        yield made


@pytest.mark.parametrize(("kind", "step"), [("return-mail", 2), ("drain", 4)])
async def test_it_ends_although_it_was_killed_cut_off_and_a_server_died(on: Ground, kind: str, step: int) -> None:
    ending = await one(on, kind, step)
    assert ending.told, ending
    assert not ending.stuck, ending


async def test_a_failover_takes_the_pool_from_an_enable_that_nothing_can_end(on: Ground) -> None:
    """As it was: the primary died while a server was being enabled, and the failover was refused."""
    await on.prepared()
    await on.done("drain", DEAD, rate="0")
    with Runners(dies=1):
        enabling = await on.applied(await on.planned("enable", DEAD))
        assert (await on.end(enabling)).interrupted
    await on.pool.kill("db1")

    async def nobody_serves() -> bool:
        return not any(server.lease_seconds for server in answering(await look(on.world)).values())

    await until(nobody_serves)
    plan = await on.planned("failover")
    rival = next(check for check in plan.checks if check.name == "operation")
    assert rival.verdict == "warning"
    assert enabling in rival.value
    failover = await on.end(await on.applied(plan))
    assert failover.state == "done", failover.text
    assert failover.outcome is not None
    assert failover.outcome["unserved_ms"] > failover.outcome["outage_ms"] > 0
    state = api.Operator(on.settings, on.base, on.config).operation(enabling)
    assert (state.state, state.gave_way_to) == ("cancelled", failover.id)
    with Runners():
        await api.Operator(on.settings, on.base, on.config).resume(enabling)
        assert (await on.end(enabling)).state == "done"
    servers = {server.name: server.target for server in (await look(on.world)).servers}
    assert servers == {"s1": "UP", CUT_OFF: "UP", DEAD: "UP"}

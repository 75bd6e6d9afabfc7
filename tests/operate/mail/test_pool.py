"""Mail servers out of service and in again, on a real pool under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.operate.support import planned, run, undo
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess
from tuiha.model.reports import MailState
from tuiha.operate.mail import service
from tuiha.operate.mail.failover import FailoverMail, ReturnMail
from tuiha.operate.plans.draft import make_plan
from tuiha.operate.plans.kinds import Misused, OperationRefused
from tuiha.operate.plans.look import look
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.world import World, open_world

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]

CLUSTER = "east"
FIRST, SECOND = "mail1", "mail2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    async with EmbeddedPool(servers=2, users=20, load=False) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(pool: EmbeddedPool) -> AsyncIterator[World]:
    async with open_world(load(pool.config_path), pool.folder) as opened:
        yield opened


async def everybody(world: World) -> bool:
    return sum((await service.through(Active(world), CLUSTER)).values()) == 16


async def answers(world: World, server: str) -> bool:
    return service.facts_of(await look(world), server).error is None


async def test_out_and_back_under_load(pool: EmbeddedPool, world: World) -> None:
    running = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "20", "--wait", "3", "--ramp", "50")
    try:
        await until(lambda: everybody(world))
        before = await service.through(Active(world), CLUSTER)
        kind, back = FailoverMail(), ReturnMail()
        plan = await planned(world, kind, FIRST, options={"reason": "its disk"})
        assert plan.stopped_by == ()
        evidence = await run(world, kind, plan)
        assert evidence[2].startswith(f"{FIRST} 0 users (0 reported by servers)")
        assert await service.through(Active(world), CLUSTER) == {SECOND: 16}
        with pytest.raises(OperationRefused, match="already"):
            await kind.plan(world, (FIRST,), {})
        last = await planned(world, kind, SECOND)
        assert [check.name for check in last.stopped_by] == ["partner"]
        assert last.stopped_by[0].verdict == "never"
        again = await planned(world, back, FIRST)
        assert again.stopped_by == ()
        await run(world, back, again)
        assert await service.through(Active(world), CLUSTER) == before
        await asyncio.sleep(1.0)
        report = await running.stop()
    finally:
        await running.kill()
    assert report["messages"] > 20
    assert report["failures"] == report["lost"] == report["doubled"] == report["monitored_twice"] == 0, report


async def test_undone(pool: EmbeddedPool, world: World) -> None:
    kind = FailoverMail()
    plan = await planned(world, kind, SECOND)
    await run(world, kind, plan)
    assert SECOND not in await service.through(Active(world), CLUSTER)
    await undo(world, kind, plan)
    assert service.facts_of(await look(world), SECOND).in_service


async def test_a_mail_server_that_is_dead(pool: EmbeddedPool, world: World) -> None:
    out, back = FailoverMail(), ReturnMail()
    await pool.kill(SECOND)
    try:
        plan = await planned(world, out, SECOND)
        assert plan.stopped_by == ()
        await run(world, out, plan)
        assert await service.through(Active(world), CLUSTER) == {FIRST: 16}
        too_early = await planned(world, back, SECOND)
        assert [check.name for check in too_early.stopped_by] == ["answers"]
    finally:
        await pool.start(SECOND)
    await until(lambda: answers(world, SECOND))
    plan = await planned(world, back, SECOND)
    assert plan.stopped_by == ()
    await run(world, back, plan)
    assert SECOND in await service.through(Active(world), CLUSTER)


async def test_what_makes_no_sense(world: World) -> None:
    with pytest.raises(OperationRefused, match="no mail server mail9"):
        await FailoverMail().plan(world, ("mail9",), {})
    with pytest.raises(Misused):
        await make_plan(world.pool, world.base, "return-mail")


async def test_a_mail_server_that_was_just_started_may_return(pool: EmbeddedPool, world: World) -> None:
    """The pool servers' word may be seconds old: then the mail server is asked itself, and is believed."""
    up = service.facts_of(await look(world), FIRST)
    old = replace(up, error="probe: connection refused", state=MailState.DOWN)
    assert await service.trouble(world, up) is None
    assert await service.trouble(world, old) is None, "it answers now"
    await pool.kill(FIRST)
    assert "refused" in (await service.trouble(world, old) or "")
    await pool.start(FIRST)
    await until(lambda: answers(world, FIRST), "it answers again")

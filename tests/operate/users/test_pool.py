"""Users move on a real pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.operate.pools import bind, bound, monitored_once, names
from tests.operate.support import Told, planned, run, undo
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess
from tuiha.model.facts import Snapshot
from tuiha.operate.plans.draft import make_plan
from tuiha.operate.plans.kinds import Misused, OperationRefused, StepFailed
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.users.drain import Drain, Enable
from tuiha.operate.users.forget import ForgetServer
from tuiha.operate.users.move import MoveUser
from tuiha.operate.users.rebalance import Rebalance

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
    assert "14 users already there" in (await run(world, kind, plan))[1]
    await undo(world, kind, plan)
    assert await bound(world) == dict.fromkeys(users[:24], "s1") | dict.fromkeys(users[24:], "s2")
    again = await planned(world, kind)  # the 14 that went and came back are locked on s1, which has more than it can
    assert again.details["moves_planned"] == 14
    assert [check for check in again.checks if check.name == "locks"] == []


async def test_move_one_user(pool: EmbeddedPool, world: World) -> None:
    user, other = names(pool)[:2]
    await bind(world, {user: "s1", other: "s1"})
    kind = MoveUser()
    plan = await planned(world, kind, f" {user.upper()}", "s3")  # as an operator may spell it
    assert plan.stopped_by == ()
    assert (plan.target, plan.confirm) == ((user, "s3"), "s3")
    assert await run(world, kind, plan) == {1: "1 user moved"}
    assert {name: (await bound(world))[name] for name in (user, other)} == {user: "s3", other: "s1"}
    await undo(world, kind, plan)
    assert (await bound(world))[user] == "s1"
    await monitored_once(world)
    for wrong in ((user, "s1"), (user, "s9"), ("nobody", "s1")):
        with pytest.raises(OperationRefused):
            await kind.plan(world, wrong, {})
    with pytest.raises(Misused):
        await make_plan(world.pool, world.base, "move", (user,))


async def test_drain_under_load_and_enable(pool: EmbeddedPool, world: World) -> None:
    load_process = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "20", "--wait", "3",
                                           "--ramp", "50")
    try:
        await until(lambda: registered(load_process))
        kind = Drain()
        plan = await planned(world, kind, "s2", options={"rate": "0"})
        assert plan.stopped_by == ()
        evidence = await run(world, kind, plan)
        assert evidence[4] == "s2: 0 users in the database, 0 reported by the server"
        assert "s2" not in await monitored_once(world)
        assert "0 sessions" in evidence[5], evidence
        await pool.kill("s2")
        await asyncio.sleep(3.0)
        report = await load_process.stop()
    finally:
        await load_process.kill()
    assert report["failures"] == report["lost"] == report["doubled"] == report["monitored_twice"] == 0, report
    await pool.start("s2")
    back = Enable()
    await until(lambda: answers(world, "s2"))
    again = await planned(world, back, "s2")
    assert again.stopped_by == ()
    evidence = await run(world, back, again)
    assert "target UP in the database, UP" in evidence[1]
    assert evidence[2].count("UP") == 2


async def test_several_servers_are_drained_and_enabled_together(pool: EmbeddedPool, world: World) -> None:
    before = dict(zip(names(pool), ["s1", "s2", "s3"] * 10, strict=True))
    await until(lambda: can_bind(world, before))  # s2 was started a moment ago
    kind = Drain()
    plan = await planned(world, kind, "s3", "s2", options={"rate": "0"})
    assert (plan.target, plan.confirm) == (("s3", "s2"), "s3 s2")
    assert {check.name for check in plan.stopped_by} <= {"capacity"}  # of 30 users, when one server has room for fewer
    evidence = await run(world, kind, plan)
    assert evidence[4] == "; ".join(
        f"{name}: 0 users in the database, 0 reported by the server" for name in ("s3", "s2"))
    assert set(await monitored_once(world)) == {"s1"}
    assert {name: target_of(await look(world), name) for name in ("s1", "s2", "s3")} == {
        "s1": "UP", "s2": "DRAIN", "s3": "DRAIN"}
    last = await planned(world, kind, "s1")
    assert ("last", "never") in [(check.name, check.verdict) for check in last.stopped_by]
    await undo(world, kind, plan)
    assert await bound(world) == before
    await run(world, kind, plan)
    back = Enable()
    evidence = await run(world, back, await planned(world, back, "s2", "s3"))
    assert evidence[1].count("target UP") == 2
    assert evidence[2].count("UP") == 4


async def test_a_socket_that_may_only_look_is_found_before_anything_is_done(pool: EmbeddedPool) -> None:
    """The socket with level `user`, as the first version of config/haproxy.cfg had for hosts elsewhere."""
    settings = load(pool.config_path)
    watched = settings.model_copy(update={"sprayers": [
        settings.sprayers[0], settings.sprayers[1].model_copy(update={"operator": None})]})
    async with open_world(watched, pool.folder) as world:
        for kind in (Drain(), Enable()):
            plan = await planned(world, kind, "s2")
            stopped = [(c.name, c.subject, c.value, c.verdict) for c in plan.stopped_by]
            assert ("steerable", "spray2", "its socket has level user", "never") in stopped
            assert "spray1" not in [c.subject for c in plan.stopped_by]
        with pytest.raises(StepFailed, match="spray2: the sprayer refuses"):  # what the plan spares an operator
            await kind.steps(plan)[1].run(world, Told())


async def test_a_server_that_is_gone_for_good_is_forgotten_and_one_that_lives_is_not(
    pool: EmbeddedPool, world: World
) -> None:
    kind = ForgetServer()
    alive = await planned(world, kind, "s3")
    assert ("gone", "never") in [(check.name, check.verdict) for check in alive.stopped_by]
    with pytest.raises(StepFailed, match="Not forgotten"):  # the server that is asked looks for itself
        await run(world, kind, alive)
    await pool.kill("s3")
    await until(lambda: may_be_forgotten(world, "s3"))
    plan = await planned(world, kind, "s3")
    assert await run(world, kind, plan) == {1: "s3 has no row in the pool"}
    with pytest.raises(
        OperationRefused, match="s3 has no row in the pool; it is shown because this host's configuration"
    ):
        await kind.plan(world, ("s3",), {})
    await pool.start("s3")
    await until(lambda: answers(world, "s3"))


async def may_be_forgotten(world: World, server: str) -> bool:
    return (await ForgetServer().plan(world, (server,), {})).stopped_by == ()


async def can_bind(world: World, users: dict[str, str]) -> bool:
    try:
        await bind(world, users)
    except ControlError:
        return False
    return True


async def registered(running: LoadProcess) -> bool:
    figures = running.figures()
    return figures is not None and figures["registered"] == figures["devices"]


async def answers(world: World, server: str) -> bool:
    found = answering(await look(world)).get(server)
    return found is not None and found.lease_seconds is not None and found.lease_seconds > 0


def target_of(snapshot: Snapshot, server: str) -> str:
    return str(next(one.target for one in snapshot.servers if one.name == server))

"""Commits wait only for a secondary that can be counted on, and never so long that a server loses its lease."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from tests.operate.support import Told, planned
from tests.until import until
from tuiha.config.load import load
from tuiha.drivers.protocols import DriverError
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.reports import Standby
from tuiha.operate.database import KINDS
from tuiha.operate.database.steps import base as steps
from tuiha.operate.database.steps import replication, roles
from tuiha.operate.database.steps.base import PairStep
from tuiha.operate.database.steps.replication import ProtectHere
from tuiha.operate.reach.world import World, open_world
from tuiha.words.operations import text

pytestmark = pytest.mark.pool
NAMES = "SELECT current_setting('synchronous_standby_names')"


class Lease:
    """Whether a server had a lease whenever it was asked."""

    def __init__(self, world: World) -> None:
        self._driver = world.drivers.servers["s1"]
        self.lost = asyncio.Event()
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            with suppress(DriverError):
                if not (await self._driver.poll()).lease_seconds:
                    self.lost.set()
            await asyncio.sleep(0.1)

    def close(self) -> None:
        self._task.cancel()


async def unprotected(world: World) -> PairStep:
    """The pool goes on without its secondary, which streams all the while; the step that protects it again."""
    degrade, protect = KINDS["degrade"](), KINDS["protect"]()
    await degrade.steps(await planned(world, degrade))[0].run(world, Told())
    step = protect.steps(await planned(world, protect))[0]
    assert isinstance(step, ProtectHere)
    return step


def hangs_when_waited_for(pool: EmbeddedPool, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The secondary hangs as soon as its name is set, as often; it goes on when the name is taken back."""
    set_parameter, nobody = steps.set_parameter, roles.nobody_to_wait_for
    left = times

    async def set_and_hang(database: Any, name: str, text: str | None) -> None:
        nonlocal left
        if left and text:
            left -= 1
            await pool.pause("db2")
        await set_parameter(database, name, text)

    async def take_back(database: Any) -> None:
        await nobody(database)
        with suppress(Exception):
            await pool.resume("db2")

    monkeypatch.setattr(replication, "set_parameter", set_and_hang)
    monkeypatch.setattr(replication, "nobody_to_wait_for", take_back)


async def test_a_name_that_does_not_become_synchronous_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        step, told = await unprotected(world), Told()
        hangs_when_waited_for(pool, monkeypatch, 1)
        lease = Lease(world)
        assert "ledger SYNC: protected" in text(await step.run(world, told))
        assert ["commits on db1 do not wait" in line for line in told.said] == [True]
        assert not lease.lost.is_set()
        lease.close()
        assert await world.databases["db1"].value(NAMES) == "FIRST 1 (db2)"


async def test_without_the_limit_the_servers_lose_their_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: one that may wait for a minute."""
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        step = await unprotected(world)
        hangs_when_waited_for(pool, monkeypatch, 100)  # a slow machine tries again
        world.pool = world.pool.model_copy(update={"lease": world.pool.lease.model_copy(update={"seconds": 300.0})})
        lease = Lease(world)
        running = asyncio.create_task(step.run(world, Told()))
        async with asyncio.timeout(60):
            await lease.lost.wait()
        lease.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert await world.databases["db1"].value(NAMES) == ""  # also when it was stopped in the middle
        assert world.drivers.ledger is not None
        assert (await world.drivers.ledger.poll()).standby is Standby.STALE


async def _writes_alone(pool: EmbeddedPool) -> None:
    """db1 writes what db2 never receives: as much as takes a while to replay."""
    port = (await pool.state()).part("db1").port
    password = (pool.folder / "secrets" / "postgres").read_text().strip()
    await pool.pause("db2")
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", password=password,
                                       database="tuiha", timeout=20, ssl=False)
    await connection.execute("SET synchronous_commit = local")
    await connection.execute("CREATE TABLE alone AS SELECT md5(n::text) FROM generate_series(1, 1000000) AS n")
    await pool.kill("db1")
    connection.terminate()
    await pool.resume("db2")


async def test_a_former_primary_that_was_stopped_in_its_recovery_is_rewound() -> None:
    """It reads as shut down and has not replayed its last writes: unless it does, there seems to be nothing to rewind,
    and it can never follow."""
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        await _writes_alone(pool)
        failover = KINDS["failover"]()
        plan = await until(lambda: planned(world, failover), met=lambda made: not made.stopped_by, pause=0.2)
        *before_that, rejoin, protect = failover.steps(plan)
        for step in before_that:
            await step.run(world, Told())
        size = pool.log("db1").stat().st_size
        await pool.start("db1")
        await until(lambda: b"redo starts" in pool.log("db1").read_bytes()[size:], pause=0.001)
        stopped = await world.agents["db1"].stop("fast")
        assert not stopped.clean
        assert "streams from db2; rewound" in text(await rejoin.run(world, Told()))
        assert "protected" in text(await protect.run(world, Told()))

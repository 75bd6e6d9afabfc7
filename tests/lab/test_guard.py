"""A real pool with a guard and nobody at the keys: databases are killed, and the pool serves again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.drivers.etcdnode import program
from tests.until import until
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.drivers.factory import Drivers, open_drivers
from tuiha.drivers.protocols import DriverError
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.guard.report import GuardHold, GuardOrder, GuardRecord
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate.api import Operator, whoami
from tuiha.operate.guard.store import GuardStore, store_in
from tuiha.operate.records.state import OperationState

pytestmark = pytest.mark.pool


@dataclass
class Scene:
    """A pool with guards, and a look at it."""

    pool: EmbeddedPool
    settings: Pool
    drivers: Drivers

    @property
    def store(self) -> GuardStore:
        return store_in(self.drivers.ledger)

    async def ledger(self) -> LedgerRecord:
        assert self.drivers.ledger is not None
        return await self.drivers.ledger.poll()

    async def record(self) -> GuardRecord:
        return await self.store.read()

    async def active(self) -> str | None:
        """The name of the guard that is the active one."""
        report = (await self.record()).report
        return None if report is None else report.name

    async def pid(self, part: str) -> int:
        found = (await self.pool.state()).part(part).pid
        assert found is not None
        return found

    async def serves(self, database: str) -> bool:
        """Whether every server has a lease on that database."""
        try:
            reports = [await driver.poll() for driver in self.drivers.servers.values()]
        except DriverError:
            return False
        return all(report.lease_seconds and report.database == database for report in reports)

    async def settled(self, active: str, standby: Standby) -> LedgerRecord:
        """Wait until the ledger says so, no operation has the pool, and all servers serve on that database."""
        async def so() -> bool:
            record = await self.ledger()
            return (record.active, record.standby, record.intent) == (active, standby, None) \
                and await self.serves(active)

        await until(so, f"{active} serves, {standby}", seconds=90.0)
        return await self.ledger()

    def operations(self) -> list[OperationState]:
        """Oldest first."""
        operator = Operator(self.settings, self.pool.folder, self.pool.config_path)
        return list(reversed(operator.operations()))

    async def done(self) -> list[tuple[str, str, str]]:
        """Kind, who, state of each operation, when none runs."""
        await until(lambda: not any(state.alive for state in self.operations()), "no operation runs")
        return [(state.kind, state.who, str(state.state)) for state in self.operations()]


@asynccontextmanager
async def guarded(guards: int = 1, ledger: str = "file") -> AsyncIterator[Scene]:
    async with EmbeddedPool(servers=2, users=5, guards=guards, ledger=ledger) as pool:
        settings = load(pool.config_path)
        drivers = open_drivers(settings, pool.folder)
        scene = Scene(pool, settings, drivers)
        try:
            await until(scene.active, "a guard is active")
            yield scene
        finally:
            await drivers.close()


async def test_a_killed_primary_is_replaced_and_comes_back_as_the_secondary() -> None:
    async with guarded() as scene:
        await scene.pool.kill("db1")
        record = await scene.settled("db2", Standby.SYNC)
        assert record.epoch == 2
        [(kind, who, state)] = await scene.done()
        assert (kind, who, state) == ("failover", "guard g1", "done")
        [operation] = scene.operations()
        assert "no server has a lease" in operation.reason
        assert [act.order for act in (await scene.record()).notes.acts] == [GuardOrder.FAILOVER]


async def test_a_killed_secondary_is_given_up_and_comes_back() -> None:
    async with guarded() as scene:
        await scene.pool.kill("db2")
        await scene.settled("db1", Standby.STALE)
        await scene.pool.start("db2")
        record = await scene.settled("db1", Standby.SYNC)
        assert record.epoch == 1
        done = [(kind, who) for kind, who, _ in await scene.done()]
        assert done == [("degrade", "guard g1"), ("protect", "guard g1")]


async def test_the_second_guard_acts_when_the_first_is_killed() -> None:
    async with guarded(guards=2) as scene:
        first = await scene.active()
        assert first is not None
        await scene.pool.kill(first)
        second = {"g1": "g2", "g2": "g1"}[first]
        await until(scene.active, "the other guard is the active one", met=lambda name: name == second)
        await scene.pool.kill("db1")
        await scene.settled("db2", Standby.SYNC)
        assert [who for _, who, _ in await scene.done()] == [f"guard {second}"]


async def test_a_guard_that_was_stopped_for_long_does_nothing_when_it_wakes() -> None:
    """Its evidence is old then. The other operations of the pool did not notice it."""
    async with guarded() as scene:
        pid = await scene.pid("g1")
        os.kill(pid, signal.SIGSTOP)
        await scene.pool.pause("db2")
        await asyncio.sleep(1.0)
        await scene.pool.resume("db2")
        await until(scene.active, "no guard is active", met=lambda name: name is None)
        os.kill(pid, signal.SIGCONT)
        await until(scene.active, "it looks again", met=lambda name: name == "g1")
        assert await scene.done() == []


async def command(scene: Scene, *words: str) -> str:
    """`tuiha guard ...` as an operator gives it; its output. Its exit code must be 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "guard", *words, "--config", str(scene.pool.config_path),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode()


async def held_by(scene: Scene, hold: GuardHold) -> None:
    """Wait until the guard has all evidence for a failover, and only that holds it back."""
    def so(record: GuardRecord) -> bool:
        outlook = () if record.report is None else record.report.outlook
        return any(one.order is GuardOrder.FAILOVER and one.wait == 0.0 and [held.hold for held in one.held] == [hold]
                   for one in outlook)

    await until(scene.record, f"it is held back: {hold}", met=so)


async def test_what_operators_tell_it_by_recorded_operations() -> None:
    """Paused it does nothing; after its failover it leaves the next one to an operator who acknowledges it."""
    async with guarded() as scene:
        await command(scene, "pause", "--for", "10m", "--reason", "a disk is changed")
        pause = (await scene.record()).notes.pause
        assert pause is not None
        assert (pause.reason, round(pause.until - pause.at)) == ("a disk is changed", 600)
        await scene.pool.kill("db1")
        await held_by(scene, GuardHold.PAUSED)
        assert [kind for kind, _, _ in await scene.done()] == ["pause-guard"]
        await command(scene, "resume")
        await scene.settled("db2", Standby.SYNC)

        await scene.pool.kill("db2")
        await held_by(scene, GuardHold.ACKNOWLEDGE)
        assert (await scene.ledger()).active == "db2"
        await command(scene, "ack")
        await scene.settled("db1", Standby.SYNC)
        assert [kind for kind, _, state in await scene.done() if state == "done"] == [
            "pause-guard", "resume-guard", "failover", "acknowledge-guard", "failover"]
        assert (await scene.record()).notes.acknowledged_by == whoami()


async def test_a_ledger_in_etcd_keeps_guards_apart() -> None:
    """The one that is stopped loses its role by its lease, and the other one acts."""
    program()  # skips where there is none
    async with guarded(guards=2, ledger="etcd") as scene:
        first = await scene.active()
        assert first is not None
        os.kill(await scene.pid(first), signal.SIGSTOP)
        second = {"g1": "g2", "g2": "g1"}[first]
        await until(scene.active, "the other guard is the active one", met=lambda name: name == second)
        await scene.pool.kill("db1")
        await scene.settled("db2", Standby.SYNC)
        os.kill(await scene.pid(first), signal.SIGCONT)
        assert [(kind, who) for kind, who, _ in await scene.done()] == [("failover", f"guard {second}")]

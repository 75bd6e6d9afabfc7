"""A switchover whose runner was killed and whose journal is cut, lost, or gone with its folder, on a real pool."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.operate.database.test_pool import _sync, opened, protected, served_by
from tests.until import until
from tuiha.cli import exits
from tuiha.cli.main import main
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.drivers.protocols import DriverError
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.pool.layout import Layout
from tuiha.operate import api
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.reach.world import World
from tuiha.operate.records.history import verify
from tuiha.operate.records.journal import read_records
from tuiha.operate.records.state import OperationState

pytestmark = pytest.mark.pool


@dataclass
class Operator:
    pool: EmbeddedPool
    settings: Pool

    async def killed_in(self, number: int) -> str:
        """A switchover whose runner was killed as soon as this step had begun."""
        operation = await self.apply("switchover")
        journal = self.journal(operation)
        begun = ("step", number)
        await until(lambda: begun in {(r["record"], r.get("step")) for r in read_records(journal)}, pause=0.001)
        os.kill([record["pid"] for record in read_records(journal) if "pid" in record][-1], signal.SIGKILL)

        async def gone() -> bool:
            return self.operator.operation(operation).interrupted

        await until(gone)
        return operation

    @property
    def operator(self) -> api.Operator:
        return api.Operator(self.settings, self.pool.folder, self.pool.config_path, "test")

    async def apply(self, kind: str) -> str:
        plan = await self.operator.plan(kind)
        async with asyncio.timeout(60):
            while [check.value for check in plan.stopped_by] == ["its process is alive"]:
                await asyncio.sleep(0.5)  # it was killed just now
                plan = await self.operator.plan(kind)
        assert not plan.stopped_by
        return await self.operator.apply(plan, plan.confirm, "test")

    async def ended(self, operation: str) -> OperationState:
        states = [state async for state in self.operator.follow(operation)]
        return states[-1]

    def journal(self, operation: str) -> Path:
        return self.operator.store.find(operation).journal


def cut_in(journal: Path, step: int) -> None:
    """In the middle of the record that the step begins."""
    lines = journal.read_bytes().splitlines(keepends=True)
    records = read_records(journal)
    place = next(i for i, r in enumerate(records) if r["record"] == "step" and r["step"] == step)
    journal.write_bytes(b"".join(lines[:place]) + lines[place][:len(lines[place]) // 2])


async def is_active(world: World, name: str) -> bool:
    """Whether a database is a primary that gives leases."""
    with suppress(DriverError):
        report = await world.drivers.databases[name].poll()
        return bool(report.writable and report.epoch and report.epoch.active == name and report.epoch.state == "ACTIVE")
    return False


async def test_lost_journals_split_nothing_and_have_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    async with EmbeddedPool(servers=2, users=10) as pool, opened(pool) as world:
        await served_by(world)
        operator = Operator(pool, load(pool.config_path))
        settings, base, config = operator.settings, pool.folder, pool.config_path

        operation = await operator.killed_in(8)  # db2 is promoted
        cut_in(operator.journal(operation), 7)
        with pytest.raises(OperationRefused, match="point of no return"):
            await api.Operator(settings, base, config, "test").undo(operation)
        assert not await is_active(world, "db1")
        shutil.rmtree(operator.journal(operation).parent)
        state = await operator.ended(await operator.apply("reclaim"))
        assert (state.state, state.plan.details["way"]) == ("done", "finish"), state.text
        await until(lambda: _sync(world, "db2"))
        await protected(world, "db2", 2)
        assert await served_by(world) == {("db2", 2)}

        operation = await operator.killed_in(5)  # db2 is being stopped
        shutil.rmtree(operator.journal(operation).parent)
        state = await operator.ended(await operator.apply("reclaim"))
        assert (state.state, state.plan.details["way"]) == ("done", "back"), state.text
        await until(lambda: _sync(world, "db2"))
        await protected(world, "db2", 2)

        operation = await operator.killed_in(8)
        operator.journal(operation).unlink()
        await api.Operator(settings, base, config, "test").resume(operation)
        assert (await operator.ended(operation)).state == "done"
        await protected(world, "db1", 3)

        await _recorded(operator, 3, capsys)


async def _recorded(operator: Operator, records: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The history knows them all, and the command misses an event that somebody removes."""
    pool = operator.pool

    async def command() -> int:
        """In a thread, as it has a loop of its own."""
        return await asyncio.to_thread(main, ["operations", "--verify", "--config", str(pool.config_path)])

    found = await until(lambda: verify(operator.settings, pool.folder), "the copy, which comes after the result",
                        met=lambda seen: seen.records >= records)
    assert found.broken == ()
    capsys.readouterr()
    assert await command() == exits.OK
    assert f"the history is whole: {found.records} records" in capsys.readouterr().out
    node = next(node for node in operator.settings.database.nodes if node.name == "db1")
    host, _, port = node.address.rpartition(":")
    owner = await asyncpg.connect(host=host, port=int(port), user="tuiha_owner", database="tuiha", ssl=False,
                                  password=Layout(pool.folder).read_secret("tuiha_owner"), timeout=10)
    await owner.execute("DELETE FROM event WHERE text LIKE 'reclaim %'")
    await owner.close()
    assert await command() == exits.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "seals the events" in said.err
    await pool.kill("db1")
    await pool.kill("db2")
    assert await command() == exits.UNREACHABLE
    assert "connection refused" in capsys.readouterr().err

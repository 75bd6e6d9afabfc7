"""Changes of the pair's roles on a real pool, step by step as the runner takes them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.operate.support import Told, planned, read_back, run
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess
from tuiha.model.operations.plans import CheckVerdict
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate import api
from tuiha.operate.database import KINDS
from tuiha.operate.plans.kinds import OperationRefused, StepFailed
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.records.journal import read_records
from tuiha.words.operations import text

pytestmark = pytest.mark.pool

# Some 20 MB that cannot be compressed: more than a segment of the log.
SEGMENTS = """
INSERT INTO event (severity, subject, text)
SELECT 'note', 'db2', (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 31250)) || n
  FROM generate_series(1, 20) n
"""


@asynccontextmanager
async def opened(pool: EmbeddedPool) -> AsyncIterator[World]:
    async with open_world(load(pool.config_path), pool.config_path.parent) as world:
        yield world


async def ledger(world: World) -> LedgerRecord:
    assert world.drivers.ledger is not None
    return await world.drivers.ledger.poll()


async def served_by(world: World, *servers: str) -> set[tuple[str | None, int | None]]:
    """Database and epoch of every server that has a lease; waits until all have one."""
    reports = {name: await world.drivers.servers[name].poll() for name in servers or world.drivers.servers}

    async def leased() -> bool:
        for name in reports:
            reports[name] = await world.drivers.servers[name].poll()
        return all(report.lease_seconds for report in reports.values())

    await until(leased)
    return {(report.database, report.epoch) for report in reports.values()}


async def protected(world: World, active: str, epoch: int) -> None:
    """The ledger, the database and the servers agree, and a commit waits for the secondary."""
    record = await ledger(world)
    assert (record.active, record.epoch, record.standby, record.phase) == (active, epoch, Standby.SYNC, "STEADY")
    report = await world.drivers.databases[active].poll()
    partner = next(name for name in world.databases if name != active)
    assert [(row.name, row.sync_state) for row in report.replication] == [(partner, "sync")]
    assert report.synchronous_names == f"FIRST 1 ({partner})"
    assert report.timeline == record.timeline
    slots = await world.databases[active].fetch("SELECT slot_name, active FROM pg_replication_slots")
    assert [tuple(row) for row in slots] == [(partner, True)]
    assert await world.databases[partner].value("SELECT count(*) FROM pg_replication_slots") == 0
    assert await served_by(world) == {(active, epoch)}


async def whole(pool: EmbeddedPool, kind: str) -> tuple[Plan, dict[int, Statement]]:
    """Plan and run an operation without any check overridden."""
    async with opened(pool) as world:
        made = KINDS[kind]()
        plan = await planned(world, made)
        assert plan.stopped_by == ()
        return plan, await read_back(world, made, plan)


async def applied(pool: EmbeddedPool, kind: str) -> Mapping[str, Any]:
    """Plan it and have a runner do it; its figures."""
    settings, base = load(pool.config_path), pool.folder
    plan = await api.Operator(settings, base, pool.config_path).plan(kind)
    operation = await api.Operator(settings, base, pool.config_path, "test").apply(plan, plan.confirm, "test")
    async for state in api.Operator(settings, base, pool.config_path).follow(operation):
        last = state
    assert last.state == "done", last.text
    return last.outcome or {}


async def test_there_and_back_under_load() -> None:
    async with EmbeddedPool(servers=2, users=20) as pool, opened(pool) as world:
        load_process = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "20", "--wait", "3")
        try:
            async def registered() -> bool:
                figures = load_process.figures()
                return figures is not None and figures["registered"] == figures["devices"] > 0

            await until(registered)
            plan, evidence = await whole(pool, "switchover")
            await protected(world, "db2", 2)
            outcome = KINDS["switchover"]().outcome(plan, evidence)
            assert isinstance(outcome["outage_ms"], float)
            assert 0 < outcome["outage_ms"] < 10_000
            # A journal that lost its last records runs steps again: from the epoch on all find that they are done.
            again = await run(world, KINDS["switchover"](), plan, only=range(7, 14))
            assert len(again) == 7
            await protected(world, "db2", 2)
            outcome = await applied(pool, "switchover")
            await protected(world, "db1", 3)
            assert outcome["requests_failed"] == 0
            assert isinstance(outcome["requests_delayed"], int)
            assert outcome["requests_delayed"] > 0
            report = await load_process.stop()
        finally:
            await load_process.kill()
        assert (report["failures"], report["lost"], report["doubled"], report["monitored_twice"]) == (0, 0, 0, 0)
        assert report["messages"] > 0


@pytest.mark.parametrize("kind", ["switchover", "failover"])
async def test_the_old_primary_needs_no_copy_although_the_log_went_on_to_further_segments(kind: str) -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, opened(pool) as world:
        await served_by(world)
        if kind == "failover":
            await pool.kill("db1")
        change = KINDS[kind]()
        plan = await planned(world, change)
        rejoining = next(step.number for step in plan.steps if "becomes the secondary" in step.action)
        await run(world, change, plan, only=range(1, rejoining))
        for _ in range(2):  # what was written before goes with the checkpoint, unless it is kept
            await world.databases["db2"].fetch(SEGMENTS, seconds=60.0)
            await world.databases["db2"].fetch("CHECKPOINT", seconds=60.0)
        evidence = await run(world, change, plan, only=range(rejoining, len(plan.steps) + 1))
        assert "db1 streams from db2" in evidence[rejoining]
        assert "fresh copy" not in evidence[rejoining]
        await protected(world, "db2", 2)


async def test_every_step_before_the_point_of_no_return_can_be_taken_back() -> None:
    async with EmbeddedPool(servers=2, users=20) as pool, opened(pool) as world:
        for far in range(1, 7):
            kind = KINDS["switchover"]()
            plan = await planned(world, kind)
            assert plan.point_of_no_return == 7
            steps = kind.steps(plan)[:far]
            for step in steps:
                await step.run(world, Told())
            for step in reversed(steps):
                await step.undo(world, Told())
            await served_by(world)
            await until(lambda: _sync(world, "db1"))
            await protected(world, "db1", 1)


async def test_a_killed_primary_fails_over_and_never_serves_until_it_rejoined() -> None:
    async with EmbeddedPool(servers=2, users=20) as pool, opened(pool) as world:
        await served_by(world)
        alive = await planned(world, KINDS["failover"]())
        assert {check.name for check in alive.stopped_by} == {"disputed", "receiving"}
        await pool.kill("db1")
        kind = KINDS["failover"]()
        plan = await planned(world, kind)
        assert plan.stopped_by == ()
        assert plan.loses.startswith("Nothing is lost")
        before = [step.number for step in plan.steps if "becomes the secondary" not in step.action
                  and "commits on" not in step.action]
        evidence = await run(world, kind, plan, only=before)
        assert "2 servers confirm" in evidence[5]
        assert (await ledger(world)).standby is Standby.STALE
        assert await served_by(world) == {("db2", 2)}
        # It comes back by itself, as the primary that it was: nobody goes there, and the split blocks a switchover.
        await pool.start("db1")

        async def stray() -> bool:
            return not await world.databases["db1"].value("SELECT pg_is_in_recovery()")

        await until(lambda: _answers(stray))
        assert await served_by(world) == {("db2", 2)}
        await asyncio.sleep(1.0)
        assert await world.databases["db1"].value(
            "SELECT count(*) FROM lease WHERE renewed_at > clock_timestamp() - interval '1 second'") == 0
        blocked = await planned(world, KINDS["switchover"]())
        assert "split" in {c.name for c in blocked.checks if c.verdict is CheckVerdict.NEVER}
        _, rejoined = await whole(pool, "rejoin")
        assert "rewound" in text(rejoined[1])
        await protected(world, "db2", 2)
        assert await world.databases["db1"].value("SELECT pg_is_in_recovery()") is True
        await whole(pool, "switchover")
        await protected(world, "db1", 3)


async def _answers(look: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await look()
    except DatabaseGone:
        return False


async def test_a_server_that_cannot_answer_is_waited_for_as_long_as_its_lease() -> None:
    async with EmbeddedPool(servers=2, users=20) as pool, opened(pool) as world:
        await served_by(world)
        await pool.pause("s2")
        await pool.kill("db1")
        kind = KINDS["failover"]()
        plan = await planned(world, kind)
        assert plan.stopped_by == ()
        evidence = await run(world, kind, plan, only=range(1, 9))
        assert "the lease of s2 expired" in evidence[5]
        await pool.resume("s2")
        steps = kind.steps(plan)[8:]
        for step in steps:
            await step.run(world, Told())
        await protected(world, "db2", 2)


async def test_without_its_secondary_the_pool_goes_on_when_told_and_a_fresh_copy_comes_back() -> None:
    async with EmbeddedPool(servers=2, users=20) as pool, opened(pool) as world:
        await served_by(world)
        await pool.kill("db2")
        await whole(pool, "degrade")
        record = await ledger(world)
        assert (record.active, record.standby) == ("db1", Standby.STALE)
        await served_by(world)
        with pytest.raises(OperationRefused, match="degraded already"):
            await planned(world, KINDS["degrade"]())
        # Without a control file it can be neither rewound nor started.
        (pool.folder / "db2" / "data" / "global" / "pg_control").unlink()
        _, evidence = await whole(pool, "rejoin")
        assert "a fresh copy" in text(evidence[1])
        await protected(world, "db1", 1)


async def test_degrade_and_failover_cannot_both_win() -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, opened(pool) as world:
        await served_by(world)
        await pool.kill("db2")
        degrade = KINDS["degrade"]()
        plan = await planned(world, degrade)
        await pool.start("db2")
        failover = KINDS["failover"]()

        async def answers() -> bool:
            return bool(await world.databases["db2"].value("SELECT pg_is_in_recovery()"))

        await until(lambda: _answers(answers))
        disputed = await planned(world, failover)
        announce = failover.steps(disputed)[0]
        await announce.run(world, Told())
        with pytest.raises(StepFailed, match="phase FAILOVER"):
            await degrade.steps(plan)[0].run(world, Told())
        await announce.undo(world, Told())
        await degrade.steps(plan)[0].run(world, Told())
        with pytest.raises(StepFailed, match="STALE"):
            await announce.run(world, Told())


async def test_a_primary_that_nobody_can_fence_acknowledges_nothing_any_more() -> None:
    async with EmbeddedPool(servers=2, users=10) as pool, opened(pool) as world:
        await served_by(world)
        agents, world.agents = world.agents, {}
        kind = KINDS["failover"]()
        evidence = await run(world, kind, await planned(world, kind))  # checks apart: the steps hold
        assert "its leases expire" in evidence[3]
        assert "rejoin db1" in evidence[12]
        assert await served_by(world) == {("db2", 2)}
        old = world.databases["db1"]
        assert await old.value("SELECT pg_is_in_recovery()") is False
        with pytest.raises(DatabaseGone):  # a commit there waits for a secondary that follows no more
            await old.fetch("INSERT INTO event (severity, subject, text) VALUES ('note', 'db1', 'late')", seconds=1.0)
        assert await served_by(world) == {("db2", 2)}
        world.agents = agents
        await whole(pool, "rejoin")
        await protected(world, "db2", 2)
        assert await world.databases["db2"].value("SELECT count(*) FROM event WHERE text = 'late'") == 0


async def test_a_runner_killed_in_the_middle_is_resumed_or_taken_back() -> None:
    async with EmbeddedPool(servers=2, users=10) as pool, opened(pool) as world:
        await served_by(world)
        settings, base = load(pool.config_path), pool.folder

        async def killed_in(number: int) -> str:
            plan = await api.Operator(settings, base, pool.config_path).plan("switchover")
            operation = await api.Operator(settings, base, pool.config_path, "test").apply(plan, plan.confirm, "test")
            journal = api.Operator(settings, base, pool.config_path).store.find(operation).journal

            async def there() -> bool:
                return any(r["record"] == "step" and r["step"] == number for r in read_records(journal))

            await until(there, pause=0.001)
            pids = [record["pid"] for record in read_records(journal) if "pid" in record]
            os.kill(pids[-1], signal.SIGKILL)

            async def gone() -> bool:
                return api.Operator(settings, base, pool.config_path).operation(operation).interrupted

            await until(gone)
            return operation

        async def ended(operation: str) -> str:
            async for state in api.Operator(settings, base, pool.config_path).follow(operation):
                last = state
            return last.state

        operation = await killed_in(5)
        await api.Operator(settings, base, pool.config_path, "test").undo(operation)
        assert await ended(operation) == "undone"
        await until(lambda: _sync(world, "db1"))
        await protected(world, "db1", 1)
        operation = await killed_in(8)
        await api.Operator(settings, base, pool.config_path, "test").resume(operation)
        assert await ended(operation) == "done"
        await protected(world, "db2", 2)


async def _sync(world: World, active: str) -> bool:
    report = await world.drivers.databases[active].poll()
    return [row.sync_state for row in report.replication] == ["sync"]

"""Steps of a switchover that do not end: they are taken back, and the pool serves on."""

from __future__ import annotations

import os
import signal

import pytest

from tests.operate.support import Told, planned
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.reports import Standby
from tuiha.operate.database import KINDS
from tuiha.operate.database.steps import roles
from tuiha.operate.plans.kinds import ReadsBack, StepUnknown
from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.operate.reach.world import open_world
from tuiha.words.operations import text

pytestmark = pytest.mark.pool


async def test_a_stop_that_hangs_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_ENDING", 1.0)
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        kind = KINDS["switchover"]()
        plan = await planned(world, kind)
        *before, stop = kind.steps(plan)[:5]
        assert isinstance(stop, roles.Stop)
        for step in before:
            await step.run(world, Told())
        sender = await world.databases["db1"].value("SELECT pid FROM pg_stat_replication")
        os.kill(sender, signal.SIGSTOP)
        with pytest.raises(StepUnknown, match="did not stop within"):
            await stop.run(world, Told())
        for step in (stop, *reversed(before)):
            await step.undo(world, Told())
        assert await world.databases["db1"].value("SELECT state FROM pool_epoch") == "ACTIVE"
        report = await world.drivers.databases["db1"].poll()
        assert report.writable
        assert isinstance(kind, ReadsBack)

        async def nothing_left() -> bool:
            return not await kind.left(world, plan)

        await until(nothing_left)  # read back: db2 is synchronous again


async def _dropped_and_not_cancelled(primary: Coordinator) -> None:
    """A commit that waits for the secondary longer than the coordinator does: cancelled, it would be there at once."""
    with pytest.raises(DatabaseGone, match="no answer"):
        await primary.fetch("INSERT INTO event (severity, subject, text) VALUES ('note', 'db1', 'waits')", seconds=0.5)
    assert await primary.value("SELECT count(*)::int FROM event WHERE text = 'waits'") == 0


async def test_a_fence_whose_commit_waits_does_not_come_true_later() -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        kind = KINDS["switchover"]()
        plan = await planned(world, kind)
        *before, fence = kind.steps(plan)[:4]
        assert isinstance(fence, roles.FenceStep)
        for step in before:
            await step.run(world, Told())
        await pool.pause("db2")
        await _dropped_and_not_cancelled(world.databases["db1"])
        with pytest.raises((StepUnknown, DatabaseGone)):
            await fence.run(world, Told())
        for step in (fence, *reversed(before)):
            await step.undo(world, Told())
        assert world.drivers.ledger is not None
        assert (await world.drivers.ledger.poll()).standby is Standby.STALE  # it was lost, and is given up
        assert isinstance(kind, ReadsBack)
        left = "; ".join(map(text, await kind.left(world, plan)))  # which the result has to say
        assert "UNPROTECTED: the ledger shows db2 as STALE, before as SYNC: `tuiha plan protect`" in left
        assert "UNPROTECTED: commits wait for no secondary: synchronous_standby_names is empty" in left
        assert "UNPROTECTED" in text((await kind.lacking(world, plan))[0])
        await pool.resume("db2")
        pending = "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        assert await world.databases["db1"].value(pending) == 0
        assert await world.databases["db1"].value("SELECT state FROM pool_epoch") == "ACTIVE"

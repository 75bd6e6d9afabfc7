"""The way back is tried before the way there. `python -m tests.obstacles` plants all obstacles, one after the other."""

from __future__ import annotations

import pytest

from tests.obstacles.planted import OBSTACLES, Pair
from tests.operate.support import planned, run
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.check.finding import Level
from tuiha.model.reports import Standby
from tuiha.operate.database import KINDS
from tuiha.operate.plans.kinds import StepFailed
from tuiha.operate.reach.world import open_world
from tuiha.watch.check import check
from tuiha.words.findings import said

pytestmark = pytest.mark.pool
SOME = ("no line for replication on db2", "a wrong password", "recovery_target_timeline", "another application_name")


async def named(pool: EmbeddedPool) -> set[str]:
    """The remedies that `tuiha check` gives for db1."""
    checked = await check(load(pool.config_path), pool.folder, pool.config_path)
    return {said(one).fix for one in checked.findings if one.subject == "db1" and one.level is Level.BAD}


async def test_an_obstacle_stops_the_switchover_and_without_that_check_the_pool_ends_unprotected() -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        switchover, pair = KINDS["switchover"](), Pair(pool)
        for obstacle in (one for one in OBSTACLES if one.name in SOME):
            await pair.mend()
            assert (await planned(world, switchover)).stopped_by == ()
            await obstacle.plant(pair)
            plan = await planned(world, switchover)
            assert obstacle.check in {one.name for one in plan.stopped_by}
            remedies = {one.remedy for one in plan.stopped_by}
            assert remedies <= await named(pool)  # check says the same
        # Negative control: the last one, with its check left out.
        data = (pool.folder / "db1" / "data").stat().st_ino
        with pytest.raises(StepFailed, match="its data is unchanged: recovery_target_timeline"):
            await run(world, switchover, plan)
        assert world.drivers.ledger is not None
        record = await world.drivers.ledger.poll()
        assert (record.active, record.standby) == ("db2", Standby.STALE)
        assert (pool.folder / "db1" / "data").stat().st_ino == data

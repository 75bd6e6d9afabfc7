"""A fast stop that never ends, because a process of the old primary hangs: it is taken back, and the pool serves on."""

from __future__ import annotations

import os
import signal

import pytest

from tests.operate.support import Told, planned
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.database import KINDS, roles
from tuiha.operate.kinds import StepUnknown
from tuiha.operate.world import open_world

pytestmark = pytest.mark.pool


async def test_a_stop_that_hangs_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_ENDING", 1.0)
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        kind = KINDS["switchover"]()
        *before, stop = kind.steps(await planned(world, kind))[:5]
        assert isinstance(stop, roles.Stop)
        for step in before:
            await step.run(world, Told())
        sender = await world.databases["db1"].value("SELECT pid FROM pg_stat_replication")
        os.kill(sender, signal.SIGSTOP)
        with pytest.raises(StepUnknown, match="did not end within"):
            await stop.run(world, Told())
        for step in (stop, *reversed(before)):
            await step.undo(world, Told())
        assert await world.databases["db1"].value("SELECT state FROM pool_epoch") == "ACTIVE"
        report = await world.drivers.databases["db1"].poll()
        assert report.writable

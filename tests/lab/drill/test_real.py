"""Drills on real pools: a fault that must do no harm, and a planted loss that must be found."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
import pytest

from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.lab.drill.acts import Kill, Leased, Start, Wait
from tuiha.lab.drill.run import drill
from tuiha.lab.drill.scenario import Scenario
from tuiha.lab.drill.stage import Stage

pytestmark = pytest.mark.pool


@dataclass(frozen=True)
class Forget:
    """Take an acknowledged write out of the database again."""

    text: str = "forget a device"

    async def do(self, stage: Stage) -> None:
        stage.mark()
        settings, device = load(stage.pool.config_path), stage.observer.recording.acks[-5].device
        role = settings.database.roles.pool
        host, _, port = settings.database.nodes[0].address.rpartition(":")
        connection = await asyncpg.connect(
            host=host, port=int(port), user=role.user, database=settings.database.name, ssl=False,
            password=resolve(role.password, stage.pool.folder))
        try:
            assert await connection.execute("DELETE FROM device WHERE name = $1", device) == "DELETE 1"
        finally:
            await connection.close()


async def test_the_primary_restarts_by_itself() -> None:
    said: list[str] = []
    acts = (Kill(("db1",)), Wait(0.5), Start("db1"), Leased("db1"))
    verdict = await drill(Scenario("short", "db1 dies and comes back", "steady", acts, failed=None), said.append)
    assert verdict.ok, (verdict.broken, verdict.examples)
    assert verdict.outage_ms is not None
    assert verdict.outage_ms > 300
    assert verdict.writes is not None
    assert verdict.writes > 10
    assert {"db1": 3} in [counts for _, counts in verdict.leases]
    assert "  kill -9 db1" in said


async def test_a_write_that_the_database_forgot_is_found() -> None:
    verdict = await drill(Scenario("forgetful", "a device is forgotten", "steady", (Forget(),)), lambda _: None)
    assert not verdict.ok
    assert verdict.lost == 1
    assert verdict.split == verdict.doubled == 0

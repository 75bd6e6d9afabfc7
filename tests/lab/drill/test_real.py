"""Drills on real pools: a fault that must do no harm, and a planted loss that must be found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import asyncpg
import pytest

from tests.programs.linearizable import verdict as judged
from tests.proof.growing import histories
from tests.proof.linearizability import Answer
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.lab.drill.acts.base import Kill, Leased, Start, Wait
from tuiha.lab.drill.observation.history import history
from tuiha.lab.drill.run import drill
from tuiha.lab.drill.scenario import Scenario
from tuiha.lab.drill.stage import Stage
from tuiha.lab.drill.verdict import Run
from tuiha.lab.pool.layout import Layout
from tuiha.model.reports import Standby
from tuiha.operate.reach.control import ControlClient

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


@dataclass(frozen=True)
class PromoteCarelessly:
    """Negative control: a failover that waits for nobody's lease. s3 is told of it, s1 and s2 are not."""

    text: str = "promote db2 without waiting for leases"

    async def do(self, stage: Stage) -> None:
        stage.mark()
        settings, layout = stage.settings, Layout(stage.pool.folder)
        host, _, port = settings.database.nodes[1].address.rpartition(":")
        connection = await asyncpg.connect(host=host, port=int(port), user="postgres", ssl=False,
                                           database=settings.database.name, password=layout.read_secret("postgres"))
        try:
            assert await connection.fetchval("SELECT pg_promote()")
            await connection.execute("UPDATE pool_epoch SET epoch = 2, active = 'db2', changed_at = clock_timestamp()")
        finally:
            await connection.close()
        ledger = FileLedger(layout.ledger, "demo")
        record = await ledger.poll()
        await ledger.replace(record, replace(record, epoch=2, active="db2", standby=Standby.STALE, timeline=2))
        control = ControlClient(settings, stage.pool.folder, layout.read_secret("operator"))
        try:
            await control.post(settings.servers[2].address, "attach", {"epoch": 2, "database": "db2"})
        finally:
            await control.close()


def linearizable(scenario: Scenario, run: Run) -> Answer:
    """What the judge that knows nothing of the pool says of the run's history."""
    read = next(histories(history(scenario.name, run.recording, run.kept, run.looked)))
    assert read.size > 100
    return judged(read)[0]


async def test_a_forgotten_write_and_a_failover_without_the_lease_wait_are_found() -> None:
    acts = (Forget(), PromoteCarelessly(), Wait(3))
    scenario = Scenario("careless", "nobody's lease is waited for", "steady", acts, ends_on="db2", protected=False,
                        grace=1.0)
    runs: list[Run] = []
    verdict = await drill(scenario, lambda _: None, keep=lambda _, run: runs.append(run))
    assert not verdict.ok
    assert linearizable(scenario, runs[0]) is Answer.NOT, "the judge from outside found nothing"
    assert verdict.examples["lost"][0].startswith("witness-"), verdict
    assert verdict.split, verdict
    both = [at for at, counts in verdict.leases if len(counts) == 2]
    after = [at for at, counts in verdict.leases if both and at > both[-1]]
    if both and after and after[0] - both[0] > 2.0:  # else a slow machine let them end first
        assert verdict.late, verdict
        assert any(text.startswith(("s1", "s2")) for text in verdict.examples["late"])


async def test_the_primary_restarts_by_itself() -> None:
    said: list[str] = []
    runs: list[Run] = []
    acts = (Kill(("db1",)), Wait(0.5), Start("db1"), Leased("db1"))
    scenario = Scenario("short", "db1 dies and comes back", "steady", acts)
    verdict = await drill(scenario, said.append, keep=lambda _, run: runs.append(run))
    assert linearizable(scenario, runs[0]) is Answer.LINEARIZABLE
    assert verdict.ok, (verdict.broken, verdict.examples)
    assert verdict.outage_ms is not None
    assert verdict.outage_ms > 300
    assert verdict.writes is not None
    assert verdict.writes > 10
    assert {"db1": 3} in [counts for _, counts in verdict.leases]
    assert "  kill -9 db1" in said

"""Rules of single steps: who may announce, what comes first when a secondary is given up, who must be fenced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.operate.support import Told
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.protocols import AgentError
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate.database.steps.base import Job
from tuiha.operate.database.steps.epochs import Announce
from tuiha.operate.database.steps.replication import FenceOld
from tuiha.operate.database.steps.roles import give_up_secondary
from tuiha.operate.plans.kinds import StepFailed
from tuiha.operate.reach.world import World
from tuiha.words.operations import text

SYSTEM = "7574021387012345678"
JOB = Job("db1", "db2", 4, 7, SYSTEM, "SYNC", "FAILOVER", {})
STEADY = LedgerRecord("west", 4, "db1", Standby.SYNC, SYSTEM, 7)


class Database:
    """Takes every setting; at each one it is noted what the ledger says."""

    name = "db1"

    def __init__(self, look: Callable[[], Any]) -> None:
        self._look = look
        self.seen: list[Standby] = []

    async def fetch(self, statement: str, *_: Any, seconds: float) -> list[tuple[str]]:
        if statement.startswith("ALTER SYSTEM"):
            self.seen.append((await self._look()).standby)
        return [("",)]


class Unreachable:
    """An agent whose host is gone."""

    async def fence(self) -> bool:
        raise AgentError("no route to host")


async def world(folder: Path, record: LedgerRecord = STEADY) -> World:
    ledger = FileLedger(folder / "ledger.json", record.pool)
    await ledger.create(record)
    return World(cast(Any, None), folder, cast(Any, SimpleNamespace(ledger=ledger)), cast(Any, None),
                 cast(Any, {"db1": Database(ledger.poll)}), agents=cast(Any, {"db1": Unreachable()}))


@pytest.mark.parametrize("other", [{"phase": "SWITCHING"}, {"epoch": 5}, {"active": "db2"}, {"standby": Standby.STALE}])
async def test_a_change_of_roles_is_not_announced_over_another_one(tmp_path: Path, other: dict[str, Any]) -> None:
    there = await world(tmp_path, replace(STEADY, **other))
    assert there.drivers.ledger is not None
    before = await there.drivers.ledger.poll()
    with pytest.raises(StepFailed, match="the ledger was not changed"):
        await Announce(JOB, 1).run(there, Told())
    assert await there.drivers.ledger.poll() == before


async def test_the_ledger_gives_the_secondary_up_before_the_primary_does(tmp_path: Path) -> None:
    there = await world(tmp_path)
    await give_up_secondary(there, "db1", 4, "STEADY")
    assert cast(Any, there.databases["db1"]).seen == [Standby.STALE]


async def test_a_primary_goes_on_waiting_when_a_failover_has_the_ledger(tmp_path: Path) -> None:
    there = await world(tmp_path, replace(STEADY, phase="FAILOVER"))
    with pytest.raises(StepFailed, match="phase FAILOVER"):
        await give_up_secondary(there, "db1", 4, "STEADY")
    assert cast(Any, there.databases["db1"]).seen == []


async def test_a_primary_that_waits_for_nobody_must_be_fenced(tmp_path: Path) -> None:
    there = await world(tmp_path)
    assert "its leases expire" in text(await FenceOld(JOB, 3).run(there, Told()))
    with pytest.raises(StepFailed, match=r"db1 runs unprotected and cannot be fenced: no route to host"):
        await FenceOld(replace(JOB, standby="STALE"), 3).run(there, Told())

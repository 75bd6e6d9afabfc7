"""The step that protects, on pretended databases: what it leaves when it does not come to its end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.doubles.ledger import MemoryLedger
from tests.operate.support import Told
from tuiha.drivers.databases import durability
from tuiha.drivers.databases.positions import FOLLOWER_HAS, FOLLOWER_STREAM, IN_RECOVERY, SYSTEM_IDENTIFIER
from tuiha.model.operations.evidence import Loses
from tuiha.model.operations.plans import nothing
from tuiha.model.quotes import wait_for
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate.database import remains
from tuiha.operate.database.steps import replication
from tuiha.operate.database.steps.base import Job
from tuiha.operate.database.steps.replication import ProtectAfter, ProtectHere
from tuiha.operate.plans.kinds import StepFailed, StepUnknown
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.world import World
from tuiha.pooldb.statements.epochs import ACTIVE_EPOCH, HAS_STANDBY
from tuiha.words.operations import text

RECORD = LedgerRecord("east", 3, "db1", Standby.SYNC, "7", 3)
JOB = Job("db1", "db2", 3, 3, "7", "SYNC", "STEADY", {})
PLAN = Plan("", "east", "protect", (), "east", (), (), nothing(Loses.NOTHING()), 0.0, 0.0, {}, JOB.details())
NAMES = "ALTER SYSTEM SET synchronous_standby_names = "
LIMIT = 1.0  # seconds of a lease: a fifth of it is what commits may wait


class Row(dict[str, Any]):
    """By name and by number, and as a tuple of its values."""

    def __getitem__(self, key: Any) -> Any:
        return [*self.values()][key] if isinstance(key, int) else super().__getitem__(key)

    def __iter__(self) -> Any:
        return iter(self.values())


@dataclass
class Database:
    """The active one; its secondary streams for `looks` looks after commits were made to wait for it."""

    ledger: MemoryLedger
    looks: int
    name: str = "db1"
    names: str = wait_for("db2")
    silences: bool = False  # the ledger is out of reach from then on
    sync_state: str = "sync"
    called: str = "db2"  # what the secondary calls itself
    settings: tuple[dict[str, str | None], ...] = ()  # of roles and databases
    others: tuple[str, ...] = ()  # who receives as well
    has: bool = True  # the secondary has what was confirmed in its name
    asked: bool = False

    def beside(self) -> Database:
        return self

    async def close(self) -> None:
        pass

    async def value(self, statement: str, *arguments: Any, seconds: float = 5.0) -> Any:
        rows = await self.fetch(statement, *arguments, seconds=seconds)
        return rows[0][0] if rows else None

    async def fetch(self, statement: str, *arguments: Any, seconds: float = 5.0) -> list[Row]:
        if statement.startswith(NAMES):
            self._set(statement.removeprefix(NAMES).strip("'"))
            return []
        answers: dict[str, dict[str, Any] | None] = {
            durability.QUESTION: self._waits_for(), ACTIVE_EPOCH: {"epoch": 3, "active": "db1", "state": "ACTIVE"},
            SYSTEM_IDENTIFIER: {"system": "7"}, FOLLOWER_STREAM: self._stream(), FOLLOWER_HAS: {"flushed": True},
            "SELECT current_setting($1)": {"names": self.names}, HAS_STANDBY: {"has": False},
            "SELECT pg_current_wal_flush_lsn()::text": {"here": "0/2"},
            durability.CONFIRMED: {"confirmed": "0/2"}, durability.HAS: {"has": self.has},
            IN_RECOVERY: {"recovering": False},
        }
        row = answers.get(statement)
        return [] if row is None else [Row(row)]

    def _set(self, names: str) -> None:
        self.names, self.asked = names, True
        self.ledger.said.append(f"names '{names}'")
        if self.silences:
            self.ledger.silent = True

    def _waits_for(self) -> dict[str, Any]:
        rows = [{"name": name, "state": "streaming", "sync_state": self.sync_state if self.names else "async",
                 "slot": "db2" if name == self.called else None} for name in (self.called, *self.others)]
        return {"names": self.names, "followers": json.dumps(rows), "slots": '["db2"]', "settings": json.dumps(
            self.settings), "session": '{"value": "on", "source": "client"}'}

    def _stream(self) -> dict[str, Any] | None:
        if self.asked:
            self.looks -= 1
        if self.looks < 0:
            return None
        return {"pid": 1, "state": "streaming", "sync_state": self.sync_state, "here": "0/1", "caught_up": True}


@dataclass
class Pair:
    """What a step works on."""

    database: Database
    ledger: MemoryLedger

    @property
    def world(self) -> World:
        return cast(World, SimpleNamespace(
            databases={"db1": self.database, "db2": self.database}, drivers=SimpleNamespace(ledger=self.ledger),
            agents={}, operation="", pool=SimpleNamespace(
                lease=SimpleNamespace(seconds=LIMIT), database=SimpleNamespace(manager=None))))

    async def protect(self) -> str:
        return text(await ProtectHere(JOB, 1).run(self.world, Told()))

    async def read_back(self) -> list[str]:
        return [text(one) for one in await remains.unprotected(self.world, PLAN)]


def of(standby: Standby, looks: int, **fields: Any) -> Pair:
    ledger = MemoryLedger(replace(RECORD, standby=standby))
    return Pair(Database(ledger, looks, **fields), ledger)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "_STEADY", 0.5)
    monkeypatch.setattr(replication, "_PAUSES", (0.01,))
    monkeypatch.setattr(remains, "_SETTLING", 0.0)


@pytest.mark.parametrize("sync_state", ["sync", "quorum"])  # a quorum of one is that one
async def test_a_secondary_that_streams_is_waited_for_and_then_counted_on(sync_state: str) -> None:
    here = of(Standby.STALE, 1000, sync_state=sync_state)
    assert "ledger SYNC: protected" in await here.protect()
    assert here.ledger.said == ["names 'FIRST 1 (db2)'", "ledger SYNC"]


async def test_while_the_ledger_counts_on_the_secondary_it_is_told_before_commits_wait_for_nobody() -> None:
    here = of(Standby.SYNC, 0)
    with pytest.raises(StepFailed, match="did not become synchronous"):
        await here.protect()
    assert here.ledger.said == ["names 'FIRST 1 (db2)'", "ledger STALE", "names ''"]


async def test_a_secondary_that_nobody_counts_on_is_simply_not_waited_for() -> None:
    here = of(Standby.STALE, 0)
    with pytest.raises(StepFailed, match="did not become synchronous"):
        await here.protect()
    assert here.ledger.said == ["names 'FIRST 1 (db2)'", "names ''"]


async def test_a_ledger_that_cannot_be_changed_leaves_commits_waiting() -> None:
    here = of(Standby.SYNC, 0, silences=True)
    with pytest.raises(StepUnknown, match="does not answer"):
        await here.protect()
    assert here.ledger.said == ["names 'FIRST 1 (db2)'"]
    here = of(Standby.STALE, 0, silences=True)
    with pytest.raises(StepFailed, match="did not become synchronous"):
        await here.protect()
    assert here.ledger.said == ["names 'FIRST 1 (db2)'", "names ''"]


LOCAL = {"value": "local", "role": "tuiha_pool", "database": None}
HOLES: list[tuple[str, dict[str, Any]]] = [
    (r"role tuiha_pool \(local\).* Next: `?ALTER ROLE tuiha_pool RESET synchronous_commit", {"settings": (LOCAL,)}),
    ("two connections use the name db2.* Next: `?give the other program an application_name", {"others": ("db2",)}),
    ("commits are acknowledged by archive", {"others": ("archive",)}),
]


@pytest.mark.parametrize(("says", "fields"), HOLES)
@pytest.mark.parametrize("before", Standby)
async def test_the_ledger_never_says_sync_while_a_commit_may_be_acknowledged_without_the_secondary(
    says: str, fields: dict[str, Any], before: Standby
) -> None:
    here = of(before, 1000, **fields)
    with pytest.raises(StepFailed, match=f"^db1 would acknowledge commits without db2: .*{says}"):
        await here.protect()
    told = ["ledger STALE"] if before is Standby.SYNC else []
    assert here.ledger.said == ["names 'FIRST 1 (db2)'", *told, "names ''"]


async def test_the_ledger_never_says_sync_while_a_copy_confirms_in_the_name_of_the_secondary() -> None:
    here = of(Standby.STALE, 1000, has=False)
    with pytest.raises(StepFailed, match=r"a copy of db2 confirms commits in its place.* Next: `?stop the copy of db2"):
        await here.protect()
    assert here.ledger.said == ["names 'FIRST 1 (db2)'", "names ''"]


@pytest.mark.parametrize(("says", "fields"), HOLES)
async def test_what_is_read_back_names_the_same_holes(says: str, fields: dict[str, Any]) -> None:
    found, = await of(Standby.SYNC, 1000, **fields).read_back()
    assert re.match(f"UNPROTECTED: .*{says}", found), found


async def test_what_is_read_back_goes_by_what_the_names_mean() -> None:
    for names in ("FIRST 1 (db2)", "db2", '"db2"', "1 (db2)", "ANY 1 (db2)"):
        assert await of(Standby.SYNC, 1000, names=names).read_back() == []
    found, = await of(Standby.SYNC, 1000, called="other").read_back()
    assert found.startswith("UNPROTECTED: commits are acknowledged by other")
    assert found.endswith("Next: `tuiha plan rejoin db2`, or `tuiha plan protect` when it streams")


@pytest.mark.parametrize(("says", "fields"), HOLES)
async def test_after_a_failover_what_a_dba_has_to_mend_is_told_and_ends_the_operation_all_the_same(
    says: str, fields: dict[str, Any]
) -> None:
    here = of(Standby.STALE, 1000, **fields)
    after = replace(JOB, old="db2", new="db1", epoch=2)  # db1 is active, and its epoch is the third
    assert re.match(f"not protected: db1 would acknowledge commits without db2: .*{says}",
                    text(await ProtectAfter(after, 1).run(here.world, Told())))
    assert (await here.ledger.poll()).standby is Standby.STALE

"""Following Patroni's leader: on a real pair whose secondary is promoted, with a ledger that says what a test wants."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_load import GOOD, write
from tests.doubles.ledger import MemoryLedger
from tests.drivers.conftest import Pair
from tests.server.support import attached, place
from tests.until import until
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.pooldb.migrations import is_current, migrate
from tuiha.server.database import patroni
from tuiha.server.database.attachment import Attachment
from tuiha.server.database.fence import Fence, Wires
from tuiha.server.database.identity import WrongDatabase
from tuiha.server.database.patroni import Following

_ROW = "SELECT epoch, active, state FROM pool_epoch"


@dataclass
class Scene:
    """A pair whose db2 was promoted while s1 had a lease on db1."""

    pair: Pair
    pool: Pool
    ledger: MemoryLedger
    fence: Fence
    now: list[float] = field(default_factory=lambda: [1000.0])

    def server(self, name: str, instance: str) -> Following:
        return Following(name, instance, self.pool, self.ledger, self.fence, clock=lambda: self.now[0])

    async def prepare(self, one: Following, name: str = "s1") -> str | None:
        """Why it may not attach to db2; None when it may."""
        try:
            await one.prepare(place(self.pair, "db2", name))
        except WrongDatabase as error:
            return str(error)
        return None

    async def row(self) -> tuple[int, str, str]:
        admin = await self.pair.admin(node=self.pair.db2)
        row = await admin.fetchrow(_ROW)
        await admin.close()
        return row["epoch"], row["active"], row["state"]


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    text = re.sub(r"  system_identifier: .*\n", "", GOOD).replace("pool: west", "pool: demo")
    return load(write(tmp_path, text))


@pytest.fixture
async def scene(own_pair: Pair, pool: Pool) -> AsyncIterator[Scene]:
    admin = await own_pair.admin()
    assert not await is_current(admin, follows=True)
    await migrate(admin, "demo", "db1", follows=True)
    assert await is_current(admin, follows=True)
    identifier = str(await admin.fetchval("SELECT system_identifier::text FROM pg_control_system()"))
    await admin.close()
    async with attached(own_pair, "s1", instance="one"):
        own_pair.db1.stop()
        promoted = await own_pair.admin(node=own_pair.db2)
        await promoted.fetchval("SELECT pg_promote()")
        await promoted.close()
    fence = Fence()
    fence.start()
    record = LedgerRecord("demo", 2, "db2", Standby.STALE, identifier, 2)
    yield Scene(own_pair, pool, MemoryLedger(record, why="Patroni cannot be asked"), fence)
    fence.stop()


async def test_the_epoch_waits_for_leases_on_the_old_leader(scene: Scene) -> None:
    other, namesake = scene.server("s2", "x"), scene.server("s1", "another process")
    told = scene.ledger.record
    assert told is not None
    for record, words in ((None, "does not confirm it: Patroni cannot be asked"),
                          (replace(told, active="db1", timeline=1), "Patroni's leader is db1 on timeline 1"),
                          (replace(told, timeline=3), "Patroni's leader is db2 on timeline 3"),
                          (replace(told, system_identifier="7"), "is another database system")):
        scene.ledger.record = record
        assert words in str(await scene.prepare(other))
    scene.ledger.record = told
    assert "a lease of s1 on the leader before it may hold for" in str(await scene.prepare(other))
    assert "a lease of s1" in str(await scene.prepare(namesake))
    scene.now[0] += 4.9
    assert "a lease of s1" in str(await scene.prepare(other))
    assert await scene.row() == (1, "db1", "ACTIVE")
    scene.now[0] += 0.5  # 5 s, one in a hundred, and the slack
    assert await scene.prepare(other) is None
    assert await scene.row() == (2, "db2", "ACTIVE")
    assert await scene.prepare(namesake) is None, "it has begun"


async def test_at_once_when_the_one_with_a_lease_has_let_go(scene: Scene) -> None:
    other = scene.server("s2", "x")
    assert "a lease of s1" in str(await scene.prepare(other))
    assert await scene.prepare(scene.server("s1", "one")) is None, "it is here, so it is not there"
    assert await scene.row() == (2, "db2", "ACTIVE")
    assert await scene.prepare(other) is None
    async with attached(scene.pair, "s1", instance="one", both=True) as server:
        found = server.gate.attachment
        assert found is not None
        assert (found.place.name, found.epoch) == ("db2", 2)


async def test_negative_control_without_the_look_at_leases_it_begins_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "SELECT server, 5.0 AS seconds FROM lease WHERE $1 = 0 AND $2 = 0.0 AND $3 = 0.0"
    monkeypatch.setattr(patroni, "MAY_HOLD", nobody)
    assert await scene.prepare(scene.server("s2", "x")) is None
    assert await scene.row() == (2, "db2", "ACTIVE")


async def test_a_pool_server_can_begin_no_other_epoch(scene: Scene) -> None:
    import asyncpg

    where = place(scene.pair, "db2")
    connection: Any = await asyncpg.connect(host=where.host, port=where.port, user=where.user, ssl=False,
                                            password=where.password, database=where.database)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("UPDATE pool_epoch SET epoch = 9")
    assert await connection.fetchval("SELECT follow_timeline('db2', 5)") is None, "not the epoch that is there"
    assert await connection.fetchval("SELECT follow_timeline('db2', 1)") == 2
    assert await connection.fetchval("SELECT follow_timeline('db1', 2)") is None, "no later timeline"
    await connection.close()


async def test_an_attached_server_goes_along(pool: Pool) -> None:
    quick = pool.model_copy(update={"watch": pool.watch.model_copy(update={"interval": 0.01})})
    ledger = MemoryLedger()
    follower = Following("s1", "one", quick, ledger, Fence())
    old = Attachment(place_of_nobody(), 3, "7", 3, Wires(1e12), 1)
    told: list[tuple[int, str]] = []
    running = asyncio.create_task(follower.run(lambda: old, lambda epoch, active: told.append((epoch, active))))
    await asyncio.sleep(0.1)
    ledger.record = LedgerRecord("demo", 3, "db1", Standby.SYNC, "7", 3)
    await asyncio.sleep(0.1)
    assert told == [], "Patroni is silent, or says what is so: the service goes on"
    ledger.record = LedgerRecord("demo", 4, "db2", Standby.SYNC, "7", 4)

    async def heard() -> list[tuple[int, str]]:
        return told

    await until(heard, met=lambda seen: (4, "db2") in seen)
    running.cancel()
    await asyncio.wait({running})


def place_of_nobody() -> Any:
    from tuiha.server.database.attachment import DatabasePlace

    return DatabasePlace("db1", "127.0.0.1", 1, "tuiha", "tuiha_pool", "", None, "tuiha:s1")

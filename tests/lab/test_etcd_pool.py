"""An embedded pool whose ledger is in etcd: a switchover on it, and what goes on without it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.drivers.etcdnode import program
from tests.until import until
from tuiha.config.load import load
from tuiha.drivers.factory import open_ledger
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.protocols import DriverError
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate import api
from tuiha.operate.records.state import OperationState

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    program()  # skips where there is none
    async with EmbeddedPool(servers=2, users=10, ledger="etcd") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def ledger(pool: EmbeddedPool) -> AsyncIterator[EtcdLedger]:
    opened = open_ledger(load(pool.config_path), pool.folder)
    assert isinstance(opened, EtcdLedger)
    yield opened
    await opened.close()


async def test_a_switchover_under_the_intents_lease(pool: EmbeddedPool, ledger: EtcdLedger) -> None:
    settings = load(pool.config_path)
    plan = await api.Operator(settings, pool.folder, pool.config_path).plan("switchover")
    assert not plan.stopped_by, plan.stopped_by
    name = await api.Operator(settings, pool.folder, pool.config_path, "test").apply(plan, plan.confirm)
    assert await ledger.holder() is not None
    last: OperationState | None = None
    async for last in api.Operator(settings, pool.folder, pool.config_path).follow(name):
        assert last.state != "failed", last.text
    assert last is not None
    assert last.state == "done", last.text
    record = await ledger.poll()
    assert (record.active, record.epoch, record.standby, record.phase) == ("db2", 2, "SYNC", "STEADY")
    assert record.intent is None
    assert await ledger.holder() is None


async def test_check_creates_the_first_record_in_etcd(pool: EmbeddedPool, ledger: EtcdLedger) -> None:
    config = pool.folder / "fresh.yaml"
    config.write_text(pool.config_path.read_text().replace("prefix: /tuiha", "prefix: /fresh"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "--config", str(config), "check", "--create-ledger",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    _, told = await process.communicate()
    known = await ledger.poll()
    assert f"ledger created: epoch {known.epoch}, {known.active} active, standby {known.standby}" in told.decode()
    fresh = open_ledger(load(config), pool.folder)
    assert fresh is not None
    assert replace(await fresh.poll(), revision=0) == replace(known, revision=0)
    await fresh.close()


async def test_without_etcd_nothing_is_planned_and_the_pool_serves(pool: EmbeddedPool, ledger: EtcdLedger) -> None:
    settings = load(pool.config_path)
    await pool.kill("etcd")
    with pytest.raises(Exception, match=r"no endpoint of etcd .*: connection refused"):
        await api.Operator(settings, pool.folder, pool.config_path).plan("switchover")
    await pool.start("etcd")

    async def back() -> bool:
        try:
            return (await ledger.poll()).epoch >= 1
        except DriverError:
            return False

    await until(back)
    assert not (await api.Operator(settings, pool.folder, pool.config_path).plan("switchover")).stopped_by

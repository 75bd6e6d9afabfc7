"""Each double keeps the contract of the part in whose place it stands; the real part is held to the same one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.doubles.contracts import basic, check_desk, check_device_interface, check_mail_server, check_patroni_rest
from tests.doubles.drivers import Fleet
from tests.doubles.ledger import MemoryLedger
from tests.doubles.mail_server import fake_mail_server
from tests.doubles.operator import FakeOperator
from tests.doubles.patroni_rest import LOGIN, patroni_double
from tests.doubles.sync_pool import DoublePool, sprayers
from tests.drivers.conftest import MailCluster, certificate, cluster, own_pair, pair, prepared_pair
from tests.operate.core.conftest import Studio, no_runner_stays, studio
from tests.server.conftest import node
from tests.server.interfaces import Running, pool
from tuiha.cli.operations.operator import PoolOperator
from tuiha.drivers.conformance import check_ledger, misfits
from tuiha.drivers.protocols import DriverError
from tuiha.watch.child.messages import outline_of

__all__ = ["certificate", "cluster", "no_runner_stays", "node", "own_pair", "pair", "pool",
           "prepared_pair", "studio"]
DOUBLES = sorted({*Path(__file__).parent.glob("*.py")} - {Path(__file__).with_name(f"{name}.py") for name in (
    "__init__", "contracts", "test_contracts")})


@pytest.mark.parametrize("path", DOUBLES, ids=lambda path: path.stem)
def test_a_double_says_that_it_is_one_and_why(path: Path) -> None:
    first = path.read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0]
    assert first.startswith(("A double", "Doubles")), path
    assert len(first.strip().splitlines()) > 2, "and why the real part cannot stand there"


# ---------------------------------------------------------------------------- mail servers


async def test_a_mail_server(cluster: MailCluster) -> None:
    cluster.add_user("contract", "secret")
    await check_mail_server(cluster.ports[0], "contract", "secret")


async def test_the_double_of_a_mail_server() -> None:
    async with fake_mail_server(password="secret") as (_, port):
        await check_mail_server(port, "contract", "secret")


# ---------------------------------------------------------------------------- the device interface


async def test_a_pool_server(pool: Running) -> None:
    async def ask(method: str, path: str, login: tuple[str, str] | None, body: Any = None, /) -> tuple[int, Any]:
        if login is None:
            answer = await pool.raw(method, "s1", path, {}, json=body)
        else:
            answer = await pool.ask(method, "s1", path, user=login[0], password=login[1], json=body)
        return answer.status, answer.body

    await check_device_interface(ask, "anna", "secret")


async def test_the_double_of_a_pool() -> None:
    async with sprayers(DoublePool()) as (address, _), aiohttp.ClientSession() as session:
        async def ask(method: str, path: str, login: tuple[str, str] | None, body: Any = None, /) -> tuple[int, Any]:
            headers = {} if login is None else basic(*login)
            async with session.request(method, f"http://{address}{path}", headers=headers, json=body) as answer:
                return answer.status, await answer.json(content_type=None)

        await check_device_interface(ask, "anna", "secret")


# ---------------------------------------------------------------------------- drivers and ledgers


async def test_the_double_of_a_ledger() -> None:
    ledger = MemoryLedger()
    assert (await check_ledger(lambda: ledger, "demo")).epoch == 3


async def test_doubles_of_drivers_report_what_drivers_can_report() -> None:
    fleet = Fleet()
    drivers = fleet.drivers()
    every: list[Any] = [*drivers.servers.values(), *drivers.databases.values(), *drivers.sprayers.values(),
                        *drivers.mail.values(), fleet.ledger]
    for driver in every:
        assert "poll" in driver.capabilities
        report = await driver.poll()
        assert [*misfits(report, type(report))] == []
        await driver.close()
        await driver.close()
        assert await driver.poll() == report, "a driver that is closed opens again"
    fleet.s1.error = DriverError("connection refused")
    with pytest.raises(DriverError):
        await drivers.servers["s1"].poll()


async def test_the_double_of_patroni() -> None:
    async with patroni_double() as double:
        await check_patroni_rest(double.address, LOGIN)
        assert double.told == []


# ---------------------------------------------------------------------------- the operator's desk


@asynccontextmanager
async def desk_of(studio: Studio) -> AsyncIterator[PoolOperator]:
    settings = studio.pool
    desk = PoolOperator(outline_of(settings), lambda: settings, studio.base, studio.config)
    try:
        yield desk
    finally:
        await asyncio.to_thread(desk.close)


async def test_the_operators_desk(studio: Studio) -> None:
    async with desk_of(studio) as desk:
        operation = await check_desk(desk, "paint", ("red",))
    assert (await studio.end(operation)).ended


async def test_the_double_of_the_operators_desk() -> None:
    fake = FakeOperator()
    assert await check_desk(fake, "switchover", ()) == fake.now.id

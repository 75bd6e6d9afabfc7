"""Why a target cannot be asked reaches whoever looks as a code, from every kind of driver."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.drivers.daemons import free_port
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.ledgers.gateway import Gateway
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import DriverError, LedgerDriver, MailDriver, ServerDriver, SprayerDriver
from tuiha.drivers.servers.pool import PoolServerDriver
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.model.facts import Polled
from tuiha.model.problems.causes import Cause
from tuiha.watch.targets import Target

Driver = LedgerDriver | MailDriver | ServerDriver | SprayerDriver


async def cause(driver: Driver) -> Cause:
    try:
        with pytest.raises(DriverError) as error:
            await driver.poll()
        return error.value.cause
    finally:
        await driver.close()


async def test_nothing_listens(tmp_path: Path) -> None:
    port = free_port()
    drivers: list[Driver] = [
        PoolServerDriver("s1", f"http://127.0.0.1:{port}", "x"), Haproxy("spray1", f"tcp:127.0.0.1:{port}"),
        Imap("mail1", f"127.0.0.1:{port}", "plain", "probe", "x"),
        EtcdLedger(Gateway([f"http://127.0.0.1:{port}"], 5.0), "/tuiha", "demo"),
    ]
    assert [await cause(driver) for driver in drivers] == [Cause.REFUSED] * len(drivers)
    assert await cause(Haproxy("spray1", f"unix:{tmp_path}/none")) is Cause.SOCKET


async def test_a_file_is_missing_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    assert await cause(FileLedger(path, "demo")) is Cause.MISSING
    path.write_text("{")
    assert await cause(FileLedger(path, "demo")) is Cause.DAMAGED


async def test_no_answer_in_time_is_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        driver = PoolServerDriver("s1", f"http://127.0.0.1:{mute.getsockname()[1]}", "x")
        target = Target(driver, Polled("s1", driver.address), 0.2)
        poll = target.begin()
        assert poll is not None
        await asyncio.create_task(poll)
        await driver.close()
    assert target.polled.cause is Cause.SILENT
    assert target.polled.error is not None

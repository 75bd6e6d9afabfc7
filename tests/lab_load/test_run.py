"""A whole load against the double: the report, and that planted faults reach it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.sync_pool import DoublePool, sprayers
from tuiha.lab.load.books import HistoryRow
from tuiha.lab.load.database import NoDatabase, Records
from tuiha.lab.load.devices import DevicePace, LoadUser
from tuiha.lab.load.figures import failed
from tuiha.lab.load.mailer import MailTarget
from tuiha.lab.load.run import LoadError, LoadOptions, run
from tuiha.lab.load.setup import LoadSetting
from tuiha.lab.load.tally import Latencies

MAIL = MailTarget("mail1", "127.0.0.1", 1, "plain", "monitor", "secret")
USERS = [LoadUser(f"user{n}", "secret") for n in range(6)]


class DoubleRecords(Records):
    """A double of the database: reads the history of the double pool."""

    def __init__(self, pool: DoublePool, answers: bool = True) -> None:
        super().__init__([])
        self._pool, self._answers = pool, answers

    async def clusters(self) -> dict[str, str]:
        return {user.name: "c1" for user in USERS}

    async def spread(self) -> dict[str, int]:
        return {"s1": len(USERS)}

    async def history(self, known: Mapping[str, int]) -> list[HistoryRow]:
        if not self._answers:
            raise NoDatabase("db1: no answer for 5 s")
        return self._pool.rows(dict(known))


async def load(pool: DoublePool, folder: Path, answers: bool = True) -> dict[str, Any]:
    count = 0

    async def deliver(_: MailTarget, user: str, message: bytes) -> None:
        nonlocal count
        count += 1
        message_id = message.split(b"Message-ID: <")[1].split(b">")[0].decode()
        if count == 5 and pool.skip:
            pool.skip.add(message_id)
        if count == 6 and pool.twice:
            pool.twice.add(message_id)
        await pool.deliver(user, message_id)

    async with sprayers(pool) as addresses:
        setting = LoadSetting(addresses, {"c1": [MAIL]}, [], 8.0)
        options = LoadOptions(
            folder / "load.json", seconds=2.0, rate=20, grace=2.0, pace=DevicePace(wait=1.0, ramp=200, looks=20)
        )
        return await run(setting, USERS, options, asyncio.Event(), DoubleRecords(pool, answers), deliver)


async def test_a_good_run(tmp_path: Path) -> None:
    report = await load(DoublePool(), tmp_path)
    assert not failed(report), report
    assert report["messages"] > 10
    assert report["changes"] > 10
    assert report["devices"] == report["registered"] == 9
    assert report["routed_direct_share"] == 1.0
    assert report["users_per_server"] == {"s1": 6}
    assert report["latency_ms"]["p50"] > 0
    live = json.loads((tmp_path / "load.json").read_text())
    assert live["schema"] == "tuiha.load/1"
    assert live["devices"] == 9
    assert {"at", "open", "oldest_open_seconds", "requests", "lost", "doubled", "monitored_twice"} <= set(live)


async def test_a_planted_loss_fails_the_run(tmp_path: Path) -> None:
    report = await load(DoublePool(skip={"planted"}), tmp_path)
    assert report["lost"] >= 1
    assert report["examples"]["lost"]
    assert failed(report)


async def test_a_planted_double_fails_the_run(tmp_path: Path) -> None:
    report = await load(DoublePool(twice={"planted"}), tmp_path)
    assert report["doubled"] >= 1
    assert report["lost"] == 0
    assert failed(report)


async def test_a_history_that_cannot_be_read_fails_the_run(tmp_path: Path) -> None:
    report = await load(DoublePool(), tmp_path, answers=False)
    assert report["history_read"] is False
    assert report["lost"] == 0
    assert failed(report)


async def test_no_user_of_the_file_is_in_the_database(tmp_path: Path) -> None:
    setting = LoadSetting(["127.0.0.1:1"], {"c1": [MAIL]}, [], 8.0)
    with pytest.raises(LoadError, match="none of the users"):
        await run(setting, [LoadUser("nobody", "x")], LoadOptions(tmp_path / "load.json"), asyncio.Event(),
                  DoubleRecords(DoublePool()))


def test_percentiles_are_nearest_rank() -> None:
    latencies = Latencies()
    assert latencies.percentiles() == {"p50": None, "p95": None, "p99": None}
    for n in range(1, 101):
        latencies.add(n / 1000)
    assert latencies.percentiles() == {"p50": 50.0, "p95": 95.0, "p99": 99.0}

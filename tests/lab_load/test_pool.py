"""The load on a real pool: nothing wrong where nothing is, and what is planted in the real database is found."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from tests.until import until
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.books import DeliveredMessage, RecordedHistory
from tuiha.lab.load.checker import CheckerFinding, LoadVerdict, monitored_twice
from tuiha.lab.load.database import LoadDatabase, NoDatabase, Records
from tuiha.lab.load.mailer import MailTarget, NotDelivered, compose, deliver
from tuiha.lab.load.process import LoadFailed, LoadProcess
from tuiha.lab.load.setup import LoadSetting, setting
from tuiha.lab.load.trace import traced

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]

QUICK = ("--rate", "20", "--wait", "5", "--ramp", "50")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    async with EmbeddedPool(servers=2, users=20, load=False) as running:
        yield running


def plain(pool: EmbeddedPool) -> LoadSetting:
    return setting(load(pool.config_path), pool.folder)


async def test_a_run_in_which_nothing_goes_wrong(pool: EmbeddedPool) -> None:
    running = await LoadProcess.start(pool.config_path, pool.users_path, "--seconds", "5", *QUICK)
    report = await running.report(5)
    assert report["devices"] == report["registered"] == 30
    assert report["messages"] > 20
    assert report["changes"] > 20
    wrong = ("failures", "lost", "doubled", "monitored_twice", "unrecorded", "history_gaps")
    assert {key: report[key] for key in wrong} == dict.fromkeys(wrong, 0), report
    assert report["history_read"]
    assert set(report["users_per_server"]) == {"s1", "s2"}
    assert sum(report["users_per_server"].values()) == 20
    figures = running.figures()
    assert figures is not None
    assert figures["registered"] == 30


async def test_stopped_by_sigterm_it_still_verifies(pool: EmbeddedPool) -> None:
    running = await LoadProcess.start(pool.config_path, pool.users_path, *QUICK)
    await until(lambda: (running.figures() or {}).get("messages", 0) >= 20)
    report = await running.stop()
    assert report["history_read"]
    assert report["lost"] == report["doubled"] == 0


async def test_told_twice_it_ends_without_a_verdict(pool: EmbeddedPool) -> None:
    stats = pool.folder / "twice.json"
    running = await LoadProcess.start(pool.config_path, pool.users_path, "--grace", "60", *QUICK, stats=stats)
    await until(lambda: running.figures() is not None)
    await pool.pause("mail1")  # a delivery under way keeps the load from ending at once
    await pool.pause("mail2")
    try:
        await asyncio.sleep(1.0)
        for _ in range(2):
            os.kill(running.process_id, signal.SIGTERM)
            await asyncio.sleep(0.2)
        with pytest.raises(LoadFailed, match="without a report"):
            await running.report()
    finally:
        await pool.resume("mail1")
        await pool.resume("mail2")


async def test_a_second_monitor_in_the_real_history_is_found(pool: EmbeddedPool) -> None:
    """Negative control: a row with an older generation, as a monitor without the generation check would write it."""
    records = Records(plain(pool).databases)
    users = dict.fromkeys(await records.clusters(), 0)
    history = RecordedHistory()
    history.add(await records.history(users))
    assert monitored_twice(history) == []
    user = next(name for name, rows in history.users.items() if rows.last_seq)
    await _plant_older_generation(pool, user)
    history.add(await records.history({user: history.users[user].last_seq}))
    assert [finding.user for finding in monitored_twice(history)] == [user]


async def _plant_older_generation(pool: EmbeddedPool, user: str) -> None:
    settings = load(pool.config_path)
    node, role = settings.database.nodes[0], settings.database.roles.pool
    host, _, port = node.address.rpartition(":")
    connection = await asyncpg.connect(
        host=host, port=int(port), user=role.user, database=settings.database.name, ssl=False,
        password=resolve(role.password, pool.folder),
    )
    try:
        await connection.execute(
            """
            WITH next AS (UPDATE app_user SET last_seq = last_seq + 1 WHERE name = $1 RETURNING id, last_seq)
            INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, message_id, subject, at)
            SELECT id, last_seq, 0, 'new', 'INBOX', 999999, 'mail1', '<planted@test>', 'planted', now() FROM next
            """,
            user,
        )
    finally:
        await connection.close()


async def test_delivery_to_a_real_mail_server(pool: EmbeddedPool) -> None:
    targets = plain(pool).clusters["east"]
    clusters = await Records(plain(pool).databases).clusters()
    user = next(user for user, cluster in clusters.items() if cluster == "east")
    await deliver(targets[0], user, compose(DeliveredMessage("real@test", user, 0.0)))
    for broken in (
        MailTarget("wrong", targets[0].host, targets[0].port, "plain", targets[0].user, "wrong"),
        MailTarget("gone", "127.0.0.1", 1, "plain", targets[0].user, targets[0].password),
    ):
        with pytest.raises(NotDelivered, match=broken.name):
            await deliver(broken, user, b"Subject: x\r\n\r\n")


async def test_of_a_lost_message_it_is_told_whether_it_is_in_its_mailbox(pool: EmbeddedPool) -> None:
    there = plain(pool)
    records = Records(there.databases)
    homes = await records.clusters()
    user = next(iter(homes))
    await deliver(there.clusters[homes[user]][0], user, compose(DeliveredMessage("kept@test", user, 0.0)))
    lost = tuple(CheckerFinding(user, "device1", what, detail="never recorded") for what in ("kept@test", "gone@test"))
    found = await traced(LoadVerdict(lost, (), (), (), ()), records, there.clusters, homes)
    kept, gone = (finding.detail for finding in found.lost)
    assert re.match(r"never recorded, UID \d+ in the mailbox, (read up to before UID \d+ by mail|never read)", kept)
    assert re.match(r"never recorded, not among the mailbox's \d+ messages", gone)


async def test_reading_goes_on_at_the_secondary(pool: EmbeddedPool) -> None:
    nodes = plain(pool).databases
    gone = LoadDatabase("gone", "127.0.0.1", 1, nodes[0].database, nodes[0].user, nodes[0].password)
    assert len(await Records([gone, nodes[1]]).clusters()) == 20
    with pytest.raises(NoDatabase, match="gone"):
        await Records([gone]).clusters()


async def test_a_server_is_killed_under_load_and_no_device_notices(pool: EmbeddedPool) -> None:
    running = await LoadProcess.start(pool.config_path, pool.users_path, *QUICK)
    records = Records(plain(pool).databases)
    try:
        await asyncio.sleep(3.0)
        await pool.kill("s2")
        await until(records.spread, met=lambda spread: not spread.get("s2"), pause=0.2)
        await asyncio.sleep(2.0)
        report = await running.stop()
    finally:
        await running.kill()
        await pool.start("s2")
    assert report["users_per_server"] == {"s1": 20}
    assert report["messages"] > 20
    assert report["lost"] == report["doubled"] == report["failures"] == 0, report


async def test_a_load_that_cannot_run_says_why(pool: EmbeddedPool, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("nobody\tsecret\n")
    running = await LoadProcess.start(pool.config_path, users, "--seconds", "1")
    with pytest.raises(LoadFailed, match="exit code 2"):
        await running.report(1)

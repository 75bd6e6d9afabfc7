from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD, PostgresNode, free_port
from tests.until import until
from tuiha.drivers.databases import postgres
from tuiha.drivers.databases.postgres import Postgres
from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import (
    DatabaseReport,
    DatabaseRole,
    EpochRow,
    EpochState,
    MailRow,
    ServerState,
    ServerTarget,
    SessionRow,
)


def watch(node: PostgresNode, database: str = "tuiha", password: str = PASSWORD) -> Postgres:
    return Postgres(node.name, node.address, database, "tuiha_watch", password, window=10)


async def ask(driver: Postgres, seconds: float = 30) -> DatabaseReport:
    async with asyncio.timeout(seconds):
        return await driver.poll()


@pytest.fixture
async def db1(pair: Pair) -> AsyncIterator[Postgres]:
    driver = watch(pair.db1)
    yield driver
    await driver.close()


@pytest.fixture
async def db2(pair: Pair) -> AsyncIterator[Postgres]:
    driver = watch(pair.db2)
    yield driver
    await driver.close()


async def test_a_database_without_the_pool_s_tables(pair: Pair) -> None:
    driver = watch(pair.db1, "empty")
    report = await ask(driver)
    await driver.close()
    assert report.role is DatabaseRole.PRIMARY
    assert report.writable
    assert report.epoch is None
    assert report.members == ()
    assert report.mail == ()
    assert report.users is None


async def test_identity_and_positions(pair: Pair, db1: Postgres, db2: Postgres) -> None:
    admin = await pair.admin()
    identifier = await admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    await admin.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 'x', 'y')")
    position = await admin.fetchval("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
    await admin.close()
    primary, secondary = await ask(db1), await ask(db2)
    assert primary.system_identifier == secondary.system_identifier == identifier
    assert primary.timeline == secondary.timeline == 1
    assert primary.version.startswith("18.")
    assert primary.position >= position
    assert primary.replayed is None
    assert primary.receiving is None
    assert primary.replay_lag_seconds is None
    assert primary.synchronous_names == "db2"
    assert primary.transactions is not None
    assert primary.transactions > 0
    assert secondary.role is DatabaseRole.SECONDARY
    assert not secondary.writable
    assert secondary.receiving is True
    assert secondary.position >= position
    assert secondary.replayed is not None
    assert secondary.replication == ()


async def caught_up(db1: Postgres) -> DatabaseReport:
    """Wait until the secondary has replayed everything."""
    return await until(
        lambda: ask(db1), met=lambda seen: seen.replication != () and seen.replication[0].lag_bytes == 0)


async def test_replication_rows(pair: Pair, db1: Postgres) -> None:
    (row,) = (await caught_up(db1)).replication
    assert row.name == "db2"
    assert row.state == "streaming"
    assert row.sync_state == "sync"


async def test_slots_and_what_is_kept_for_them(pair: Pair, db1: Postgres) -> None:
    admin = await pair.admin()
    await admin.execute("SELECT pg_create_physical_replication_slot('idle', true)")
    try:
        (slot,) = (await ask(db1)).slots
        assert (slot.name, slot.kind, slot.active, slot.state) == ("idle", "physical", False, "reserved")
        assert slot.kept_bytes is not None
    finally:
        await admin.execute("SELECT pg_drop_replication_slot('idle')")
        await admin.close()


async def test_a_paused_secondary_shows_its_lag(pair: Pair, db1: Postgres, db2: Postgres) -> None:
    await caught_up(db1)  # else the pause may fall into a TRUNCATE, which then keeps its lock
    replica = await pair.admin(node=pair.db2)
    await replica.execute("SELECT pg_wal_replay_pause()")
    try:
        admin = await pair.admin()
        await admin.execute("INSERT INTO event (severity, subject, text) SELECT 'note', 'x', repeat('y', 5000)")
        await admin.close()
        await until(lambda: ask(db1), met=lambda seen: (seen.replication[0].lag_bytes or 0) > 0)
        report = await ask(db2)
        assert report.replayed is not None
        assert report.replayed < report.position
        assert report.replay_lag_seconds is not None
        assert report.replay_lag_seconds > 0
    finally:
        await replica.execute("SELECT pg_wal_replay_resume()")
        await replica.close()


async def fill(admin: asyncpg.Connection) -> None:
    await admin.execute("""
        INSERT INTO server (name, address, version, state, availability_index, capacity, epoch, started_at, heartbeat)
        VALUES ('s1', 'http://127.0.0.1:1', '1', 'UP', 80, 2000, 1, now(), clock_timestamp()),
               ('s2', 'http://127.0.0.1:2', '1', 'CONSTRAINED', -5, 2000, 1, now(), clock_timestamp() - interval '1 h');
        UPDATE server SET target = 'DRAIN' WHERE name = 's2';
        INSERT INTO app_user (name, password_hash, mail_cluster)
        SELECT 'u' || n, 'x', 'c' FROM generate_series(1, 7) AS n;
        INSERT INTO binding (user_id, server, generation, expires_at)
        SELECT id, CASE WHEN name < 'u5' THEN 's1' ELSE 's2' END, 1,
               CASE WHEN name = 'u1' THEN now() - interval '1 s' ELSE now() + interval '1 h' END FROM app_user;
        INSERT INTO mail_server (name, cluster) VALUES ('mail1', 'c'), ('mail2', 'c');
        UPDATE mail_server SET in_service = false WHERE name = 'mail2';
        INSERT INTO mail_assignment (user_id, mail_server) SELECT id, 'mail1' FROM app_user WHERE name < 'u4';
    """)


async def test_what_the_pool_s_tables_say(pair: Pair, db1: Postgres, db2: Postgres) -> None:
    admin = await pair.admin()
    await fill(admin)
    await admin.execute("SET synchronous_commit = remote_apply; UPDATE server SET version = '1'")
    await admin.close()
    for report in (await ask(db1), await ask(db2)):
        assert report.epoch == EpochRow("demo", 1, "db1", EpochState.ACTIVE)
        assert report.users == 7
        s1, s2 = report.members
        assert (s1.name, s1.state, s1.target, s1.users) == ("s1", ServerState.UP, ServerTarget.UP, 3)
        assert s1.alive
        assert s1.heartbeat_age < 10
        assert (s2.name, s2.state, s2.target, s2.users) == ("s2", ServerState.OVERLOADED, ServerTarget.DRAIN, 3)
        assert not s2.alive
        assert s2.heartbeat_age >= 3600
        assert s2.availability_index == -5
        assert [replace(row, changed_at=None) for row in report.mail] == [
            MailRow("mail1", "c", True, 2), MailRow("mail2", "c", False, 0)]  # one of three is monitored nowhere
        assert all(row.changed_at for row in report.mail)


async def test_sessions_by_server(pair: Pair, db1: Postgres) -> None:
    sessions = [
        await asyncpg.connect(host="127.0.0.1", port=pair.db1.port, user="tuiha_pool", password=PASSWORD,
                              database="tuiha", ssl=False, server_settings={"application_name": name})
        for name in ("tuiha:s1", "tuiha:s1", "tuiha:s2", "psql")
    ]
    report = await ask(db1)
    for session in sessions:
        await session.close()
    assert report.sessions == (SessionRow("s1", 2), SessionRow("s2", 1))


async def test_the_watcher_cannot_read_passwords(pair: Pair) -> None:
    connection = await asyncpg.connect(host="127.0.0.1", port=pair.db1.port, user="tuiha_watch", password=PASSWORD,
                                       database="tuiha", ssl=False)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("SELECT password_hash FROM app_user")
    await connection.close()


async def test_a_table_that_may_not_be_read_is_not_taken_for_empty(pair: Pair, db1: Postgres) -> None:
    admin = await pair.admin()
    await admin.execute("REVOKE SELECT ON binding FROM tuiha_watch")
    try:
        with pytest.raises(DriverError, match="role tuiha_watch may not read table binding"):
            await ask(db1)
    finally:
        await admin.execute("GRANT SELECT ON binding TO tuiha_watch")
        await admin.close()
    assert (await ask(db1)).users == 0


async def test_a_locked_table_is_told_as_such(pair: Pair, db1: Postgres) -> None:
    admin = await pair.admin()
    async with admin.transaction():
        await admin.execute("LOCK TABLE server")
        with pytest.raises(DriverError, match="a table of the pool is locked by another session"):
            await ask(db1)
    await admin.close()
    assert (await ask(db1)).members == ()


async def test_a_big_pool_is_counted_beside_the_poll(
    pair: Pair, db1: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_BIG", 0)
    admin = await pair.admin()
    await fill(admin)
    await admin.execute("UPDATE server SET users = 1234 WHERE name = 's1'")
    await admin.close()
    with monkeypatch.context() as slow:
        slow.setattr(postgres, "BOUND_USERS", "SELECT 's1' AS server, 1 AS users FROM pg_sleep(600)")
        for _ in range(2):
            report = await ask(db1)
            assert report.members[0].users == 1234  # what the server told
            assert report.mail == ()
            assert report.users is None
    await db1.close()
    report = await until(lambda: ask(db1), met=lambda seen: seen.users is not None)
    assert report.users == 7
    assert [member.users for member in report.members] == [3, 3]
    assert [row.users for row in report.mail] == [2, 0]
    await db1.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_refused() -> None:
    driver = Postgres("db1", f"127.0.0.1:{free_port()}", "tuiha", "tuiha_watch", PASSWORD)
    with pytest.raises(DriverError, match=r"^connection refused$"):
        await ask(driver)


async def test_wrong_password_and_wrong_database(pair: Pair) -> None:
    with pytest.raises(DriverError, match=r"^password authentication failed for role tuiha_watch$") as caught:
        await ask(watch(pair.db1, password="not it"))
    assert "not it" not in str(caught.value)
    with pytest.raises(DriverError, match=r"^database nowhere does not exist$"):
        await ask(watch(pair.db1, "nowhere"))


async def test_something_that_is_not_postgresql() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(DriverError):
            await ask(Postgres("db1", f"127.0.0.1:{port}", "tuiha", "tuiha_watch", PASSWORD))


async def test_a_host_that_accepts_and_says_nothing() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        driver = Postgres("db1", f"127.0.0.1:{mute.getsockname()[1]}", "tuiha", "tuiha_watch", PASSWORD)
        with pytest.raises(TimeoutError):
            await ask(driver, 0.3)
        await driver.close()


async def test_a_hung_node_is_left_and_found_again(own_pair: Pair) -> None:
    driver = watch(own_pair.db1)
    before = await ask(driver)
    own_pair.db1.signal(signal.SIGSTOP)
    try:
        for _ in range(2):  # the first hangs in a question, the second while it connects
            with pytest.raises(TimeoutError):
                await ask(driver, 0.3)
    finally:
        own_pair.db1.signal(signal.SIGCONT)
    after = await ask(driver)
    assert after.system_identifier == before.system_identifier
    await driver.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_killed_and_started_again(own_pair: Pair) -> None:
    driver = watch(own_pair.db1)
    await ask(driver)
    own_pair.db1.stop()
    with pytest.raises(DriverError, match=r"connection lost|connection refused|shutting down|crash"):
        await ask(driver)
    with pytest.raises(DriverError, match="connection refused"):
        await ask(driver)
    own_pair.db1.start()
    assert (await ask(driver)).role is DatabaseRole.PRIMARY
    await driver.close()


async def test_the_timeline_is_right_at_once_after_a_promotion(own_pair: Pair) -> None:
    driver = watch(own_pair.db2)
    assert (await ask(driver)).timeline == 1
    own_pair.db1.stop()
    await until(lambda: ask(driver), met=lambda seen: not seen.receiving)
    admin = await own_pair.admin(node=own_pair.db2)
    await admin.execute("SELECT pg_promote(false)")
    await admin.close()
    report = await until(lambda: ask(driver), met=lambda seen: seen.role is DatabaseRole.PRIMARY)
    assert report.timeline == 2
    assert report.writable
    await driver.close()

"""The real servers of an embedded pool do what the pool needs of them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.until import until
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.mail.client import ImapClient, ImapError
from tuiha.drivers.sprayers.runtime import Runtime
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.parts.mail import Mail, add_users
from tuiha.lab.parts.users import DemoUser
from tuiha.lab.pool.account import unprivileged
from tuiha.lab.pool.layout import Layout
from tuiha.watch.once import look_once

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]

ODD_NAME = "jöšé o'neil/%x \"y\" \\z"
ODD_PASSWORD = "pä:ss %wörd: \"'\\"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    """A small pool without load."""
    async with EmbeddedPool(servers=2, users=10) as started:
        yield started


@pytest.fixture(scope="module")
def settings(pool: EmbeddedPool) -> Pool:
    """Its configuration, as every command reads it."""
    return load(pool.config_path)


async def _connect(pool: EmbeddedPool, role: str, database: str = "tuiha", node: str = "db1") -> Any:
    port = (await pool.state()).part(node).port
    password = (pool.folder / "secrets" / role).read_text().strip()
    return await asyncpg.connect(host="127.0.0.1", port=port, user=role, password=password, database=database,
                                 timeout=10, ssl=False)


async def test_the_configuration_names_what_runs(pool: EmbeddedPool, settings: Pool) -> None:
    ports = {part.name: part.port for part in (await pool.state()).parts}
    assert [server.name for server in settings.servers] == ["s1", "s2"]
    assert {node.name: node.address for node in settings.database.nodes} == {
        name: f"127.0.0.1:{ports[name]}" for name in ("db1", "db2")}
    record = await FileLedger(pool.folder / "ledger.json", "demo").poll()
    connection = await _connect(pool, "tuiha_watch")
    identifier = await connection.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    await connection.close()
    assert settings.database.system_identifier == record.system_identifier == identifier
    assert (record.active, record.standby, record.epoch, record.timeline) == ("db1", "SYNC", 1, 1)


async def test_a_commit_waits_for_the_secondary(pool: EmbeddedPool) -> None:
    connection = await _connect(pool, "tuiha_owner")
    watcher = await _connect(pool, "tuiha_watch")
    assert await watcher.fetchval("SELECT sync_state FROM pg_stat_replication WHERE application_name = 'db2'") == "sync"
    await connection.execute("CREATE TABLE waits (n integer)")
    await pool.pause("db2")
    insert = asyncio.create_task(connection.execute("INSERT INTO waits VALUES (1)"))
    for _ in range(1000):
        if await watcher.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"):
            break
        await asyncio.sleep(0.01)
    assert not insert.done()
    await pool.resume("db2")
    await insert
    secondary = await _connect(pool, "tuiha_watch", node="db2")
    assert await secondary.fetchval("SELECT pg_is_in_recovery()")
    for open_one in (secondary, watcher, connection):
        await open_one.close()


@pytest.mark.parametrize(("role", "database"), [
    ("tuiha_pool", "postgres"), ("tuiha_watch", "postgres"), ("tuiha_coordinator", "template1"),
    ("tuiha_replica", "tuiha"), ("tuiha_replica", "postgres"),
])
async def test_a_role_reaches_nothing_else(pool: EmbeddedPool, role: str, database: str) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match=r"no pg_hba\.conf entry"):
        await _connect(pool, role, database)


async def test_the_watcher_reads_no_password_and_writes_nothing(pool: EmbeddedPool) -> None:
    connection = await _connect(pool, "tuiha_watch")
    assert await connection.fetchval("SELECT count(name) FROM app_user") >= 10
    for forbidden in ("SELECT password_hash FROM app_user", "DELETE FROM binding",
                      "ALTER SYSTEM SET synchronous_standby_names = ''"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(forbidden)
    await connection.close()


async def test_users_are_in_the_database_and_in_their_mail_cluster(pool: EmbeddedPool, settings: Pool) -> None:
    users = _users(pool)
    assert len(users) == 10
    connection = await _connect(pool, "tuiha_watch")
    homes = dict(await connection.fetch("SELECT name, mail_cluster FROM app_user WHERE name LIKE 'user%'"))
    await connection.close()
    assert homes.keys() == users.keys()
    assert list(homes.values()).count("west") == 2
    for cluster in settings.mail:
        host, port = cluster.servers[0].address.split(":")
        for name, password in users.items():
            client = await ImapClient.connect(host, int(port), "plain", timeout=10)
            if homes[name] == cluster.cluster:
                await client.login(name, password)
                await client.logout()
            else:
                with pytest.raises(ImapError):
                    await client.login(name, password)
                client.close()


async def test_two_mail_servers_hold_the_same_mailboxes(pool: EmbeddedPool, settings: Pool) -> None:
    east = settings.mail[0]
    password = resolve(east.monitor.password, pool.folder)
    clients = []
    for server in east.servers:
        host, port = server.address.split(":")
        client = await ImapClient.connect(host, int(port), "plain", timeout=10)
        await client.authenticate_plain("user0001", east.monitor.user, password)
        clients.append(client)
    first, second = clients
    await second.select("INBOX", read_only=True)
    idle = asyncio.create_task(second.idle(20))
    await asyncio.sleep(0.2)
    await first.append("INBOX", b"Message-ID: <one@lab>\r\nSubject: one\r\n\r\nhello\r\n")
    await idle
    assert [envelope.message_id for envelope in await second.fetch_envelopes(1)] == ["<one@lab>"]
    for client in clients:
        client.close()


async def test_the_sprayers_learn_any_user_and_tell_each_other(pool: EmbeddedPool, settings: Pool) -> None:
    import aiohttp

    from tuiha.server.devices.passwords import hash_password

    connection = await _connect(pool, "tuiha_owner")
    await connection.execute("INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ($1, $2, 'east')",
                             ODD_NAME, hash_password(ODD_PASSWORD, 2))
    await connection.close()
    mail = Mail(Layout(pool.folder, unprivileged()), {})
    await add_users(mail, [DemoUser(ODD_NAME, ODD_PASSWORD, "east")])  # whom no mail server knows may not come in
    first, second = (sprayer.address for sprayer in settings.sprayers)
    table = Runtime(settings.sprayers[1].operator or "")
    users = {ODD_NAME: ODD_PASSWORD, **_users(pool)}
    async with aiohttp.ClientSession() as session:
        for number, (name, password) in enumerate(users.items(), start=1):
            async with session.put(f"http://{first}/v1/devices/d1", json={"kind": "test"},
                                   headers=_basic(name, password)) as answer:
                assert answer.status in (200, 201), await answer.text()
            monitor, _ = await _me(session, first, name, password)
            for _ in range(4):
                assert await _me(session, first, name, password) == (monitor, False)
            await _until_it_knows(table, number)
            # Its own first answer for this user: it has it from its peer, or it would miss for half of them.
            assert await _me(session, second, name, password) == (monitor, False), name


async def _until_it_knows(table: Runtime, users: int) -> None:
    """Wait until a sprayer has this many users in its table: peers find each other some seconds after they start."""
    async def known() -> bool:
        return f"used:{users}\n" in await table.ask("show table pool")

    await until(known)


def _users(pool: EmbeddedPool) -> dict[str, str]:
    return dict(line.split("\t") for line in pool.users_path.read_text().splitlines())


def _basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}


async def _me(session: Any, address: str, name: str, password: str) -> tuple[str, bool]:
    """The user's monitoring server, and whether another server forwarded the request."""
    async with session.get(f"http://{address}/v1/me", headers=_basic(name, password)) as answer:
        assert answer.status == 200, await answer.text()
        return answer.headers["X-Tuiha-Server"], "X-Tuiha-Forwarded-By" in answer.headers


async def test_a_wrong_password_is_refused(pool: EmbeddedPool, settings: Pool) -> None:
    import aiohttp

    name = next(iter(_users(pool)))
    async with aiohttp.ClientSession() as session, session.get(
            f"http://{settings.sprayers[0].address}/v1/me", headers=_basic(name, "wrong")) as answer:
        assert answer.status == 401


async def test_a_look_has_machines_slots_sessions_and_positions(pool: EmbeddedPool, settings: Pool) -> None:
    seen = await until(lambda: look_once(settings, pool.config_path.parent), met=lambda found: (
        len(found.servers) == 2 and all(server.host_cpu_percent is not None for server in found.servers)), pause=0.2)
    for server in seen.servers:
        assert 0 < (server.host_memory_percent or 0) <= 100
        assert 0 < (server.host_disk_percent or 0) <= 100
        assert (server.host_processors or 0) >= 1
        assert server.host_load is not None
        assert server.queue == 0
    first, second = seen.databases
    assert [(slot.name, slot.active) for slot in first.slots] == [("db2", True)]
    assert {said.server for said in first.sessions} == {"s1", "s2"}
    # The pair is asked in parallel: what the secondary had replayed is in the primary's position of a later look.
    later = (await look_once(settings, pool.config_path.parent)).databases[0]
    assert (later.position or 0) >= (second.replayed or 0) > 0
    assert (first.position or 0) > 0
    assert second.receiving is True
    assert all(backend.check for sprayer in seen.sprayers for backend in sprayer.backends)
    assert all(one.changed_at for one in seen.mail)

"""config/postgresql.md: its settings start a real pair, its SQL sets it up, its roles can do their part and no more."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.drivers.daemons import free_port
from tests.until import until
from tuiha.config.places import data_file
from tuiha.drivers.databases.postgres import Postgres
from tuiha.drivers.ledgers.record import parse
from tuiha.lab.pool.account import Account, unprivileged
from tuiha.lab.runtime import binaries
from tuiha.model.reports import DatabaseRole
from tuiha.pooldb.migrations import migrate
from tuiha.server.devices.passwords import hash_password

TEXT = data_file("config/postgresql.md").read_text()
PASSWORD = "of-this-test"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, flags=re.DOTALL)  # those inside a list are indented: all the same


@dataclass
class Node:
    """One database of the pair."""

    name: str
    port: int
    folder: Path
    programs: Path
    account: Account | None

    def run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        drop: dict[str, Any] = {}
        if self.account is not None:
            drop = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([self.programs / program, *arguments], cwd=self.folder,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                    env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **drop)

    def do(self, program: str, *arguments: str) -> None:
        process = self.run(program, *arguments)
        try:
            assert process.wait(120) == 0, (self.folder / "log").read_text()
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        process = self.run("postgres", "-D", str(self.folder / "data"), "-c", f"config_file={self.folder}/main.conf")
        try:
            yield
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(30)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)  # PostgreSQL ignores a password file that others can read
        if self.account is not None:
            os.chown(file, self.account.uid, self.account.gid)
        return file

    async def connect(self, user: str, database: str = "tuiha") -> Any:
        async with asyncio.timeout(60):
            while True:
                try:
                    return await asyncpg.connect(host="127.0.0.1", port=self.port, user=user, password=PASSWORD,
                                                 database=database, ssl=False, timeout=5)
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.05)


def configure(node: Node, partner: Node) -> None:
    """The document's settings, with this machine's addresses and without TLS: the test's PostgreSQL has none."""
    common, own = blocks("conf")
    common = re.sub(r"(?m)^ssl.*$", "", common).replace("'*'", "'127.0.0.1'").replace("16GB", "1GB")
    own = own.replace("'db1'", f"'{node.name}'").replace("application_name=db1", f"application_name={node.name}")
    own = own.replace("host=db2.example.org", f"host=127.0.0.1 port={partner.port}")
    own = re.sub(r" sslmode=\S+ sslrootcert=\S+", "", own).replace("/etc/postgresql", str(node.folder))
    hba = re.sub(r"192\.0\.2\.\d+/\d+", "127.0.0.1/32", blocks("hba")[0]).replace("hostssl ", "host    ")
    hba += "host all postgres 127.0.0.1/32 scram-sha-256\n"
    node.write("node.conf", own)
    node.write("pg_hba.conf", hba)
    node.write("replica.pgpass", f"127.0.0.1:{partner.port}:replication:tuiha_replica:{PASSWORD}\n")
    node.write("main.conf", f"{common}\ninclude 'node.conf'\nport = {node.port}\n"
               f"hba_file = '{node.folder}/pg_hba.conf'\n"
               f"unix_socket_directories = '{node.folder}'\nshared_buffers = 16MB\n"
               "dynamic_shared_memory_type = mmap\n")


@pytest.fixture
def nodes() -> Iterator[tuple[Node, Node]]:
    account = unprivileged()
    top = Path(tempfile.mkdtemp(prefix="tuiha-pg-"))
    top.chmod(0o755)
    try:
        programs = (binaries.find() if account is None else binaries.copy(binaries.find(), top / "bin")).postgres
        found = []
        for name in ("db1", "db2"):
            folder = top / name
            folder.mkdir()
            if account is not None:
                os.chown(folder, account.uid, account.gid)
            found.append(Node(name, free_port(), folder, programs, account))
        configure(found[0], found[1])
        configure(found[1], found[0])
        yield found[0], found[1]
    finally:
        shutil.rmtree(top)


async def run_sql(connection: Any, text: str) -> None:
    """Each statement on its own, as psql runs them; passwords are set without asking."""
    for statement in re.sub(r"(?m)^\\.*$|--.*$", "", text).split(";"):
        if statement.strip():
            await connection.execute(statement)
    for role in re.findall(r"(?m)^\\password (\S+)$", text):
        await connection.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")


async def set_up(first: Node, second: Node) -> None:
    """Steps 3 to 5 of the document."""
    before, _, after = blocks("sql")[0].partition("\\connect tuiha\n")
    connection = await first.connect("postgres", "postgres")
    try:
        await run_sql(connection, before)
    finally:
        await connection.close()
    connection = await first.connect("postgres")
    try:
        await run_sql(connection, after)
    finally:
        await connection.close()
    await asyncio.to_thread(
        second.do, "pg_basebackup", "-D", str(second.folder / "data"), "-X", "stream", "-S", "db2", "-c", "fast",
        "-w", "-d",
        f"host=127.0.0.1 port={first.port} user=tuiha_replica passfile={second.folder}/replica.pgpass")
    second.write("data/standby.signal", "")


async def shows(connection: Any, query: str, wanted: str) -> None:
    """Ask until the answer has this in it."""
    await until(lambda: connection.fetch(query), query, met=lambda found: wanted in str(found))


@asynccontextmanager
async def pair(nodes: tuple[Node, Node]) -> AsyncIterator[tuple[Node, Node]]:
    first, second = nodes
    first.write("pw", PASSWORD)
    first.do("initdb", "-D", str(first.folder / "data"), "-U", "postgres", "--auth=scram-sha-256",
             f"--pwfile={first.folder}/pw", "--locale=C", "--encoding=UTF8", "--no-sync")
    with ExitStack() as stack:
        stack.enter_context(first.running())
        await set_up(first, second)
        stack.enter_context(second.running())
        connection = await first.connect("postgres")
        try:
            _, look, synchronous, _ = blocks("sql")
            await shows(connection, look, "state='streaming'")
            await run_sql(connection, synchronous)
            await shows(connection, look, "sync_state='sync'")
        finally:
            await connection.close()
        yield first, second


async def refused(connection: Any, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)


async def test_the_document_makes_a_pair(nodes: tuple[Node, Node]) -> None:
    async with pair(nodes) as (first, second):
        owner = await first.connect("tuiha_owner")
        await migrate(owner, "west", "db1")
        await owner.execute("SELECT 1")
        insert = blocks("sql")[3].replace("scrypt$17$...", hash_password("x", cost=4))
        await run_sql(owner, insert)
        await owner.close()
        await pool_role(first)
        await watcher_role(first, second)
        await coordinator_role(first)
        await no_copies(first)
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await first.connect("tuiha_pool", "postgres")
        await fail_over(second)


def copies_the_cluster(node: Node, role: str) -> bool:
    """Whether a role gets a copy, by one of the ways that lead to the replication protocol."""
    return any(_copy(node, role, database) > 1_000_000 for database in ("replication", "tuiha"))


def _copy(node: Node, role: str, database: str) -> int:
    """Bytes of a copy. psql says of which database; pg_basebackup is refused before any right is looked at."""
    place = f"host=127.0.0.1 port={node.port} user={role} dbname={database} replication=database"
    done = subprocess.run([node.programs / "psql", place, "-Atc", "BASE_BACKUP (LABEL 'mine')"], cwd="/",
                          capture_output=True, env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}, check=False)
    return len(done.stdout)


async def no_copies(first: Node) -> None:
    """A copy of the cluster holds every hash of a password, of roles and of users."""
    for role in ("tuiha_pool", "tuiha_watch", "tuiha_coordinator", "tuiha_owner", "tuiha_slots"):
        assert not await asyncio.to_thread(copies_the_cluster, first, role), role
    admin = await first.connect("postgres")
    try:  # the control: what the coordinator had before
        await admin.execute("ALTER ROLE tuiha_coordinator REPLICATION")
        assert await asyncio.to_thread(copies_the_cluster, first, "tuiha_coordinator")
    finally:
        await admin.execute("ALTER ROLE tuiha_coordinator NOREPLICATION")
        await admin.close()


async def pool_role(first: Node) -> None:
    connection = await first.connect("tuiha_pool")
    try:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 's1', 'here')")
        await refused(connection, "UPDATE pool_epoch SET epoch = 9")
        await refused(connection, "CREATE TABLE mine ()")
        await refused(connection, "ALTER SYSTEM SET synchronous_standby_names = ''")
        await refused(connection, "SELECT pg_promote()")
    finally:
        await connection.close()


async def watcher_role(first: Node, second: Node) -> None:
    reports = []
    for node in (first, second):
        driver = Postgres(node.name, f"127.0.0.1:{node.port}", "tuiha", "tuiha_watch", PASSWORD)
        async with asyncio.timeout(30):
            reports.append(await driver.poll())
        await driver.close()
    assert [report.role for report in reports] == [DatabaseRole.PRIMARY, DatabaseRole.SECONDARY]
    assert reports[0].system_identifier == reports[1].system_identifier
    connection = await first.connect("tuiha_watch")
    try:
        assert await connection.fetchval("SELECT name FROM app_user") == "alice"
        await refused(connection, "SELECT password_hash FROM app_user")
        await refused(connection, "DELETE FROM event")
        await refused(connection, "SELECT pg_reload_conf()")
    finally:
        await connection.close()


async def coordinator_role(first: Node) -> None:
    connection = await first.connect("tuiha_coordinator")
    try:
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (db2)'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute("CHECKPOINT")
        await refused(connection, "ALTER SYSTEM SET shared_preload_libraries = 'x'")
        assert await connection.fetchval("SELECT make_slot('db1')") == "db1"
        assert await connection.fetchval("SELECT make_slot('db1')") is None  # it is there
        await connection.execute("SELECT drop_slot('db1')")
        await connection.execute("SELECT drop_slot('db2')")  # somebody uses it
        assert await connection.fetchval("SELECT make_slot('mine')") is None
        slots = await connection.fetch("SELECT slot_name FROM pg_replication_slots")
        assert [row["slot_name"] for row in slots] == ["db2"]
        await refused(connection, "SELECT pg_create_physical_replication_slot('db1')")
        async with connection.transaction():
            await connection.execute("UPDATE pool_epoch SET state = 'FENCED'")
            await connection.execute("UPDATE pool_epoch SET state = 'ACTIVE'")
        await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 'db1', 'here')")
        await refused(connection, "SELECT password_hash FROM app_user")
        await refused(connection, "DELETE FROM event")
        await refused(connection, "UPDATE binding SET server = 's1'")
    finally:
        await connection.close()


async def fail_over(second: Node) -> None:
    """Step 8 on the secondary, without its waits: nobody holds a lease here."""
    cut, promote = blocks("failover")
    connection = await second.connect("postgres")
    try:
        await run_sql(connection, cut)
        await shows(connection, "SELECT count(*) AS receivers FROM pg_stat_wal_receiver", "receivers=0")
        await run_sql(connection, promote)
        row = await connection.fetchrow("SELECT epoch, active, state FROM pool_epoch")
        assert tuple(row) == (2, "db2", "ACTIVE")
        assert await connection.fetchval("SHOW synchronous_standby_names") == ""
        await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 'db2', 'active')")
    finally:
        await connection.close()


def test_the_first_ledger_record_is_one() -> None:
    record = parse(blocks("json")[0].encode())
    assert (record.pool, record.epoch, record.active, record.standby) == ("west", 1, "db1", "SYNC")



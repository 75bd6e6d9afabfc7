"""A real PostgreSQL, a real mail cluster of two pymap nodes on one Valkey, and a plain Access: what the tests use."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import Any

import asyncpg

from tests.until import until
from tuiha.drivers.mail.client import ImapClient
from tuiha.lab.parts import mail
from tuiha.lab.parts.users import DemoUser
from tuiha.lab.pool.assembly import Ports
from tuiha.lab.pool.children import ChildCommand
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime import binaries
from tuiha.pooldb.migrations import migrate
from tuiha.server.database.access import OutcomeUnknown
from tuiha.server.database.attachment import never_cancelled
from tuiha.server.mail import Bound, Cluster, Credentials, MailServer, Monitor, Pace

CLUSTER = "east"
NODES = ("mail1", "mail2")
PATIENCE = 60.0  # seconds: on a busy machine everything may be slow
_LOGIN = "for every user"
_numbers = itertools.count(1)

QUICK = Pace(
    deadline=5.0, probe_interval=0.3, probe_deadline=1.0, gone_interval=0.5,
    backoff=0.1, backoff_limit=1.0, database_backoff=0.05, database_backoff_limit=0.5, settled=5.0,
)


class Processes:
    """PostgreSQL, Valkey and the mail nodes as child processes."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        found = binaries.find()
        self._binaries = binaries.copy(found, layout.folder / "bin") if layout.account else found
        self._free = Ports()
        self.database_port, *ports = self._free.take(3)
        self.mail = mail.Mail(layout, dict(zip(NODES, ports, strict=True)))

    def create(self) -> None:
        """Create the database and start everything."""
        folder, programs = self.layout.make_node("db1"), self._binaries.postgres
        data, plain = str(folder / "data"), {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        initdb = [str(programs / "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--locale=C",
                  "--encoding=UTF8", "--no-sync"]
        self._spawn("initdb", ChildCommand(initdb, folder, plain), drop=True)
        assert self.running.pop("initdb").wait() == 0, (self.layout.logs / "initdb.log").read_text()
        postgres = [str(programs / "postgres"), "-D", data, "-p", str(self.database_port),
                    "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        self._spawn("db1", ChildCommand(postgres, folder, plain), drop=True)
        self.layout.make_node(mail.VALKEY)
        self._spawn(mail.VALKEY, self.mail.valkey(self._binaries), drop=True)
        for node in NODES:
            self.start(node)

    def _spawn(self, name: str, command: ChildCommand, drop: bool) -> None:
        account = self.layout.account if drop else None
        with open(self.layout.logs / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                list(command.argv), cwd=command.cwd, env=dict(command.env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, umask=0o077,
                user=account.uid if account else None, group=account.gid if account else None,
                extra_groups=[] if account else None,
            )

    def start(self, node: str) -> None:
        """Start a mail node; one that was stopped goes on, one that runs is left alone."""
        process = self.running.get(node)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            return
        argv = [sys.executable, "-m", "tuiha.lab.parts.mailnode", *self.mail.arguments(node)]
        here = self.layout.folder
        self._spawn(node, ChildCommand(argv, here, {**os.environ, "PYTHONPATH": os.getcwd()}), drop=False)

    def kill(self, node: str) -> None:
        """SIGKILL."""
        self.running[node].kill()
        self.running[node].wait()

    def pause(self, node: str) -> None:
        """SIGSTOP."""
        self.running[node].send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """End everything."""
        for name, process in self.running.items():
            process.send_signal(signal.SIGINT if name == "db1" else signal.SIGKILL)
        for process in self.running.values():
            process.wait()

    async def ready(self) -> None:
        """All mail nodes run and greet."""
        for node in NODES:
            self.start(node)
        for node in NODES:
            port = self.mail.ports[node]
            await until(partial(mail.greets, port), f"{node} greets")


class PlainAccess:
    """Access over a plain asyncpg pool: no lease, no hold, no second look. Faults are planted in `faults`.

    A fault "lost" rolls back, "unknown" commits; both then raise OutcomeUnknown, as the real one may.
    As with the real one, a commit is never cancelled; `commits` can be cleared to keep commits waiting.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.commits = asyncio.Event()
        self.commits.set()
        self.committing = 0
        self.faults: list[str] = []
        self.transactions = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except BaseException:
                await transaction.rollback()
                raise
            fault = self.faults.pop(0) if self.faults else ""
            if fault == "lost":
                await transaction.rollback()
            else:
                await never_cancelled(partial(self._commit, transaction))
            self.transactions += 1
            if fault:
                raise OutcomeUnknown(f"planted: {fault}")

    async def _commit(self, transaction: Any) -> None:
        self.committing += 1
        await self.commits.wait()
        await transaction.commit()
        self.committing -= 1


@dataclass
class World:
    """What a test has: the processes, the database, and monitors by pool server."""

    processes: Processes
    database: Any  # an asyncpg pool
    access: PlainAccess
    woken: list[int] = field(default_factory=list)

    def cluster(self, **other: Any) -> Cluster:
        """The mail cluster as a monitor is given it; `ports` lets others stand in for its servers."""
        read = self.processes.layout.read_secret
        ports = {**self.processes.mail.ports, **other.pop("ports", {})}
        servers = tuple(MailServer(node, "127.0.0.1", ports[node], "plain") for node in NODES)
        return Cluster(CLUSTER, servers, Credentials(mail.MONITOR, read("mail_monitor")),
                       Credentials(mail.PROBE, read("mail_probe")), **other)

    async def processes_owner(self) -> Any:
        """A connection of the database's owner."""
        return await asyncpg.connect(host="127.0.0.1", port=self.processes.database_port, user="postgres",
                                     database="tuiha", ssl=False)

    async def user(self, server: str = "s1") -> Bound:
        """A fresh user with an empty mailbox, bound to a pool server under generation 1."""
        name = f"someone{next(_numbers):05}"
        user_id = await self.database.fetchval(
            "INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ($1, '-', $2) RETURNING id",
            name, CLUSTER)
        await self.database.execute(
            "INSERT INTO binding (user_id, server, generation, expires_at)"
            " VALUES ($1, $2, 1, now() + interval '1 day')", user_id, server)
        await mail.add_users(self.processes.mail, [DemoUser(name, _LOGIN, CLUSTER)])
        return Bound(user_id, name, CLUSTER, 1)

    async def send(self, bound: Bound, *message_ids: str, node: str = "mail1", **headers: str) -> None:
        """Deliver one message for each Message-ID; "" delivers one without."""
        client = await ImapClient.connect("127.0.0.1", self.processes.mail.ports[node], "plain", None, PATIENCE)
        await client.login(bound.name, _LOGIN)
        for message_id in message_ids:
            lines = {"From": "a@example.org", "Subject": f"about {message_id}", **headers}
            if message_id:
                lines["Message-ID"] = message_id
            text = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
            # pymap tells messages apart by adler32 of their text: short ones that differ little get mixed up.
            body = token_hex(500)
            await client.append("INBOX", f"{text}\r\n{body}\r\n".encode())
        await client.logout()

    async def renew_mailbox(self, bound: Bound) -> None:
        """Give a user a new, empty INBOX with another UIDVALIDITY: the old one is renamed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.processes.mail.ports["mail1"])
        for line in (f'a LOGIN {bound.name} "{_LOGIN}"', "b RENAME INBOX Old", "c LOGOUT"):
            writer.write(f"{line}\r\n".encode())
            while not (answer := await reader.readline()).startswith(f"{line[0]} ".encode()):
                assert answer
            assert answer.startswith(f"{line[0]} OK".encode()), answer
        writer.close()

    async def changes(self, bound: Bound) -> list[str]:
        """Message-IDs of a user's changes in their order. Fails unless they are numbered 1, 2, 3, ..."""
        rows = await self.database.fetch(  # one statement: one look
            "SELECT u.last_seq, c.seq, c.message_id FROM app_user u LEFT JOIN change c ON c.user_id = u.id"
            " WHERE u.id = $1 ORDER BY c.seq", bound.user_id)
        found = [row for row in rows if row["seq"] is not None]
        assert [row["seq"] for row in found] == list(range(1, rows[0]["last_seq"] + 1))
        return [row["message_id"] for row in found]

    async def arrived(self, bound: Bound, *message_ids: str) -> None:
        """Wait until exactly these changes are there, each once, in any order."""
        async def there() -> bool:
            return len(await self.changes(bound)) >= len(message_ids)

        await until(there, f"{len(message_ids)} changes of {bound.name}")
        assert sorted(await self.changes(bound)) == sorted(message_ids)

    async def assigned(self, bound: Bound) -> str | None:
        """The mail server that the database names for a user."""
        found: str | None = await self.database.fetchval(
            "SELECT mail_server FROM mail_assignment WHERE user_id = $1", bound.user_id)
        return found

    @asynccontextmanager
    async def monitor(
        self, users: Mapping[int, Bound] | list[Bound], server: str = "s1", pace: Pace = QUICK, **cluster: Any
    ) -> AsyncIterator[Monitor]:
        """A running monitor, with all its users connected."""
        one = Monitor(server, self.access, [self.cluster(**cluster)], self.woken.append, pace=pace)
        wanted = users if isinstance(users, Mapping) else {bound.user_id: bound for bound in users}
        one.set_bound(wanted)
        task = asyncio.create_task(one.run())
        try:
            await until(lambda: one.figures().connected >= len(wanted), "everybody is connected")
            yield one
        finally:
            await one.close()
            await task


@asynccontextmanager
async def world(processes: Processes) -> AsyncIterator[World]:
    """A world for one test; the database is emptied before."""
    await processes.ready()
    pool = await asyncpg.create_pool(
        host="127.0.0.1", port=processes.database_port, user="tuiha_pool", database="tuiha",
        min_size=1, max_size=8, ssl=False)
    try:
        await pool.execute("DELETE FROM app_user")
        await pool.execute("DELETE FROM mail_server")
        yield World(processes, pool, PlainAccess(pool))
    finally:
        await pool.close()


async def prepare(processes: Processes) -> None:
    """Roles, schema and log-ins, once."""
    async def connected() -> Any:
        try:
            return await asyncpg.connect(host="127.0.0.1", port=processes.database_port, user="postgres",
                                         database="postgres", ssl=False)
        except (OSError, asyncpg.PostgresError):
            return None

    first = await until(connected, "the database starts")
    for statement in ("CREATE ROLE tuiha_pool LOGIN", "CREATE ROLE tuiha_watch LOGIN", "CREATE DATABASE tuiha"):
        await first.execute(statement)
    await first.close()
    owner = await asyncpg.connect(host="127.0.0.1", port=processes.database_port, user="postgres",
                                  database="tuiha", ssl=False)
    await migrate(owner, "test", "db1")
    await owner.close()
    await mail.add_users(processes.mail, [])

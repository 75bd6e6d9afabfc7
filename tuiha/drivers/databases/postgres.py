"""One PostgreSQL node of the database pair, watched over one connection of its own."""

from __future__ import annotations

import asyncio
import ssl as tls
import time
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any

from tuiha.config import tls as certificates
from tuiha.drivers.databases import durability, questions
from tuiha.drivers.databases.questions import Counts, NodeAnswers
from tuiha.drivers.databases.refusals import refusal
from tuiha.drivers.databases.session import opened
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import DatabaseReport
from tuiha.pooldb.connection import Connection, OwnConnection, given
from tuiha.pooldb.statements.bindings import BOUND_USERS
from tuiha.pooldb.statements.epochs import EPOCH
from tuiha.pooldb.statements.mail import ASSIGNED_USERS, MAIL_SERVERS
from tuiha.pooldb.statements.servers import MEMBERS
from tuiha.pooldb.statements.users import COUNT_USERS

if TYPE_CHECKING:
    from tuiha.config.parts import DatabaseNode
    from tuiha.drivers.site import Site

_BIG = 8 * 1024 * 1024  # bytes of the counted tables: about 30,000 users
_PATIENCE = 0.25  # seconds that a poll waits for the very first count
_SHARE = 10.0  # a count may take this part of the time: one in ten
_LEAST = 2.0  # seconds from one count to the next, at least
_MOST = 60.0
_STALE = 180.0  # seconds after which a count is no longer told

Connect = Callable[[], Awaitable[Any]]


class Counting:
    """The counts of one node."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._task: asyncio.Task[None] | None = None
        self._counts: Counts | None = None
        self._counted = 0.0  # monotonic seconds
        self._again = 0.0

    async def counts(self, connection: Connection, sizes: dict[str, int]) -> Counts | None:
        """The counts, or None while there is none. `sizes` are the bytes of the tables that are there."""
        if sum(sizes.values()) < _BIG:
            return await _count(connection, sizes)
        now = time.monotonic()
        if (self._task is None or self._task.done()) and now >= self._again:
            self._task = asyncio.create_task(self._count_apart(tuple(sizes)))
        if self._counts is None and self._task is not None:
            await asyncio.wait({self._task}, timeout=_PATIENCE)
        if time.monotonic() - self._counted > _STALE:
            self._counts = None
        return self._counts

    async def _count_apart(self, tables: Collection[str]) -> None:
        import asyncpg

        started = time.monotonic()
        connection: OwnConnection | None = None
        try:
            connection = await self._connect()
            self._counts = await _count(connection, tables)
            self._counted = time.monotonic()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self._counts = None  # unknown; whether the node is well is for the poll to say
        finally:
            took = time.monotonic() - started
            self._again = started + min(_MOST, max(_LEAST, took * _SHARE))
            if connection is not None and not connection.is_closed():
                connection.terminate()

    def drop(self) -> None:
        """Forget what was counted, and stop counting."""
        self._counts = None
        self._again = 0.0
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop counting and wait until that is so."""
        self.drop()
        if self._task is not None:
            await asyncio.wait({self._task})
            self._task = None


async def _count(connection: Connection, tables: Collection[str]) -> Counts:
    bound = await connection.fetch(BOUND_USERS) if "binding" in tables else ()
    assigned = await connection.fetch(ASSIGNED_USERS) if {"binding", "mail_assignment"} <= {*tables} else ()
    users = await connection.fetchval(COUNT_USERS) if "app_user" in tables else None
    return Counts(
        {row["server"]: row["users"] for row in bound},
        {row["mail_server"]: row["users"] for row in assigned},
        users,
    )


APPLICATION = "tuiha watch"  # no server: theirs begin with "tuiha:"
# A locked table is told as such, before the caller's deadline makes it "no answer".
_SESSION = {"jit": "off", "lock_timeout": "1s"}
_CONNECT_SECONDS = 10.0  # an upper bound; the caller's deadline is usually shorter


class Postgres:
    """Polls one node and keeps its connection open; after a failure or a cancelled poll the next one reconnects."""

    capabilities: frozenset[str] = frozenset({"poll"})

    def __init__(
        self,
        name: str,
        address: str,
        database: str,
        user: str,
        password: str,
        window: float = 10.0,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self._host, self._port = host_and_port(address)
        self._database = database
        self._user = user
        self._password = password
        self._window = window  # seconds within which a server's heartbeat counts as alive
        self._ssl = ssl
        self._connection: OwnConnection | None = None
        self._turn = asyncio.Lock()
        self._counting = Counting(self._connect)

    async def poll(self) -> DatabaseReport:
        """Ask the node for everything the report holds. Raises DriverError."""
        import asyncpg

        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                return questions.report(await self._ask(self._connection), self._window)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._drop()
                raise refusal(error, self._user, self._database, self._ssl is not None) from None
            except BaseException:
                self._drop()  # cancelled in the middle of an answer: this connection is of no use any more
                raise

    async def close(self) -> None:
        """Drop the connection."""
        self._drop()
        await self._counting.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._counting.drop()
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def _connect(self) -> OwnConnection:
        return await opened(
            APPLICATION,
            _SESSION,
            host=self._host,
            port=self._port,
            user=self._user,
            password=self._password,
            database=self._database,
            ssl=False if self._ssl is None else self._ssl,
            timeout=_CONNECT_SECONDS,
        )

    async def _ask(self, connection: Connection) -> NodeAnswers:
        answers = NodeAnswers()
        answers.node = given(await connection.fetchrow(questions.NODE))
        if not answers.node["secondary"]:
            answers.replication = await self._unless_changed(connection, questions.REPLICATION)
        answers.durability = await connection.fetchrow(durability.QUESTION)
        answers.slots = await self._unless_changed(connection, questions.SLOTS)
        answers.sessions = await connection.fetch(questions.SESSIONS)
        answers.obstacles = await connection.fetchrow(questions.OBSTACLES)
        tables = await self._tables(connection)
        if "pool_epoch" in tables:
            answers.epoch = await connection.fetchrow(EPOCH)
        if "server" in tables:
            answers.members = await connection.fetch(MEMBERS)
        if "mail_server" in tables:
            answers.mail = await connection.fetch(MAIL_SERVERS)
        counted = {name: size for name, size in tables.items() if name in questions.COUNTED}
        answers.counts = await self._counting.counts(connection, counted)
        return answers

    async def _unless_changed(self, connection: Connection, question: str) -> Any:
        import asyncpg

        try:
            return await connection.fetch(question)
        except asyncpg.ObjectNotInPrerequisiteStateError:  # it stopped being the primary between two questions
            return ()

    async def _tables(self, connection: Connection) -> dict[str, int]:
        """The pool's tables that are there, with their bytes. One that may not be read is an error, not empty."""
        rows = await connection.fetch(questions.TABLES, list(questions.POOL_TABLES))
        closed = sorted(row["name"] for row in rows if not row["readable"])
        if closed:
            raise DriverError(f"role {self._user} may not read table {closed[0]}; GRANT SELECT on it is missing",
                              Cause.RIGHT)
        return {row["name"]: row["bytes"] or 0 for row in rows}


def open_postgres(node: DatabaseNode, site: Site) -> Postgres:
    """The driver of one database, with the watcher's role."""
    pool = site.pool
    watcher = pool.database.roles.watcher
    return Postgres(node.name, node.address, pool.database.name, watcher.user, site.secret(watcher.password),
                    pool.heartbeat.window, certificates.for_database(pool.database, site.base))

"""One PostgreSQL node of the database pair, watched over one connection of its own."""

from __future__ import annotations

import asyncio
import ssl as tls
from typing import TYPE_CHECKING, Any

from tuiha.config import tls as certificates
from tuiha.drivers.databases import durability, questions
from tuiha.drivers.databases.questions import NodeAnswers
from tuiha.drivers.databases.refusals import refusal
from tuiha.drivers.databases.session import opened
from tuiha.drivers.databases.user_counts import Counting
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import DatabaseReport
from tuiha.pooldb.connection import Connection, OwnConnection, given
from tuiha.pooldb.statements.epochs import EPOCH
from tuiha.pooldb.statements.mail import MAIL_SERVERS
from tuiha.pooldb.statements.servers import MEMBERS

if TYPE_CHECKING:
    from tuiha.config.parts import DatabaseNode
    from tuiha.drivers.site import Site

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

"""Reading rows for people: users and events, from the active database."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tuiha.config import tls
from tuiha.config.parts import DatabaseNode, Role
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.drivers.databases.postgres import APPLICATION
from tuiha.drivers.databases.refusals import explain, refusal
from tuiha.drivers.databases.session import opened
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import EpochState
from tuiha.model.users.names import DEFAULT, NameRule, canonical, canonical_pattern
from tuiha.model.users.placement import Candidate
from tuiha.pooldb.connection import OwnConnection, Row
from tuiha.pooldb.statements.epochs import WRITABLE_POOL
from tuiha.pooldb.statements.events import NEWEST_EVENTS
from tuiha.pooldb.statements.operations import NEWEST_OPERATIONS
from tuiha.pooldb.statements.pages import (
    DEVICES_OF,
    PAGE_OF_SERVER,
    PAGE_OF_USERS,
    PAGE_WITHOUT_MAIL,
    TROUBLES,
    UNREADABLE_MESSAGES,
)
from tuiha.pooldb.statements.servers import CANDIDATES_SEEN
from tuiha.pooldb.statements.users import SPELLED

QUERY = 15.0  # seconds that one question may take


@dataclass(frozen=True)
class Reader:
    """A connection to the database that was found best."""

    connection: OwnConnection
    database: str
    active: bool  # writable, and its epoch row says ACTIVE; else what it has may be older
    names: NameRule = DEFAULT  # which spellings of a user's name are one user


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of `event`."""

    id: int
    at: datetime
    severity: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class UserWithoutMail:
    """Why a user has no mail, as the server that monitors the user writes it."""

    reason: str  # a model.mail_trouble.Trouble
    text: str  # what the mail server said
    since: datetime
    mail_server: str | None  # that was tried last


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user with its binding, devices and mail server; what it does not have is None."""

    name: str
    server: str | None
    since: datetime | None
    locked_until: datetime | None
    devices: int
    mail_server: str | None
    last_sync: datetime | None
    generation: int | None = None
    pinned: bool = False
    weight: float = 1.0
    mail_cluster: str = ""
    id: int = 0  # by which the pages of a server's users follow each other
    disabled_at: datetime | None = None  # by an operator; None: not disabled
    disabled_reason: str | None = None
    revoked: int = 0  # of its devices
    no_mail: UserWithoutMail | None = None  # why its mail is not monitored right now

    @property
    def disabled(self) -> bool:
        """Whether an operator has disabled it."""
        return self.disabled_at is not None

    @property
    def locked(self) -> bool:
        """Whether it may not be moved without an operator's word, by the database's clock when it was read."""
        return self.locked_until is not None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device of a user."""

    name: str
    kind: str
    registered_at: datetime
    last_seen: datetime
    behind: int  # changes that it has not acknowledged
    revoked_at: datetime | None  # by an operator; None: not revoked
    revoked_reason: str | None


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A message that the monitor could not read: the devices were told of it by a substitute."""

    mailbox: str
    uid: int
    mail_server: str
    size: int | None  # bytes; None: the mail server does not say
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class RecordedOperation:
    """A row of `operation`: the copy that a runner left when its operation ended."""

    id: str
    kind: str
    target: str | None
    state: str
    who: str
    reason: str | None
    started_at: datetime
    ended_at: datetime | None
    journal: str  # JSON: the records


class ReaderUnreachable(Exception):
    """No database of the pair could be read. The text names each with its reason."""


@asynccontextmanager
async def reader(pool: Pool, base: Path) -> AsyncIterator[Reader]:
    """Connect to all databases at once as the watcher and keep the active one, else any.

    Raises Unreachable, ConfigError; a failure while reading is raised as Unreachable as well.
    """
    from tuiha.pooldb.errors import UNREAD

    role = pool.database.roles.watcher
    password = await asyncio.to_thread(resolve, role.password, base)
    context = tls.for_database(pool.database, base)
    tried = await asyncio.gather(*(_try(pool, node, role, password, context) for node in pool.database.nodes))
    readers = sorted((r for r in tried if isinstance(r, Reader)), key=lambda r: not r.active)
    if not readers:
        raise ReaderUnreachable("\n".join(f"{node.name} at {node.address}: {why}"
                                          for node, why in zip(pool.database.nodes, tried, strict=True)))
    for other in readers[1:]:
        other.connection.terminate()
    try:
        yield readers[0]
    except UNREAD as error:
        raise ReaderUnreachable(f"{readers[0].database}: {explain(error, role.user, pool.database.name)}") from None
    finally:
        readers[0].connection.terminate()


async def connect(pool: Pool, node: DatabaseNode, role: Role, password: str, context: ssl.SSLContext | None,
                  stated: bool = True) -> OwnConnection:
    """A connection to one node with one role, within the watch's timeout. Raises DriverError.

    Not `stated`: it has the settings that an administrator made the default, as any other program's.
    """
    from tuiha.drivers.databases import scram
    from tuiha.pooldb.errors import UNREAD

    host, port = host_and_port(node.address)
    try:
        async with asyncio.timeout(pool.watch.timeout):
            where: dict[str, Any] = {
                "host": host, "port": port, "user": role.user, "password": password, "database": pool.database.name,
                "ssl": False if context is None else context, "command_timeout": QUERY,
                "timeout": pool.watch.timeout}
            if not stated:
                return await scram.connect(server_settings={"application_name": APPLICATION}, **where)
            return await opened(APPLICATION, {"jit": "off"}, **where)
    except TimeoutError:
        raise DriverError(f"no answer in {pool.watch.timeout:g} s", Cause.SILENT) from None
    except UNREAD as error:
        raise refusal(error, role.user, pool.database.name, context is not None) from None


async def _try(pool: Pool, node: DatabaseNode, role: Role, password: str, context: ssl.SSLContext | None,
               ) -> Reader | str:
    """A reader of this node, or why not."""
    from tuiha.pooldb.errors import UNREAD

    try:
        connection = await connect(pool, node, role, password, context)
    except DriverError as error:
        return str(error)
    try:
        row = await connection.fetchrow(WRITABLE_POOL)
    except UNREAD as error:
        connection.terminate()
        return explain(error, role.user, pool.database.name)
    if row is None or row["pool"] != pool.pool:
        connection.terminate()
        return "it is not a database of this pool" + (f", but of '{row['pool']}'" if row is not None else "")
    active = row["writable"] and row["state"] == EpochState.ACTIVE and row["active"] == node.name
    return Reader(connection, node.name, active, pool.users.names.rule)


async def read_events(source: Reader, limit: int) -> list[EventRow]:
    """The newest `limit` events, newest last."""
    rows = await source.connection.fetch(NEWEST_EVENTS, limit)
    return [EventRow(**row) for row in reversed(rows)]


async def read_operations(source: Reader, limit: int) -> list[RecordedOperation]:
    """The newest `limit` operations that have ended, newest first."""
    rows = await source.connection.fetch(NEWEST_OPERATIONS, limit)
    return [RecordedOperation(**row) for row in rows]


async def read_candidates(source: Reader, window: float) -> dict[str, Candidate]:
    """The pool servers as the choice of a user's server sees them. `window`: seconds that a heartbeat counts."""
    rows = await source.connection.fetch(CANDIDATES_SEEN, window)
    return {row["name"]: Candidate(**row) for row in rows}


async def read_users(source: Reader, pattern: str, after: str, limit: int) -> list[UserRow]:
    """A page of users by name, those after `after`. `pattern` is a beginning, or holds * and ?, in any spelling.

    Users whose names are not spelled by the rule (yet) are found as they are spelled.
    """
    found: dict[int, UserRow] = {}
    for spelled in {pattern, canonical_pattern(pattern, source.names)}:
        beginning, end, expression = bounds(spelled)
        rows = await _rows(source, PAGE_OF_USERS, beginning, end, after, expression, limit)
        found |= {row["id"]: UserRow(**row) for row in rows}
    return await _with_trouble(source, sorted(found.values(), key=lambda user: user.name.encode())[:limit])


async def read_users_without_mail(source: Reader, pattern: str, after: str, limit: int) -> list[UserRow]:
    """As `read_users`, but only those without mail; nobody, where the servers do not write that yet."""
    from tuiha.pooldb.errors import NoTable

    beginning, end, expression = bounds(canonical_pattern(pattern, source.names))
    try:
        rows = await source.connection.fetch(PAGE_WITHOUT_MAIL, beginning, end, after, expression, limit)
    except NoTable:
        return []
    return await _with_trouble(source, [UserRow(**row) for row in rows])


async def _with_trouble(source: Reader, rows: list[UserRow]) -> list[UserRow]:
    """The rows, and why some have no mail; a pool of an earlier version does not write it."""
    from tuiha.pooldb.errors import NoTable

    if not rows:
        return rows
    try:
        found = await source.connection.fetch(TROUBLES, [row.id for row in rows])
    except NoTable:
        return rows
    told = {
        row["user_id"]: UserWithoutMail(row["reason"], row["text"], row["since"], row["mail_server"]) for row in found
    }
    return [replace(row, no_mail=told.get(row.id)) for row in rows]


UNREADABLE = 20  # of a user's unreadable messages the newest are shown


async def read_unreadable(source: Reader, user_id: int) -> list[UnreadableRow]:
    """A user's messages that could not be read, newest first. Looks through the user's history."""
    rows = await source.connection.fetch(UNREADABLE_MESSAGES, user_id, UNREADABLE)
    return [UnreadableRow(**row) for row in rows]


async def read_users_on(source: Reader, server: str, after: int, limit: int) -> list[UserRow]:
    """A page of the users that a server monitors, by the time of their coming: those after the id `after`."""
    rows = await _rows(source, PAGE_OF_SERVER, server, after, limit)
    return await _with_trouble(source, [UserRow(**row) for row in rows])


async def read_devices(source: Reader, user: str) -> list[DeviceRow] | None:
    """The devices of a user, in any spelling, by name; None when there is no such user."""
    name = await source.connection.fetchval(SPELLED, [user, canonical(user, source.names)], user)
    return None if name is None else [DeviceRow(**row) for row in await _rows(source, DEVICES_OF, name)]


async def _rows(source: Reader, statement: str, *arguments: Any) -> list[Row]:
    """The rows, also of a pool whose servers are of a version that knows nothing of disabled and revoked."""
    from tuiha.pooldb.errors import NoColumn

    try:
        return list(await source.connection.fetch(statement, *arguments))
    except NoColumn:
        return list(await source.connection.fetch(before_revocation(statement), *arguments))


def before_revocation(statement: str) -> str:
    """The statement for a database before schema file 0007: nobody is disabled there, and nothing revoked."""
    statement = re.sub(r", (?:one\.)?disabled_at, (?:one\.)?disabled_reason(?=\s+FROM)", "", statement)
    statement = statement.replace("u.disabled_at, u.disabled_reason",
                                  "NULL::timestamptz AS disabled_at, NULL::text AS disabled_reason")
    statement = statement.replace("count(revoked_at)::int AS revoked", "0 AS revoked")
    return statement.replace("d.revoked_at, d.revoked_reason",
                             "NULL::timestamptz AS revoked_at, NULL::text AS revoked_reason")


def bounds(pattern: str) -> tuple[str, str | None, str]:
    """What `pattern` means for the index (from, up to) and as a regular expression of PostgreSQL."""
    wild = re.search(r"[*?]", pattern)
    beginning = pattern[: wild.start()] if wild else pattern
    parts = {"*": ".*", "?": "."}
    body = "".join(parts.get(letter) or (letter if letter.isalnum() else f"\\{letter}") for letter in pattern)
    return beginning, _following(beginning), f"^{body}$" if wild else f"^{body}"


def _following(beginning: str) -> str | None:
    """The smallest text above all that begin with `beginning`; None when there is no bound."""
    for cut in range(len(beginning), 0, -1):
        last = ord(beginning[cut - 1])
        following = 0xE000 if last == 0xD7FF else last + 1  # no text holds the surrogates
        if following <= 0x10FFFF:
            return beginning[: cut - 1] + chr(following)
    return None

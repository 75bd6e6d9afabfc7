"""An attachment: one pool server on one physical database in one epoch, under one lease.

It ends with its lease and never comes back; the next one is another object. That makes the second look simple: an
answer may be released only while the very attachment that it came through is whole.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tuiha.drivers.databases.session import opened
from tuiha.pooldb.connection import OwnConnection
from tuiha.pooldb.leases import boottime
from tuiha.server.database.fence import Wires


class Lane(Enum):
    """Whose work needs a session. Each has its own sessions, so none waits behind another."""

    COMMON = "devices and mail"
    HEART = "heartbeat, bindings, and whatever else keeps the pool alive"
    CONTROL = "operators"
    PROOF = "that the database lives, for answers"


_RESERVED = {Lane.HEART: 2, Lane.CONTROL: 2, Lane.PROOF: 1}  # sessions beside those of the setting
_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.COMMON)


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """What runs here, and the tasks that it makes, use the sessions of this lane."""
    token = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(token)


def present_lane() -> Lane:
    """The lane of what runs here."""
    return _lane.get()


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """Where a database is and how a pool server logs in there."""

    name: str
    host: str
    port: int
    database: str
    user: str
    password: str
    ssl: tls.SSLContext | None
    application: str


@dataclass(slots=True)
class Session:
    """One connection under the fence. `warned` counts warnings: a commit that brought one is not to be trusted."""

    connection: OwnConnection
    warned: int = 0
    let_go: bool = False  # it is this side that ends it

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return bool(self.connection.is_closed())

    def drop(self) -> None:
        """End the connection, by our own will: it says nothing about the database."""
        self.let_go = True
        self.connection.terminate()


async def connect(place: DatabasePlace, wires: Wires, timeout: float = 2.0) -> Session:
    """Open a session whose socket the fence guards, with our settings. Raises what `LOST` lists, or log-in errors."""
    connection = await opened(
        place.application,
        host=place.host,
        port=place.port,
        database=place.database,
        user=place.user,
        password=place.password,
        ssl=place.ssl,
        timeout=timeout,
    )
    session = Session(connection)
    private: Any = connection  # asyncpg offers no public way to its socket; the fence cannot do without it
    duplicate = private._transport.get_extra_info("socket").dup()
    wires.add(duplicate)
    connection.add_termination_listener(lambda _: wires.drop(duplicate))
    connection.add_log_listener(lambda _, message: _count(session, message))
    return session


def _count(session: Session, message: Any) -> None:
    if message.severity_en in ("WARNING", None):
        session.warned += 1


class Attachment:
    """Sessions on one physical database, as many as the settings allow and a few in reserve, all on the same wires."""

    def __init__(
        self, place: DatabasePlace, epoch: int, system_identifier: str, timeline: int, wires: Wires, size: int
    ):
        self.place = place
        self.epoch = epoch
        self.system_identifier = system_identifier
        self.timeline = timeline
        self.wires = wires
        self.since = boottime()
        self.verified = False  # its first lease was confirmed by the secondary, or contradicted by no other server
        self.why = ""  # it ended
        self._free: list[Session] = []
        self._rooms = {lane: asyncio.Semaphore(_RESERVED.get(lane, size)) for lane in Lane}
        self._over = asyncio.Event()

    @property
    def whole(self) -> bool:
        """Whether the lease holds and nothing has ended this attachment."""
        return self.wires.whole

    @property
    def lease_seconds(self) -> float:
        """What is left of the lease."""
        return self.wires.left

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Borrow a session; it is kept for the next borrower unless it broke. Raises what `LOST` lists."""
        async with self._rooms[present_lane()]:
            if self._over.is_set():  # hundreds may have waited, and a stopped database takes connections in silence
                raise ConnectionResetError("the attachment is over")
            session = self._take() or await self._another()
            try:
                yield session
            finally:
                self._give_back(session)

    async def _another(self) -> Session:
        session = await connect(self.place, self.wires)
        self.watch(session)
        return session

    def watch(self, session: Session) -> None:
        """Have the attachment end when the database drops this session of it.

        A database that restarts shows commits that the secondary never confirmed: nothing may be read from it under a
        lease of before. The next lease is a commit, and whoever confirms that one has all that came before it.
        """

        def dropped(_: Any) -> None:
            if not session.let_go:
                self.lose()

        session.connection.add_termination_listener(dropped)

    async def over(self, seconds: float) -> bool:
        """Wait for its end for so long; whether it has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    async def ended(self) -> None:
        """Wait for its end."""
        await self._over.wait()

    def _give_back(self, session: Session) -> None:
        # A session left in mid-transaction (cancelled, or lost while it rolled back) is not fit for anybody else.
        if session.closed or not self.whole or session.connection.is_in_transaction():
            session.drop()
        else:
            self._free.append(session)

    def _take(self) -> Session | None:
        while self._free:
            session = self._free.pop()
            if not session.closed:
                return session
        return None

    def lose(self) -> None:
        """End it because a session broke: the fence shut it, or the database dropped it."""
        name = self.place.name
        self.end(f"lost its lease: {name} did not confirm in time ({name} is down, or waits for the secondary)"
                 if self.wires.cut else f"{name} closed a connection; checking again")

    def end(self, why: str) -> None:
        """End this attachment now: sockets shut, sessions dropped. Only the first reason counts."""
        if self._over.is_set():
            return
        self.why = why
        self._over.set()
        self.wires.sever()
        while self._free:
            self._free.pop().connection.terminate()


async def never_cancelled(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a commit to its end even when the task that wants it is cancelled, then pass the cancellation on.

    The wait is bounded by the fence, which shuts the socket when the lease ends.
    """
    task = asyncio.ensure_future(work())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:  # also a second one: the commit goes on as long as it takes
            cancelled = error
    if cancelled is not None:
        task.exception()  # seen, so that asyncio does not complain; the cancellation is what the caller gets
        raise cancelled
    return task.result()

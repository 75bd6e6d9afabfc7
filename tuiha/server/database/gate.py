"""The gate: the only way from a pool server's parts to the enterprise database.

No statement without a lease. And after the answer, before anything is released, the second look: the database must show
that it still lived when it gave the answer, and when the attachment that the answer came through is over, the answer is
thrown away and its outcome is unknown. While the pool changes its database the gate holds: callers wait, bounded in
number and time, instead of failing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tuiha.drivers.databases.positions import LIVES
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import FAILED, LOST
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.attachment import Attachment, Lane, Session, in_lane, never_cancelled


class Together:
    """Asks a question for many at once. Nobody gets the answer to one that began before he wanted to know."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def asked(self) -> None:
        """Returns when a question that began after this call is answered. Raises what the question raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asking))
            self._next.add_done_callback(_seen)
        await asyncio.shield(self._next)

    async def _after(self, other: asyncio.Task[None] | None) -> None:
        if other is not None:
            await asyncio.wait({other})
        self._asking, self._next = self._next, None  # it begins: who wants to know from here on waits for the next
        await self._ask()


def _seen(task: asyncio.Task[None]) -> None:
    """Look at what it raised, also when all who waited have gone."""
    if not task.cancelled():
        task.exception()


T = TypeVar("T")
_AGAIN = 0.05  # seconds before a repeatable piece of work is tried again on a failing database


@dataclass(slots=True)
class Passage:
    """What one answer went through."""

    used: list[Attachment] = field(default_factory=list)
    waited: bool = False  # for a database: the pool held, or had none
    withheld: Callable[[], bool] = lambda: False  # whether what it tells may not be told any more


_passage: ContextVar[Passage | None] = ContextVar("passage", default=None)
_released: ContextVar[Passage | None] = ContextVar("released", default=None)  # of the answer that is written now


class Gate:
    """Holds, lets through, counts, and looks twice."""

    def __init__(self, hold_seconds: float, hold_requests: int) -> None:
        self._hold_seconds = hold_seconds
        self._hold_requests = hold_requests
        self._attachment: Attachment | None = None
        self._held_until: float | None = None
        self._away_since: float | None = None
        self._proof: tuple[Attachment, Together] | None = None
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.waiting = 0
        self.in_flight = 0
        self.why = "starting: no database yet"

    @property
    def attachment(self) -> Attachment | None:
        """The attachment in use, while its lease holds."""
        attachment = self._attachment
        return attachment if attachment is not None and attachment.whole else None

    @property
    def held(self) -> bool:
        """Whether an operator holds this server."""
        return self._held_until is not None and asyncio.get_running_loop().time() < self._held_until

    def open(self, attachment: Attachment) -> None:
        """Let callers through to this attachment."""
        self._attachment = attachment
        self._away_since = None
        self.why = ""
        self._wake()

    def close(self, why: str) -> None:
        """No database any more; callers wait for the next `open`."""
        self._attachment = None
        if self._away_since is None:
            self._away_since = asyncio.get_running_loop().time()
        self.why = why

    @property
    def away_seconds(self) -> float | None:
        """For how long the database has been away; None while it may be used, and before it ever could."""
        since = self._away_since
        return None if since is None else asyncio.get_running_loop().time() - since

    @property
    def patient(self) -> bool:
        """Whether callers still wait for a database that is away: it has not been away for longer than the hold."""
        since = self._away_since
        return since is None or asyncio.get_running_loop().time() < since + self._hold_seconds

    async def hold(self, seconds: float) -> None:
        """Let nothing new through; returns when nothing is in flight. Ends by itself after `seconds`.

        Raises TimeoutError when something is still in flight at that time.
        """
        loop = asyncio.get_running_loop()
        self._held_until = loop.time() + seconds
        loop.call_at(self._held_until, self._wake)
        async with asyncio.timeout(seconds):
            await self._idle.wait()

    def release(self) -> None:
        """End a hold."""
        self._held_until = None
        self._wake()

    async def opened(self, seconds: float) -> None:
        """Returns when there is an attachment to use, or after that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.attachment is None:
                    await self._changed.wait()

    def still(self, attachment: Attachment) -> None:
        """The second look. Raises OutcomeUnknown unless this attachment is whole and still the one in use."""
        if self._attachment is not attachment or not attachment.whole:
            raise OutcomeUnknown("the lease on the database ended before the answer could be released")

    @asynccontextmanager
    async def releasing(self) -> AsyncIterator[Passage]:
        """Around everything that makes one answer: looks again, last, at every attachment that the answer came through.

        `read` and `transaction` look as soon as the database has answered; this look is the one right before release,
        and `still_released` the very last, when the answer's bytes are handed to the socket. Raises OutcomeUnknown.
        """
        passage = Passage()
        token = _passage.set(passage)
        try:
            yield passage
        finally:
            _passage.reset(token)
        for attachment in passage.used:
            self.still(attachment)
            await self._lives(attachment)
        for attachment in passage.used:
            self.still(attachment)
        _released.set(passage)

    def still_released(self) -> bool:
        """Whether the answer that is being written in this context may go out now.

        To make bytes of an answer takes a fraction of a millisecond, and a process can be stopped for a minute in it.
        """
        passage = _released.get()
        if passage is None:
            return True
        return not passage.withheld() and all(self._attachment is one and one.whole for one in passage.used)

    async def _lives(self, attachment: Attachment) -> None:
        """Have the database show that it was alive after all that it answered so far. Raises OutcomeUnknown."""
        if self._proof is None or self._proof[0] is not attachment:
            self._proof = attachment, Together(lambda: self._proven(attachment))
        try:
            await self._proof[1].asked()
        except LOST as error:
            raise OutcomeUnknown("the database was gone before the answer could be released") from error

    async def _proven(self, attachment: Attachment) -> None:
        with in_lane(Lane.PROOF):
            async with self._counted(attachment) as session:
                await session.connection.execute(LIVES)

    async def enter(self, wait: float | None = None) -> Attachment:
        """The attachment in use, waited for up to `wait` seconds (None: the settings' hold). Raises Unavailable.

        A database that has been away for longer than the hold is not waited for any more.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + (self._hold_seconds if wait is None else wait)
        while (attachment := self.attachment) is None or self.held:
            left = until - loop.time()
            if left <= 0 or self.waiting >= self._hold_requests or not self.patient:
                raise Unavailable(self.why or "the pool is changing its database")
            await self._wait(left)
        return attachment

    async def waited_for(self) -> bool:
        """Wait, as `enter` does, until the database may be used; whether that took any waiting. Raises Unavailable."""
        if self.attachment is not None and not self.held:
            return False
        await self.enter()
        return True

    async def _wait(self, seconds: float) -> None:
        _note_wait()
        self.waiting += 1
        try:
            # A lease that lapses wakes nobody, so nobody sleeps longer than a moment.
            async with asyncio.timeout(min(seconds, 0.5)):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self.waiting -= 1

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def _through(self, wait: float | None) -> AsyncIterator[tuple[Attachment, Session]]:
        attachment = await self.enter(wait)
        passage = _passage.get()
        if passage is not None and attachment not in passage.used:
            passage.used.append(attachment)
        async with self._counted(attachment) as session:
            yield attachment, session

    @asynccontextmanager
    async def _counted(self, attachment: Attachment) -> AsyncIterator[Session]:
        self.in_flight += 1
        self._idle.clear()
        try:
            async with attachment.session() as session:
                yield session
        finally:
            self.in_flight -= 1
            if self.in_flight == 0:
                self._idle.set()

    @asynccontextmanager
    async def transaction(self, wait: float | None = None) -> AsyncIterator[Connection]:
        """A transaction; see `access.Access.transaction`."""
        committing = False
        try:
            async with self._through(wait) as (attachment, session):
                transaction = await _begun(session)
                try:
                    yield session.connection
                except BaseException:
                    await _undo(session, transaction)
                    raise
                warned, committing = session.warned, True
                await never_cancelled(transaction.commit)
                if session.warned != warned:
                    raise OutcomeUnknown("the commit came back with a warning: it may not be on the secondary")
                self.still(attachment)
        except LOST as error:
            if committing:
                raise OutcomeUnknown("the connection broke during a commit") from error
            raise Unavailable("the connection to the database broke") from error

    async def read(self, work: Callable[[Connection], Awaitable[T]], wait: float | None = None) -> T:
        """Run read-only work without a transaction, again on a broken connection; look twice. Raises Unavailable."""
        return await self._repeat(self._read_once, work, wait)

    async def write(self, work: Callable[[Connection], Awaitable[T]], wait: float | None = None) -> T:
        """Run work in a transaction, again after a broken connection or an unknown outcome.

        The work must therefore be repeatable: run twice, it leaves what it leaves when run once. Raises Unavailable.
        """
        return await self._repeat(self._write_once, work, wait)

    async def _read_once(self, work: Callable[[Connection], Awaitable[T]], wait: float) -> T:
        try:
            async with self._through(wait) as (attachment, session):
                answer = await work(session.connection)
                self.still(attachment)
                return answer
        except LOST as error:
            raise Unavailable("the connection to the database broke") from error

    async def _write_once(self, work: Callable[[Connection], Awaitable[T]], wait: float) -> T:
        async with self.transaction(wait) as connection:
            return await work(connection)

    async def _repeat(
        self,
        once: Callable[[Callable[[Connection], Awaitable[T]], float], Awaitable[T]],
        work: Callable[[Connection], Awaitable[T]],
        wait: float | None,
    ) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + (self._hold_seconds if wait is None else wait)
        while True:
            try:
                return await once(work, until - loop.time())
            except (Unavailable, OutcomeUnknown) as error:
                if loop.time() + _AGAIN >= until:
                    raise Unavailable(str(error)) from error
                _note_wait()
                await asyncio.sleep(_AGAIN)


def _note_wait() -> None:
    passage = _passage.get()
    if passage is not None:
        passage.waited = True


async def _begun(session: Session) -> Any:
    """A transaction. One that is cancelled while it begins may have begun: its connection is dropped."""
    transaction = session.connection.transaction()
    try:
        await transaction.start()
    except asyncio.CancelledError:
        session.drop()
        raise
    return transaction


async def _undo(session: Session, transaction: Any) -> None:
    """Roll back; a connection that cannot is dropped, which rolls back too."""
    try:
        await transaction.rollback()
    except FAILED:
        session.drop()
    except BaseException:
        session.drop()
        raise

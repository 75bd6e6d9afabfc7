"""The monitor's way to the enterprise database: few transactions at a time, repeated until the outcome is known."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from random import Random
from typing import TypeVar

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import FAILED, DatabaseError
from tuiha.server.database.access import Access, OutcomeUnknown, Unavailable
from tuiha.server.mail import record
from tuiha.server.mail.cluster import Bound, Cluster
from tuiha.server.mail.pace import Pace, pause

_log = logging.getLogger("tuiha.monitor")
T = TypeVar("T")

# After these the same work is done again: it looks at the database's rows first and so never does a thing twice.
_AGAIN = (Unavailable, OutcomeUnknown, *FAILED)


# A value that does not fit, a constraint, a limit of the program: repeating does not help.
_FOR_GOOD = frozenset({"22", "23", "54"})


class RowRefused(Exception):
    """The database refuses the work for good: what is in it cannot be stored."""


async def cancelled_once(work: Coroutine[None, None, T]) -> T:
    """Do work to its end, or to the end of its cancellation, however often the waiting task is cancelled.

    A monitor may be rung and stopped at the same moment. A transaction bears one cancellation, which a commit delays
    until it is through; a second one would tear it away from its commit.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            if not cancelled:
                task.cancel()
            cancelled = True
    if cancelled:
        if not task.cancelled():
            task.exception()  # seen; the cancellation is what the caller gets
        raise asyncio.CancelledError
    return task.result()


class MailJournal:
    """Reads and writes for all monitored users of one pool server."""

    def __init__(
        self, server: str, access: Access, pace: Pace, random: Random, on_change: Callable[[int], None]
    ) -> None:
        self._server = server
        self._access = access
        self._pace = pace
        self._random = random
        self._on_change = on_change
        self._slots = asyncio.Semaphore(pace.transactions)
        self.changes = 0
        self.refusing: dict[int, tuple[float, str]] = {}  # user -> since when (monotonic) the database refuses, and why

    async def enrol(self, clusters: Iterable[Cluster]) -> None:
        """Make sure that all mail servers have their row."""
        chosen = tuple(clusters)
        await self._until_done(lambda connection: record.enrol(connection, chosen), "the mail servers")

    async def known(self, bound: Bound) -> record.KnownMailbox:
        """What the database knows of a user's mailbox. Raises Superseded; waits as long as there is no database."""
        who = f"user {bound.user_id}"
        found, _ = await self._until_done(
            lambda connection: record.known(connection, self._server, bound), who, bound.user_id)
        return found

    async def record(self, bound: Bound, entry: record.MailboxStep) -> None:
        """Write an entry exactly once, however often that takes, and tell that the user has changes.

        Raises Superseded, CursorElsewhere, Refused. When it is cancelled the entry is either written or not; the next
        look at the database's rows tells.
        """
        who = f"user {bound.user_id}"
        news = bool(entry.messages)  # until the outcome is known there may be news: waking for nothing does no harm
        try:
            count, doubtful = await self._until_done(
                lambda connection: record.record(connection, self._server, bound, entry), who, bound.user_id
            )
            self.changes += count
            news = news and (count > 0 or doubtful)
        finally:
            if news:
                self._on_change(bound.user_id)

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._slots, self._access.transaction() as connection:
            return await work(connection)

    async def _until_done(
        self, work: Callable[[Connection], Awaitable[T]], what: str, user_id: int | None = None
    ) -> tuple[T, bool]:
        """The work's result, and whether an earlier try may have been committed after all."""
        try:
            return await self._repeated(work, what, user_id)
        finally:
            if user_id is not None:
                self.refusing.pop(user_id, None)

    async def _repeated(
        self, work: Callable[[Connection], Awaitable[T]], what: str, user_id: int | None
    ) -> tuple[T, bool]:
        failures, doubtful = 0, False
        while True:
            try:
                return await cancelled_once(self._once(work)), doubtful
            except _AGAIN as error:
                if isinstance(error, DatabaseError) and str(error.sqlstate or "")[:2] in _FOR_GOOD:
                    raise RowRefused(f"{type(error).__name__}: {error}") from error
                failures += 1
                doubtful = True
                reason = f"{type(error).__name__}: {error}"
                if user_id is not None and isinstance(error, DatabaseError):  # it is there, and refuses
                    self.refusing.setdefault(user_id, (time.monotonic(), reason))
                _log.log(logging.WARNING if failures == 5 else logging.DEBUG,
                         "%s: the database does not take it yet (%s)", what, reason)
            await asyncio.sleep(
                pause(failures, self._pace.database_backoff, self._pace.database_backoff_limit, self._random)
            )

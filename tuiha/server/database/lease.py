"""The lease: a pool server's right to use the active database, renewed by a synchronous commit on it.

Counted from before the renewal was sent, so that a late answer can only shorten it. While the commit waits for the
secondary there is no answer and no lease; once the secondary stops receiving, no lease can begin. That is what lets a
coordinator promote the secondary after one lease time without asking this server (docs/architecture.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tuiha.pooldb.errors import FAILED
from tuiha.pooldb.leases import RENEW, RENEWED_AGO, boottime, oldest_renewal
from tuiha.pooldb.statements.epochs import EPOCH_AND_COMMITS
from tuiha.server.database.attachment import Attachment, DatabasePlace, Session, connect, never_cancelled
from tuiha.server.database.ground import Ground, NoGround
from tuiha.server.database.identity import DatabaseIdentity, Expected, identify, verify
from tuiha.server.database.lifeline import Lifeline

log = logging.getLogger("tuiha.lease")
_SLACK = 1.0  # seconds by which a renewal may be seen late
_PAUSE = 0.1  # seconds before another try to connect

Over = Callable[[float], Awaitable[bool]]  # sleeps so many seconds; whether the attachment is over then


class LeaseRefused(Exception):
    """The database took the statement and gave no lease; the text says why."""


class LeaseKeeper:
    """Holds one lease on one attachment until it ends, on a connection of its own."""

    def __init__(self, server: str, instance: str, seconds: float, notified: Callable[[str], None],
                 ground: Ground | None = None, lifeline: Lifeline | None = None, patience: float = 10.0) -> None:
        """`ground` None: whoever promotes the secondary asks no ledger (Patroni). `lifeline` None: renewals share the
        loop of all else. `patience`: seconds that this loop may stand still before the lease is given up.
        """
        self._server = server
        self._instance = instance
        self._seconds = seconds
        self._notified = notified
        self._ground = ground
        self._lifeline = lifeline
        self._patience = patience

    async def take(self, attachment: Attachment, session: Session) -> None:
        """Renew once. Raises LeaseRefused, or what LOST lists; never cancelled on its way."""
        sent, warned = boottime(), session.warned
        epoch = await never_cancelled(
            lambda: session.connection.fetchval(RENEW, self._server, attachment.epoch, self._instance, self._seconds)
        )
        if session.warned != warned:
            raise LeaseRefused("the renewal came back with a warning: it may not be on the secondary")
        if epoch is None:
            raise LeaseRefused(await self._why(session, attachment))
        if self._ground is not None:
            try:
                await self._ground.hold(attachment, session)
            except NoGround as reason:
                raise LeaseRefused(str(reason)) from None
        attachment.wires.deadline = max(attachment.wires.deadline, sent + self._seconds)

    async def _why(self, session: Session, attachment: Attachment) -> str:
        row = await session.connection.fetchrow(EPOCH_AND_COMMITS)
        if row is None or row["epoch"] != attachment.epoch or row["state"] != "ACTIVE":
            return "the pool's epoch changed, or its database is fenced"
        if row.get("commits", "on") not in ("on", "remote_apply"):
            return (f"synchronous_commit became {row['commits']} in this server's session: its commits would not wait "
                    "for the secondary")
        return f"another process that is called {self._server} holds the lease; stop it, or wait until its lease ends"

    async def keep(self, attachment: Attachment, session: Session) -> None:
        """Renew until the attachment ends."""
        try:
            await session.connection.add_listener("tuiha", lambda _c, _p, _ch, payload: self._notified(payload))
            if self._lifeline is None:
                await self._renewing(attachment, session, attachment.over)
            else:
                await self._beside(attachment, self._lifeline)
        except LeaseRefused as refusal:
            attachment.end(str(refusal))
        except FAILED as error:
            log.info("renewal lost", extra={"error": type(error).__name__})
            attachment.lose()

    async def _beside(self, attachment: Attachment, lifeline: Lifeline) -> None:
        """Renew on the lifeline until the attachment ends. Raises as `take` does."""
        renewing = asyncio.create_task(lifeline.do(self._on_the_lifeline(attachment, lifeline)))
        ended = asyncio.create_task(attachment.ended())
        try:
            await asyncio.wait({renewing, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over = ended.done()
            for task in (renewing, ended):
                task.cancel()
            await asyncio.wait({renewing, ended})
        if over and not renewing.cancelled():
            renewing.exception()  # seen: why the attachment ended is known
        if not over:
            renewing.result()
            attachment.lose()  # the fence cut it between two renewals, and nobody here has heard of that yet

    async def _on_the_lifeline(self, attachment: Attachment, lifeline: Lifeline) -> None:
        async def over(seconds: float) -> bool:
            await asyncio.sleep(seconds)
            if lifeline.still_for() > self._patience:
                raise LeaseRefused(f"this server has done nothing else for {self._patience:.0f} s")
            return attachment.wires.cut

        session = await self._another(attachment, over)
        try:
            await self._renewing(attachment, session, over)
        finally:
            session.connection.terminate()

    async def _another(self, attachment: Attachment, over: Over) -> Session:
        """A session for renewals alone, tried for as long as the lease lasts. Raises LeaseRefused, what LOST lists."""
        while True:
            try:
                session = await connect(attachment.place, attachment.wires, timeout=self._seconds / 2)
                await self.same(attachment, session)
                return session
            except FAILED:
                if not attachment.whole or await over(_PAUSE):
                    raise

    async def same(self, attachment: Attachment, session: Session) -> None:
        """A new session is on the very database of the attachment. Raises LeaseRefused when its address leads elsewhere
        by now, or what LOST lists.

        A copy has the same identifier, timeline and epoch, and not this server's last renewals.
        """
        found = await identify(session.connection)
        ago = await session.connection.fetchval(RENEWED_AGO, self._server)
        is_it = (found.system_identifier, found.timeline, found.epoch) == (
            attachment.system_identifier, attachment.timeline, attachment.epoch)
        if not is_it or ago is None or ago > oldest_renewal(self._seconds, _SLACK):
            raise LeaseRefused(
                f"another database answers at the address of {attachment.place.name}, or its epoch changed")

    async def _renewing(self, attachment: Attachment, session: Session, over: Over) -> None:
        while not await over(self._seconds / 5):
            await self._renew(attachment, session)

    async def _renew(self, attachment: Attachment, session: Session) -> None:
        """Renew once more. What was refused on a session that still works is tried again, until the lease is over."""
        try:
            await self.take(attachment, session)
        except FAILED:
            if session.closed or not attachment.whole:
                raise


async def verified(
    place: DatabasePlace, session: Session, pool: str, expected: Expected | None, known: str | None
) -> DatabaseIdentity:
    """Identify the database behind a session and verify it. Raises WrongDatabase or what LOST lists."""
    found = await identify(session.connection)
    verify(place.name, found, pool, expected, known)
    return found


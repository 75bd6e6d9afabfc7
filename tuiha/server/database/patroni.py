"""Following Patroni's leader: the epoch row comes after the timeline, and never while a lease of before may hold.

Patroni promotes without asking a pool server. So the wait that our own failover makes before it promotes is made here
after it: the new leader is used by nobody until every server has let the old one go, by its own word or because its
lease has ended. A lease is a commit that the new leader had confirmed before it was promoted (synchronous_mode), so it
is in its table, and none can have begun after it was seen promoted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tuiha.config.settings import Pool
from tuiha.drivers.protocols import DriverError, LedgerDriver
from tuiha.model.reports import LedgerRecord
from tuiha.pooldb.leases import MAY_HOLD, RELEASE, boottime, lease_end
from tuiha.pooldb.statements.epochs import FOLLOW_TIMELINE
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.server.database.attachment import Attachment, DatabasePlace, Session, connect
from tuiha.server.database.fence import Fence, Wires
from tuiha.server.database.identity import DatabaseIdentity, WrongDatabase, identify

log = logging.getLogger("tuiha.follow")

_ASK = 2.0  # seconds for Patroni's answer


class Following:
    """Has this server's database, and the pool's epoch, follow Patroni's leader."""

    def __init__(self, server: str, instance: str, pool: Pool, ledger: LedgerDriver, fence: Fence,
                 clock: Callable[[], float] = boottime) -> None:
        self._server = server
        self._instance = instance
        self._pool = pool
        self._ledger = ledger
        self._fence = fence
        self._clock = clock
        self._seen: dict[tuple[str, int], float] = {}  # node and timeline -> when it was first seen as a primary

    async def prepare(self, place: DatabasePlace) -> None:
        """Before an attachment: begin the epoch of a promoted leader when nobody can be on the old one.

        Raises WrongDatabase while somebody can, and what LOST lists.
        """
        wires = Wires(boottime() + self._pool.lease.seconds)
        self._fence.guard(wires)
        try:
            session = await connect(place, wires, timeout=min(2.0, self._pool.lease.seconds))
            found = await identify(session.connection)
            if found.writable and found.pool == self._pool.pool and found.timeline > found.epoch:
                await self._follow(place, session, found)
        finally:
            wires.sever()

    async def _follow(self, place: DatabasePlace, session: Session, found: DatabaseIdentity) -> None:
        since = self._seen.setdefault((place.name, found.timeline), self._clock())
        refuse_unless_leader(place.name, found, await self._said(place.name), self._pool.database.system_identifier)
        lease, connection = self._pool.lease, session.connection
        # This process has let the old leader go: it is here because its attachment is over. Another process of the same
        # name, before a restart for instance, is not spoken for.
        await connection.execute(RELEASE, self._server, self._instance, found.epoch)
        rows = await connection.fetch(MAY_HOLD, found.epoch, lease.seconds, lease.slack)
        longest = max((row["seconds"] for row in rows), default=0.0)
        wait = lease_end(since, longest, lease.slack) - self._clock()
        if rows and wait > 0:
            names = ", ".join(row["server"] for row in rows)
            raise WrongDatabase(f"{place.name} leads on timeline {found.timeline}; a lease of {names} on the leader "
                                f"before it may hold for {wait:.1f} s")
        async with connection.transaction():
            begun = await connection.fetchval(FOLLOW_TIMELINE, place.name, found.epoch)
            if begun is not None:
                await connection.execute(
                    ADD_EVENT, "note", place.name, f"epoch {begun}: {place.name} is active, by Patroni")
        if begun is not None:
            log.info("epoch begun", extra={"database": place.name, "epoch": begun, "before": found.epoch})

    async def _said(self, name: str) -> LedgerRecord:
        try:
            async with asyncio.timeout(_ASK):
                return await self._ledger.poll()
        except (DriverError, TimeoutError) as error:
            raise WrongDatabase(f"{name} was promoted, and Patroni does not confirm it: {error or 'no answer'}") \
                from None

    async def run(self, attachment: Callable[[], Attachment | None], attach: Callable[[int, str], None]) -> None:
        """While attached, look whether Patroni has gone on to another leader, and go along. Runs until cancelled.

        An old leader that is cut off keeps nobody by itself: its commits wait. One that went on alone could.
        """
        while True:
            await asyncio.sleep(self._pool.watch.interval)
            if attachment() is None:
                continue  # then whoever attaches asks by itself
            try:
                async with asyncio.timeout(_ASK):
                    record = await self._ledger.poll()
            except (DriverError, TimeoutError) as error:
                log.debug("Patroni not asked", extra={"reason": str(error)})
                continue
            present = attachment()
            if present is not None and record.epoch > present.epoch:
                log.warning("Patroni has another leader", extra={"database": record.active, "epoch": record.epoch})
                attach(record.epoch, record.active)


def refuse_unless_leader(name: str, found: DatabaseIdentity, said: LedgerRecord, configured: str | None) -> None:
    """Raise WrongDatabase unless Patroni says that this very database leads on this very timeline.

    A database that somebody promoted by hand has a new timeline as well.
    """
    if (said.active, said.timeline) != (name, found.timeline):
        raise WrongDatabase(f"{name} is a primary on timeline {found.timeline}, but Patroni's leader is {said.active} "
                            f"on timeline {said.timeline}")
    for wanted in (said.system_identifier, configured):
        if wanted is not None and wanted != found.system_identifier:
            raise WrongDatabase(f"{name} is another database system: its identifier is {found.system_identifier}, "
                                f"not {wanted}")

"""What a lease stands on: as long as the pool counts on its secondary, commits must wait for exactly that one.

Asked with every renewal. A lease that the secondary did not confirm would not keep a failover from promoting it, and
what is acknowledged meanwhile would be lost. A copy of the active database, whose commits wait for nobody, looks like
it in everything else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tuiha.drivers.databases import durability
from tuiha.drivers.databases.positions import HAS_FLUSHED, HAS_FOLLOWERS, IS_FOLLOWED, RECEIVED
from tuiha.drivers.protocols import Conflict, DriverError, LedgerDriver
from tuiha.model.databases.durability import Durability, Gap, gaps
from tuiha.model.quotes import slot
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.pooldb.connection import Connection, given
from tuiha.pooldb.errors import FAILED, DatabaseError
from tuiha.pooldb.leases import HAS_RENEWAL, RENEWED_AT, RENEWED_TEXT, boottime
from tuiha.pooldb.statements.epochs import DOUBT_STANDBY, DOUBTED_IN_EPOCH, STANDBY
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.server.database.attachment import Attachment, DatabasePlace, Session, connect
from tuiha.server.database.fence import Fence, Wires
from tuiha.words.obstacles import reason, remedy

log = logging.getLogger("tuiha.ground")

_LEDGER = 2.0  # seconds for the ledger's answer
_ARRIVES = 2.0  # seconds for a commit to be seen on the secondary
_ASKS = 5.0  # seconds between two questions to the secondary itself, each on a connection of its own
_SURE = 2  # questions in a row that it must answer alike: it may restart between the two halves of one
_LOOK = 0.05  # seconds between two looks
_MOMENT = 0.1  # seconds in which what is only passing has passed
_STRAIGHT = 60.0  # seconds since the last lease of an earlier epoch, of a server that follows the pool
_TRIES = 3  # at changing a ledger that others change, too


class NoGround(Exception):
    """A lease would stand on nothing; the text says why, and `copy` that it would be on a copy of the database."""

    def __init__(self, text: str, copy: bool = False) -> None:
        super().__init__(text)
        self.copy = copy


Witnesses = Callable[[Connection, str], Awaitable[Sequence[str]]]


class Ground:
    """Says whether a renewal that was committed may count."""

    def __init__(self, server: str, places: Sequence[DatabasePlace], ledger: LedgerDriver | None, fence: Fence,
                 witnesses: Witnesses | None = None) -> None:
        """`witnesses` names the servers whose database does not show the renewal of this server, given by its time."""
        self._server = server
        self._places = tuple(places)
        self._ledger = ledger
        self._fence = fence
        self._witnesses = witnesses
        self._last: tuple[int, float] | None = None  # epoch of the last lease, and when it was renewed last
        self._alone: int | None = None  # the epoch in which the pool stopped counting on its secondary
        self._received: str | None = None  # by the secondary, at the last look at a database that it does not follow
        self._lacks = 0  # times in a row that the secondary lacked what the connection with its name had confirmed
        self.copy: str | None = None  # what was reached last is a copy of the active database: how that is known

    async def hold(self, attachment: Attachment, session: Session) -> None:
        """Returns when the renewal that this session committed may count. Raises NoGround, or what LOST lists."""
        try:
            confirmed = await self._judge(attachment, session)
            if not confirmed and not attachment.verified and not self._changes(attachment):
                await self._witnessed(attachment, session)
        except NoGround as reason:
            self.copy = str(reason) if reason.copy else None
            raise
        attachment.verified, self.copy = True, None
        self._last = attachment.epoch, boottime()

    def _changes(self, attachment: Attachment) -> bool:
        """Whether this server comes straight from an earlier epoch: the coordinator has just begun this one there, and
        nobody can have a copy of it. A host that is down must not make a failover longer.
        """
        if self._last is None:
            return False
        epoch, renewed = self._last
        return attachment.epoch > epoch and boottime() - renewed < _STRAIGHT

    async def _witnessed(self, attachment: Attachment, session: Session) -> None:
        """No server that holds a lease holds it on another database. Raises NoGround, or what LOST lists."""
        if self._witnesses is None:
            return
        at = await session.connection.fetchval(RENEWED_TEXT, self._server)
        others = await self._witnesses(session.connection, at)
        if others:
            raise NoGround(_another(attachment.place, others), copy=True)

    async def _judge(self, attachment: Attachment, session: Session) -> bool:
        """Whether the secondary confirms what is committed; False: the pool does not count on it. Raises NoGround."""
        partner = self._partner(attachment.place)
        if partner is None:
            return False  # one database alone: nobody is promoted
        found = durability.read(given(await session.connection.fetchrow(durability.QUESTION)))
        if self._lacks >= _SURE:
            await self._compare(session, partner)
            found = replace(found, lacking=self._lacks >= _SURE)
        holes = frozenset(gap for gap in gaps(found, partner.name, slot(partner.name)) if gap.hole)
        if not holes:
            self._alone = None
            return True
        await self._without(attachment, session, partner, found, holes)
        return False

    async def watch(self, attachment: Attachment) -> None:
        """Ask the secondary itself, as long as the attachment lasts, whether it has what is confirmed in its name."""
        partner = self._partner(attachment.place)
        while partner is not None and not await attachment.over(_ASKS):
            with suppress(*FAILED):  # then nothing is known
                async with attachment.session() as session:
                    await self._compare(session, partner)

    async def _compare(self, session: Session, partner: DatabasePlace) -> None:
        confirmed = await session.connection.fetchval(durability.CONFIRMED, partner.name)
        if confirmed is None:
            return
        has = await self._ask(partner, durability.HAS, confirmed)
        if has is not None:
            self._lacks = 0 if has else self._lacks + 1

    async def _without(self, attachment: Attachment, session: Session, partner: DatabasePlace, found: Durability,
                       holes: frozenset[Gap]) -> None:
        """Returns when the pool does not count on the secondary, and everybody who would promote it can know."""
        word = await session.connection.fetchval(STANDBY)
        if self._alone == attachment.epoch and word != Standby.SYNC:
            return  # nobody has protected the pool since
        why = f"{attachment.place.name}: {reason(found, partner.name, holes)}"
        if Gap.DOUBLE in holes:  # nothing else tells what mends it
            why = f"{why}: {remedy(found, partner.name, holes)}"
        if word != Standby.STALE:
            record = await self._record(attachment, why)
            if record is None and word is None:
                return  # no ledger, and a pool of an earlier version: nobody says what it counts on
            if record is None or record.standby is Standby.SYNC:
                await self._give_up(record, attachment, session, partner, holes, why)
        self._alone = attachment.epoch

    async def _lasts(self, session: Session, partner: DatabasePlace, holes: frozenset[Gap], why: str) -> None:
        """Some hole is still there after a moment: one look may fall between two settings. Raises NoGround."""
        await asyncio.sleep(_MOMENT)
        found = durability.read(given(await session.connection.fetchrow(durability.QUESTION)))
        found = replace(found, lacking=Gap.DOUBLE in holes)  # that was asked twice already
        if not holes & gaps(found, partner.name, slot(partner.name)):
            raise NoGround(f"{why}; it is so no more, and is asked again")

    async def _record(self, attachment: Attachment, why: str) -> LedgerRecord | None:
        """The ledger's record of this epoch; None when there is no ledger. Raises NoGround."""
        if self._ledger is None:
            return None
        try:
            async with asyncio.timeout(_LEDGER):
                record = await self._ledger.poll()
        except (DriverError, TimeoutError) as error:
            raise NoGround(f"{why}; whether the pool counts on a secondary is not known: "
                           f"{error or 'the ledger does not answer'}") from None
        if (record.epoch, record.active) != (attachment.epoch, attachment.place.name):
            raise NoGround(f"{why}; the ledger says that {record.active} is active in epoch {record.epoch}")
        if record.standby is Standby.SYNC and record.phase != "STEADY":
            raise NoGround(f"{why}; an operation changes the pool's database")
        return record

    async def _give_up(
        self,
        record: LedgerRecord | None,
        attachment: Attachment,
        session: Session,
        partner: DatabasePlace,
        holes: frozenset[Gap],
        why: str,
    ) -> None:
        """The pool counts on the secondary no more, by the ledger or by a word that the secondary has. Raises NoGround.

        The secondary must follow this very database: a copy of it may not speak for the pool.
        """
        wires = Wires(boottime() + 2 * _ARRIVES)
        self._fence.guard(wires)
        try:
            there = await connect(partner, wires, timeout=_LEDGER)
            await self._is_followed(attachment, session, there, partner, why)
            if holes == {Gap.DOUBLE}:
                raise NoGround(f"{why}; {partner.name} follows now, and is asked again")
            await self._lasts(session, partner, holes, why)  # somebody may have mended it, and protected the pool
            told = await self._ledger_says(record, attachment, why)
            await session.connection.fetchval(DOUBT_STANDBY, attachment.epoch)
            if not told and not await self._arrives(there, DOUBTED_IN_EPOCH, attachment.epoch):
                raise NoGround(f"{why}; {partner.name} does not learn of it")
        except FAILED as error:
            raise NoGround(f"{why}; {partner.name} cannot be asked: {error or 'no answer'}") from None
        finally:
            wires.sever()
        await self._note(session, attachment.place.name, partner.name, why)

    async def _ledger_says(self, record: LedgerRecord | None, attachment: Attachment, why: str) -> bool:
        """Whether the ledger says STALE now. Some servers may only read it. Raises NoGround."""
        for _ in range(_TRIES):
            if record is None or self._ledger is None:
                return False
            if record.standby is Standby.STALE:
                return True
            try:
                async with asyncio.timeout(_LEDGER):
                    await self._ledger.replace(record, replace(record, standby=Standby.STALE))
            except Conflict:
                record = await self._record(attachment, why)
            except (DriverError, TimeoutError) as error:
                log.info("the ledger is not written", extra={"reason": str(error)})
                return False
            else:
                return True
        return False

    async def _note(self, session: Session, active: str, partner: str, why: str) -> None:
        text = f"{why}. {partner} may lack acknowledged writes. Mend the cause, then `tuiha plan protect`"
        log.warning("the pool does not count on its secondary", extra={"reason": why})
        try:
            await session.connection.execute(ADD_EVENT, "bad", active, text)
        except DatabaseError as error:
            log.warning("not recorded as an event", extra={"reason": str(error)})

    async def _is_followed(self, attachment: Attachment, session: Session, there: Session, partner: DatabasePlace,
                           why: str) -> None:
        """The secondary gets what is committed here. Raises NoGround.

        What it receives may be shown late: replay waits for a long question of somebody. Only one that receives, while
        nobody follows the database of this session, gets it from another one.
        """
        mine = await session.connection.fetchval(RENEWED_AT, self._server)
        before = await there.connection.fetchval(RECEIVED)
        if await self._arrives(there, HAS_RENEWAL, self._server, mine):
            return
        if await there.connection.fetchval(RECEIVED) != before:
            if not await session.connection.fetchval(IS_FOLLOWED, slot(partner.name), partner.name):
                raise NoGround(_copied(attachment.place, partner), copy=True)
            raise NoGround(f"{why}; {partner.name} receives, and has not replayed this server's lease yet")
        raise NoGround(f"{why}; {partner.name} does not follow. To continue without it: `tuiha plan degrade`")

    async def _arrives(self, there: Session, question: str, *values: Any) -> bool:
        """Whether the secondary shows something, before long."""
        until = boottime() + _ARRIVES
        while not await there.connection.fetchval(question, *values):
            if boottime() >= until:
                return False
            await asyncio.sleep(_LOOK)
        return True

    async def suspect(self, place: DatabasePlace) -> None:
        """Look whether a database that gave no lease is a copy of the active one: the secondary does not follow it, and
        yet receives something from one look to the next.
        """
        partner, received = self._partner(place), None
        if partner is None:
            return
        with suppress(*FAILED):  # then nothing is known
            if not await self._ask(place, IS_FOLLOWED, slot(partner.name), partner.name):
                received = await self._ask(partner, RECEIVED)
            if (received is not None and await self._ask(place, HAS_FOLLOWERS)
                    and await self._ask(place, HAS_FLUSHED, received)):
                received = None
        if received is None or self._received is None:
            self.copy = None
        elif received != self._received:
            self.copy = _copied(place, partner)
        self._received = received

    async def _ask(self, place: DatabasePlace, question: str, *values: str) -> Any:
        wires = Wires(boottime() + _LEDGER)
        self._fence.guard(wires)
        try:
            return await (await connect(place, wires, timeout=_LEDGER)).connection.fetchval(question, *values)
        finally:
            wires.sever()

    def _partner(self, place: DatabasePlace) -> DatabasePlace | None:
        return next((one for one in self._places if one.name != place.name), None)


def _another(place: DatabasePlace, others: Sequence[str]) -> str:
    hold = "holds a lease" if len(others) == 1 else "hold leases"
    return (f"{', '.join(others)} {hold} on another copy of {place.name}. Find out which database the pool belongs on, "
            "and stop the other one")


def _copied(place: DatabasePlace, partner: DatabasePlace) -> str:
    return f"a copy of {place.name} answers at its address: {partner.name} follows another database. Correct the " \
           "address, or stop the copy"

"""Whose right to come in changed: said once, and seen by every pool server within a second.

A user is disabled, a device revoked, a password withdrawn: the transaction that writes it announces the user. The
announcement is a numbered row and a notification. A server looks at the rows at every notification, and twice a second
in case one is lost. It then drops what it remembers of the user, wakes the user's waiting devices, and withholds every
answer that it began before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.statements.access import ACCESS_CHANGES, ADD_ACCESS_CHANGE, LAST_ACCESS_CHANGE, PRUNE_ACCESS_CHANGES
from tuiha.pooldb.statements.events import WAKE
from tuiha.pooldb.statements.servers import TAKE_LOCK_FOR_TRANSACTION
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.gate import Gate

log = logging.getLogger("tuiha.revocation")

LOOK = 0.5  # seconds between two looks when no notification comes
_KEPT = 10_000  # announcements that the database keeps, and users whose last one a server remembers
_AGAIN = 1000  # announcements that are taken for new when the pool has changed its database
_WORD = "access"  # begins the payload; a server's name has no space, so no server takes it for its own
_IN_ORDER = 0x7475696863  # advisory lock: announcements are numbered in the order of their commits


async def announce(connection: Connection, user_id: int) -> int:
    """Say that a user's right to come in changed; the number that every server has to have seen.

    The last statement of its transaction: until the commit nobody else can announce.
    """
    await connection.execute(TAKE_LOCK_FOR_TRANSACTION, _IN_ORDER)
    number = int(await connection.fetchval(ADD_ACCESS_CHANGE, user_id))
    await connection.execute(PRUNE_ACCESS_CHANGES, number - _KEPT)
    await connection.execute(WAKE, f"{_WORD} {user_id}")
    return number


@dataclass(slots=True)
class Admission:
    """That a request's user may come in, as it was found out when this server had acted on `since` announcements."""

    revocation: Revocation
    user_id: int
    since: int
    look: Callable[[], Awaitable[None]]  # whether the request may be answered; raises what is answered instead

    def over(self) -> bool:
        """Whether the user's right changed after that: what the request found out may not be told."""
        return self.revocation.withheld(self.user_id, self.since)

    async def renew(self) -> None:
        """Find it out again. Raises what `look` raises."""
        self.since = self.revocation.count
        await self.look()


class Revocation:
    """What this server has seen of announcements.

    `changed(user_id)` drops what is remembered of a user and wakes the user's devices; `lost()` does so for everybody,
    when announcements were missed.
    """

    def __init__(
        self, gate: Gate, changed: Callable[[int], None], lost: Callable[[], None], seconds: float = LOOK
    ) -> None:
        self._gate = gate
        self._changed = changed
        self._lost = lost
        self._seconds = seconds
        self._nudged = asyncio.Event()
        self._epoch = 0
        self._last: OrderedDict[int, int] = OrderedDict()  # user -> count at the last announcement
        self._floor = 0  # an answer that began below this count may be anybody's
        self.count = 0  # announcements that this server has acted on; only grows
        self.seen = 0  # number of the last one, as the database has it

    def withheld(self, user_id: int, since: int) -> bool:
        """Whether a user's right changed after `count` was `since`: what was found out then may not be told."""
        return since < self._floor or self._last.get(user_id, 0) > since

    def notified(self, payload: str) -> None:
        """A notification came in: look at once if it is an announcement."""
        if payload.startswith(f"{_WORD} "):
            self._nudged.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._nudged.wait()
            except TimeoutError:
                pass
            self._nudged.clear()
            try:
                await self.look()
            except (Unavailable, OutcomeUnknown) as error:
                log.debug("announcements not read", extra={"reason": str(error)})
            except DatabaseError:
                log.exception("announcements not read")

    async def look(self) -> None:
        """Read what is new and act on it. Raises access.Unavailable, DatabaseError.

        While nobody may use the database nobody is answered from it either, so that this can wait too.
        """
        if self._gate.attachment is None or self._gate.held:
            return
        row = await self._gate.read(lambda c: c.fetchrow(LAST_ACCESS_CHANGE))
        if row is None:
            return
        last, moved = int(row["last"]), row["epoch"] != self._epoch
        if not moved and last == self.seen:
            return
        # The last rows that the database before it showed may not be in this one, and their numbers be given again.
        after = min(self.seen, max(0, last - _AGAIN)) if moved else self.seen
        if after + 1 < row["first"] and last:
            self._everybody()
        else:
            rows = await self._gate.read(lambda c: c.fetch(ACCESS_CHANGES, after, last))
            for user_id in {row["user_id"] for row in rows}:
                self._one(user_id)
        self._epoch, self.seen = row["epoch"], last

    def _one(self, user_id: int) -> None:
        self.count += 1
        self._last[user_id] = self.count
        self._last.move_to_end(user_id)
        if len(self._last) > _KEPT:
            _, self._floor = self._last.popitem(last=False)
        self._changed(user_id)

    def _everybody(self) -> None:
        self.count += 1
        self._last.clear()
        self._floor = self.count
        self._lost()

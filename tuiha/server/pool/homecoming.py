"""Users return to a server that was lost and is back, so that nobody has to spread them again.

A takeover notes whose users it moves. The server that returns takes them back itself, some with every heartbeat, as far
as it has room. Whom an operator, or a device's arrival, moved since then stays where he is.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from tuiha.model.words import count
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.takeovers import COUNT_AWAY, FORGET_HOMES, RETURN_USERS
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.pool.bindings import notify

log = logging.getLogger("tuiha.homecoming")

SETTLES = 3.0  # seconds that a server is in the pool before it takes its users back
_BEATS = 15  # over which they return


class Homecoming:
    """Takes this server's users back. `room`: how many more users it has room for; 0 when it takes nobody."""

    def __init__(self, server: str, gate: Gate, room: Callable[[], int], interval: float) -> None:
        """`interval`: seconds between two heartbeats."""
        self._server = server
        self._gate = gate
        self._room = room
        self._interval = interval
        self._at_once = 0  # users; 0: nobody is on the way

    async def run(self) -> None:
        """Take back who is away, until cancelled."""
        await asyncio.sleep(SETTLES)
        while True:
            try:
                await self.some()
            except (Unavailable, OutcomeUnknown) as error:
                log.info("nobody returns for now", extra={"reason": str(error)})
            except DatabaseError:
                log.exception("nobody returns for now")
            await asyncio.sleep(self._interval)

    async def some(self) -> int:
        """Take some users back; how many. Raises Unavailable, OutcomeUnknown."""
        room = self._room()
        if room <= 0:
            return 0
        away = await self._gate.read(lambda c: c.fetchval(COUNT_AWAY, self._server))
        if not away:
            await self._all_home()
            return 0
        at_once = max(self._at_once, math.ceil(away / _BEATS))
        async with self._gate.transaction(wait=self._interval) as connection:
            back = await self._return(connection, min(at_once, room), 0 if self._at_once else away)
        self._at_once = at_once
        return back

    async def _all_home(self) -> None:
        if self._at_once:
            await self._gate.write(lambda c: c.execute(FORGET_HOMES, self._server), wait=self._interval)
        self._at_once = 0

    async def _return(self, connection: Connection, most: int, away: int) -> int:
        rows = await connection.fetch(RETURN_USERS, self._server, most)
        await notify(connection, self._server, *{row["former"] for row in rows})
        if away:
            await connection.execute(
                ADD_EVENT, "note", self._server, f"is back: {count(away, 'user')} return to it")
        return len(rows)

"""One user's monitor: choose a mail server, log in, catch up, wait for news, and go elsewhere when it must."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from tuiha.drivers.mail.client import ImapClient, ImapFailure, ImapGone, Selected
from tuiha.server.monitor.bound import Bound, Superseded
from tuiha.server.monitor.bucket import pause
from tuiha.server.monitor.journal import Journal
from tuiha.server.monitor.message import messages
from tuiha.server.monitor.pace import Pace
from tuiha.server.monitor.probe import servers_fault
from tuiha.server.monitor.record import INBOX, Cursor, Entry, Known
from tuiha.server.monitor.standing import Standing, Standings

_log = logging.getLogger("tuiha.monitor")


def _today() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Tools:
    """What all followers of a process share."""

    standings: Standings
    journal: Journal
    pace: Pace
    random: Random
    clock: Callable[[], float]  # monotonic seconds
    today: Callable[[], datetime] = _today


def start(known: Cursor | None, selected: Selected) -> int | None:
    """The first UID to read; None: read back as far as the history goes.

    That is for a mail server that was never read for this user, for a mailbox that was made anew (another
    UIDVALIDITY), and for one that was restored from a backup (UIDNEXT went back).
    """
    fits = known is not None and known.uidvalidity == selected.uidvalidity and known.uidnext <= selected.uidnext
    return known.uidnext if known is not None and fits else None


class Follower:
    """Monitors one user under one generation."""

    __slots__ = ("_bound", "_client", "_cursor", "_failures", "_go_home", "_limit", "_served_at", "_shunned", "_tools",
                 "connected", "standing")

    def __init__(self, bound: Bound, tools: Tools) -> None:
        self._bound = bound
        self._tools = tools
        self._client: ImapClient | None = None
        self._cursor: Cursor | None = None  # as the database has it
        self._limit: asyncio.Timeout | None = None
        self._failures = 0  # in a row
        self._served_at: float | None = None
        self._shunned: str | None = None  # the mail server that failed for this user, again and again
        self._go_home = False
        self.standing: Standing | None = None
        self.connected = False

    @property
    def bound(self) -> Bound:
        """Whom it follows, and by which right."""
        return self._bound

    def ring(self, go_home: bool = False) -> None:
        """Choose the mail server again, now. `go_home`: the one where the user belongs, not the one it has."""
        self._go_home = self._go_home or go_home
        limit, self._limit = self._limit, None
        if limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Follow until cancelled. Raises Superseded when the generation is over."""
        while True:
            rung = await self._rings(None, self._visit())
            if not rung and self._failures:
                pace = self._tools.pace
                await self._rings(
                    pause(self._failures, pace.backoff, pace.backoff_limit, self._tools.random),
                    asyncio.Event().wait(),
                )

    async def _rings(self, seconds: float | None, work: object) -> bool:
        raise NotImplementedError

    async def _visit(self) -> None: ...

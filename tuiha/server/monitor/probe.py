"""The keep-alive probe: one connection of its own to each mail server, a NOOP twice a second.

Users wait in IDLE for minutes and hear nothing from a server that hangs; the probe does, for all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure
from tuiha.server.monitor.pace import Pace
from tuiha.server.monitor.standing import Standing, Standings

_log = logging.getLogger("tuiha.monitor")

_TICK = 0.1  # seconds of a deadline are counted in such pieces
_STALL = 0.5  # a piece that took longer by this: this process itself was held up


async def watched(
    work: Coroutine[None, None, None], seconds: float, clock: Callable[[], float]
) -> str | None:
    """Wait for an answer: "" when it came, the reason when it failed, None when nothing can be concluded.

    Nothing can be concluded when this process itself was stopped or overloaded meanwhile: the answer may be here and
    unread.
    """
    task = asyncio.ensure_future(work)
    stalled = False
    try:
        left = seconds
        while left > 0 and not task.done():
            began = clock()
            await asyncio.wait({task}, timeout=min(_TICK, left))
            stalled = stalled or clock() - began > _TICK + _STALL
            left -= _TICK
        reason = _outcome(task, seconds)
        return None if reason and stalled else reason
    finally:
        task.cancel()
        await asyncio.wait({task})


def _outcome(task: asyncio.Future[None], seconds: float) -> str:
    if not task.done():
        return f"no answer within {seconds:g} s"
    error = task.exception()
    if error is None:
        return ""
    if isinstance(error, ImapFailure):
        return str(error)
    raise error


class Probe:
    """Probes one mail server for ever."""

    def __init__(self, standing: Standing, standings: Standings, pace: Pace, clock: Callable[[], float]) -> None:
        self._standing = standing
        self._standings = standings
        self._pace = pace
        self._clock = clock
        self._client: ImapClient | None = None

    async def run(self) -> None:
        """Probe until cancelled."""
        try:
            while True:
                started = self._clock()
                if self._standing.in_service:
                    await self._guarded(started)
                await self._pause(max(0.05, self._interval() - (self._clock() - started)))
        finally:
            self._drop()

    async def _pause(self, seconds: float) -> None:
        """Wait for the next turn; shorter when the server is needed all at once."""
        self._standing.needed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._standing.needed.wait(), seconds)

    def _interval(self) -> float:
        needed = self._standing.good or self._standings.last_resort(self._standing)
        return self._pace.probe_interval if needed else self._pace.gone_interval

    async def _guarded(self, started: float) -> None:
        """A fault of the probe itself concludes nothing; it is logged whole."""
        try:
            await self._probe(started)
        except Exception:  # noqa: BLE001 - it must not end the monitoring of everybody
            _log.exception("the probe of mail server %s failed by itself", self._standing.name)
            self._drop()

    async def _probe(self, started: float) -> None:
        reason = await watched(self._look(), self._pace.probe_deadline, self._clock)
        if reason == "":
            self._standings.probed(self._standing)
        else:
            self._drop()
        if reason:
            self._standings.probe_failed(self._standing, f"probe: {reason}", started)

    async def _look(self) -> None:
        if self._client is not None and self._client.connected:
            await self._client.noop()
            return
        self._drop()
        server, cluster = self._standing.server, self._standing.cluster
        deadline = self._pace.deadline
        self._client = await ImapClient.connect(server.host, server.port, server.security, cluster.ssl, deadline)
        try:
            await self._client.login(cluster.probe.user, cluster.probe.password)
        except ImapError as error:
            if servers_fault(error):
                raise
            # The server answers, and that is what a probe asks. It also answers NOOP without a log-in.
            _log.warning("mail server %s does not let the probe user in: %s", server.name, error)
            await self._client.noop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


# LIMIT and INUSE are not among them: LIMIT is said to a user who has too many connections, and INUSE is of one mailbox.
# Whoever hears it goes to another server of the cluster alone, after a few tries.
_SERVERS_FAULTS = frozenset({"UNAVAILABLE", "SERVERBUG", "CONTACTADMIN"})
# With these words Dovecot refuses a user at mail_max_userip_connections; Debian's 2.3.19.1 under the code UNAVAILABLE.
_USERS_LIMIT = "Maximum number of connections from user"


def servers_fault(failure: ImapFailure) -> bool:
    """Whether a failure speaks of the mail server rather than of one user's mailbox or password."""
    if isinstance(failure, ImapError) and failure.response is not None:
        return failure.code in _SERVERS_FAULTS and _USERS_LIMIT not in str(failure)
    return True

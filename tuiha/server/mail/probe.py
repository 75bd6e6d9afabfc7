"""The keep-alive probe: one connection of its own to each mail server, a NOOP twice a second.

Users wait in IDLE for minutes and hear nothing from a server that hangs; the probe does, for all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure
from tuiha.server.mail.health import Kept, ProbeLook, ProbeWay, may_be_servers
from tuiha.server.mail.pace import Pace
from tuiha.server.mail.record import INBOX
from tuiha.server.mail.servers import MailStanding, ProbeAnswer, Standings

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
    """Probes one mail server for ever.

    Most looks are a NOOP on the connection that it keeps. It goes the whole way of a user on a new connection when
    there is none, when the kept one ended or is slow to answer, and when users fail in a way that may be the server's.
    """

    def __init__(self, standing: MailStanding, standings: Standings, pace: Pace, clock: Callable[[], float]) -> None:
        self._standing = standing
        self._standings = standings
        self._pace = pace
        self._clock = clock
        self._client: ImapClient | None = None  # the kept one
        self._opening: ImapClient | None = None  # a new one, while it logs in
        self._whole_at = float("-inf")  # when the last whole look began
        self._asked_at = 0.0  # when the answer that came began to be asked for

    async def run(self) -> None:
        """Probe until cancelled."""
        try:
            while True:
                started = self._clock()
                self._standing.needed.clear()
                if self._standing.in_service:
                    await self._guarded(started)
                await self._pause(max(0.05, self._interval() - (self._clock() - started)))
        finally:
            self._drop()

    async def _pause(self, seconds: float) -> None:
        """Wait for the next turn; shorter when the server is needed all at once, or somebody lost it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._standing.needed.wait()
            await asyncio.sleep(0.05)  # those who fail together ask once

    def _interval(self) -> float:
        needed = self._standing.good or self._standings.last_resort(self._standing) or self._client is not None
        return self._pace.probe_interval if needed else self._pace.gone_interval

    async def _guarded(self, started: float) -> None:
        """A fault of the probe itself concludes nothing; it is logged whole."""
        try:
            look = await self._look()
        except Exception:  # noqa: BLE001 - it must not end the monitoring of everybody
            _log.exception("the probe of mail server %s failed by itself", self._standing.name)
            self._drop()
            return
        if look is None:
            self._drop()
            return
        if look.answered and self._client is not None:
            now = self._clock()
            self._standing.seen = ProbeAnswer(now, (now - self._asked_at) * 1000, self._client.greeting)
        self._standings.looked(self._standing, look, started)
        if self._standing.health.gone and not look.answered:
            self._drop()  # it comes back by a whole look only

    # ------------------------------------------------------------------ one look

    async def _look(self) -> ProbeLook | None:
        """One look; None when nothing can be concluded, since this process itself was held up."""
        look = await self._look_at_kept()
        if look is None or look.kept is Kept.SILENT or (look.kept is Kept.ANSWERED and not self._doubts()):
            return look
        return await self._whole_way(look.kept)

    def _doubts(self) -> bool:
        health, since = self._standing.health, self._clock() - self._whole_at
        if health.doubted:
            return since >= self._pace.look_interval
        return health.closed is not None and since >= self._pace.gone_interval

    async def _look_at_kept(self) -> ProbeLook | None:
        """What the kept connection says; None when nothing can be concluded."""
        client = self._client
        if client is None or not client.connected:
            self._drop()
            return ProbeLook(Kept.NONE if client is None else Kept.ENDED, ProbeWay.NOT_TRIED)
        found: list[ProbeLook] = []
        reason = await watched(self._first(client, found), self._pace.probe_deadline, self._clock)
        if found:
            return found[0]
        return None if reason is None else ProbeLook(Kept.SILENT, ProbeWay.NOT_TRIED, f"probe: {reason}")

    async def _first(self, client: ImapClient, found: list[ProbeLook]) -> None:
        """Find what comes first: a word on the kept connection, or, when that is slow, a new one that is in.

        One process of a mail server may hang alone, and hold the probe's connection.
        """
        self._asked_at = self._clock()
        noop = asyncio.ensure_future(self._noop(client))
        opening = asyncio.ensure_future(self._after(self._pace.probe_deadline / 2))
        try:
            await asyncio.wait({noop, opening}, return_when=asyncio.FIRST_COMPLETED)
            if not noop.done() and opening.result():
                self._adopt()
                found.append(ProbeLook(Kept.SILENT, ProbeWay.IN))
            else:
                found.append(await noop)
        finally:
            for task in (noop, opening):
                task.cancel()
            await asyncio.wait({noop, opening})
            self._forget_opening()

    async def _noop(self, client: ImapClient) -> ProbeLook:
        try:
            await client.noop()
        except ImapError as error:
            if error.response is None:
                return ProbeLook(Kept.ENDED, ProbeWay.NOT_TRIED, str(error))
        except ImapFailure as failure:
            return ProbeLook(Kept.ENDED, ProbeWay.NOT_TRIED, str(failure))
        return ProbeLook(Kept.ANSWERED, ProbeWay.NOT_TRIED)

    async def _after(self, seconds: float) -> bool:
        """Open a new connection after some seconds; whether the probe's user is in."""
        await asyncio.sleep(seconds)
        try:
            await self._connect()
            return await self._log_in() is ProbeWay.IN
        except ImapFailure:
            return False

    async def _whole_way(self, kept: Kept) -> ProbeLook | None:
        """Connect, log in, open the mailbox. The greeting has the deadline of a probe, the rest twice as long."""
        self._whole_at = self._asked_at = self._clock()
        self._standing.health.asks()
        deadline = self._pace.probe_deadline
        try:
            reason = await watched(self._connect(), deadline, self._clock)
            if reason is None:
                return None
            if reason:
                return ProbeLook(kept, ProbeWay.UNREACHED, f"probe: {reason}")
            found: list[ProbeWay] = []

            async def rest() -> None:
                found.append(await self._log_in())

            reason = await watched(rest(), 2 * deadline, self._clock)
            if reason is None:
                return None
            if reason:
                return ProbeLook(kept, ProbeWay.BARRED, f"probe: {reason}")
            self._adopt()
            return ProbeLook(kept, found[0])
        finally:
            self._forget_opening()

    async def _connect(self) -> None:
        server, cluster = self._standing.server, self._standing.cluster
        self._opening = await ImapClient.connect(
            server.host, server.port, server.security, cluster.ssl, self._pace.deadline)

    async def _log_in(self) -> ProbeWay:
        """Log in and open the mailbox. Raises ImapFailure for what may be the server's fault."""
        client, probe = self._opening, self._standing.cluster.probe
        assert client is not None
        try:
            await client.login(probe.user, probe.password)
            await client.select(INBOX, read_only=True)
        except ImapError as error:
            if may_be_servers(error):
                raise
            # The server answers, and that is what a probe asks. It also answers NOOP without a log-in.
            _log.warning("mail server %s does not let the probe user in: %s", self._standing.name, error)
            await client.noop()
            return ProbeWay.REFUSED
        return ProbeWay.IN

    def _adopt(self) -> None:
        """Keep the new connection instead of the old one."""
        opening, self._opening = self._opening, None
        self._drop()
        self._client = opening

    def _forget_opening(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.close()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

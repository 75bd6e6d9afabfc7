"""One user's monitor: choose a mail server, log in, catch up, wait for news, and go elsewhere when it must."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from tuiha.drivers.mail.client import (
    BATCH,
    LISTED,
    NO_UIDVALIDITY,
    ImapClient,
    ImapError,
    ImapFailure,
    ImapGone,
    Selected,
    log_in_for,
)
from tuiha.drivers.mail.envelopes import FetchAnswers
from tuiha.model.problems.mail_trouble import Trouble
from tuiha.server.mail.cluster import Bound
from tuiha.server.mail.health import Phase, may_be_servers, says_not_admitted, trouble
from tuiha.server.mail.journal import MailJournal, RowRefused
from tuiha.server.mail.mailbox import MailboxQuestion, MailboxReading, Suspects
from tuiha.server.mail.messages import messages, refused
from tuiha.server.mail.pace import Pace, pause
from tuiha.server.mail.record import INBOX, Cursor, CursorElsewhere, KnownMailbox, MailboxStep
from tuiha.server.mail.servers import MailStanding, Standings

_log = logging.getLogger("tuiha.monitor")
_ALL = 2**62  # beyond every UID
_SHORTEST = 0.05  # seconds of waiting for news
_HIDDEN = (0.5, 1.0, 2.0)  # seconds after which messages are looked for that the server counts and does not show
_LATE = 600.0  # seconds for which a mail server that did not tell of a mail is remembered for it
_GAPS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # and those that it must have, since it shows later ones


def _today() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Tools:
    """What all followers of a process share."""

    standings: Standings
    journal: MailJournal
    pace: Pace
    random: Random
    clock: Callable[[], float]  # monotonic seconds
    on_refused: Callable[[Bound], None] | None = None  # the mail server says: no such user, or may not come in
    today: Callable[[], datetime] = _today


def start(known: Cursor | None, selected: Selected) -> int | None:
    """The first UID to read; None: read back as far as the history goes.

    That is for a mail server that was never read for this user, for a mailbox that was made again (another
    UIDVALIDITY, or none at all), and for one that was restored from a backup (UIDNEXT went back).
    """
    if known is None or known.uidvalidity != selected.uidvalidity or selected.uidvalidity == NO_UIDVALIDITY:
        return None
    return known.uidnext if not selected.uidnext or known.uidnext <= selected.uidnext else None


def begun(known: Cursor | None, selected: Selected, here: bool) -> Cursor:
    """The cursor with which a visit begins. `here`: the user was monitored through this mail server before."""
    below = selected.uidnext or _ALL
    if known is None or start(known, selected) is None:
        return Cursor(selected.uidvalidity, 1, (known.look if known is not None else 0) + 1, below)
    return known if here else replace(known, copies_below=below)


async def _anything(client: ImapClient, first: int, selected: Selected) -> bool:
    """Whether a message is there from a UID on, whatever SELECT said; of a mailbox that is empty some refuse to say."""
    try:
        return await client.any_from(first)
    except ImapError as error:
        if selected.exists or error.response is None:
            raise
        return False


class ReadAround(ImapFailure):
    """A message ended the connection: log in again at once, what is to be asked next is known."""


@dataclass(frozen=True, slots=True)
class Without:
    """A user has no mail."""

    reason: Trouble
    text: str  # what the mail server said
    since: float  # by the monitor's clock


class Follower:
    """Monitors one user under one generation."""

    __slots__ = ("_ahead", "_around", "_bound", "_cursor", "_cut", "_failures", "_go_home", "_last", "_let_in_at",
                 "_limit", "_phase", "_quiet_since", "_reads", "_rung", "_served_at", "_shunned", "_suspects", "_tools",
                 "again", "connected", "standing", "without")

    def __init__(self, bound: Bound, tools: Tools) -> None:
        self._bound = bound
        self._tools = tools
        self._cursor: Cursor | None = None  # as the database has it
        self._limit: asyncio.Timeout | None = None
        self._rung = False
        self._failures = 0  # in a row
        self._phase = Phase.CONNECT  # how far the present connection has come
        self._quiet_since: float | None = None  # when the present IDLE began
        self._cut = False  # the connection ended while it was quiet
        self._last: tuple[int, int] | None = None  # UID and sequence number of the last message read here
        self._let_in_at: float | None = None  # when its turn came; None: it is in
        self._served_at: float | None = None
        self._shunned: str | None = None  # the mail server that fails for this user again and again
        self._go_home = False
        self._around = False  # a message ended the connection: no pause
        self._reads = Cursor(NO_UIDVALIDITY, 1)  # what is being read, and how far
        self._suspects: tuple[tuple[str, int], Suspects] | None = None  # unread messages of a mail server's mailbox
        self.again: float | None = None  # when to read on, by the monitor's clock; None: all is read
        self._ahead: float | None = None  # when a look found mail last of which the mail server had not told
        self.standing: MailStanding | None = None
        self.connected = False  # with all mail read that there is
        self.without: Without | None = None  # since when and why it has no mail; a connection may be there again

    @property
    def bound(self) -> Bound:
        """Whom it follows, and by which right."""
        return self._bound

    @property
    def ahead(self) -> bool:
        """Whether the mailbox was ahead of its cursor lately, and the mail server did not tell."""
        return self._ahead is not None and self._tools.clock() - self._ahead < _LATE

    def ring(self, go_home: bool = False) -> None:
        """Choose the mail server again, now. `go_home`: the one where the user belongs, not the one it has."""
        self._rung = True
        self._go_home = self._go_home or go_home
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Follow until cancelled. Raises Superseded when the generation is over."""
        while True:
            self._rung = False
            await self._until_rung(self._visit())
            if self._rung:  # something is different now: no failure of before matters
                self._failures, self._shunned, self._cut = 0, None, False
            elif self._around:
                self._around = False
            else:
                await self._until_rung(self._rest())

    async def _until_rung(self, work: Coroutine[None, None, None]) -> None:
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._limit = limit
                await work
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limit = None

    async def _visit(self) -> None:
        """Be at one mail server until it fails."""
        tools = self._tools
        known = await tools.journal.known(self._bound)
        standing = tools.standings.choose(
            self._bound.user_id, self._bound.cluster, None if self._go_home else known.assigned, self._shunned
        )
        self.standing, self._go_home = standing, False
        if standing is None:
            known_here = tools.standings.knows(self._bound.cluster)
            _log.log(logging.DEBUG if known_here else logging.WARNING, "user %s is not monitored: mail cluster %s %s",
                     self._bound.user_id, self._bound.cluster,
                     "has no server in service" if known_here else "is not in the configuration")
            self._fails(Trouble.NO_SERVER if known_here else Trouble.NOT_CONFIGURED, "")
            await asyncio.Event().wait()  # until rung
            return
        self._cursor, self._served_at = known.cursors.get(standing.name), None
        self._phase, self._quiet_since, self._cut, self.again = Phase.CONNECT, None, False, None
        try:
            await self._stay(standing, known)
        except ReadAround as failure:
            self._around = True
            _log.debug("user %s at mail server %s reads around a message: %s",
                       self._bound.user_id, standing.name, failure)
        except ImapFailure as failure:
            self._failed(standing, failure)
        except CursorElsewhere as elsewhere:
            _log.info("%s; its mailbox is read on from there", elsewhere)
            self._failures = max(1, self._failures)

    def _failed(self, standing: MailStanding, failure: ImapFailure) -> None:
        now, standings = self._tools.clock(), self._tools.standings
        if says_not_admitted(self._phase, failure) and self._tools.on_refused is not None:
            self._tools.on_refused(self._bound)
        quiet = self._quiet_since if isinstance(failure, ImapGone) else None
        self._fails(trouble(self._phase, failure) if quiet is None else Trouble.ENDS, str(failure))
        self._cut = quiet is not None
        if quiet is not None:
            standing.endings.ended(now, now - quiet, self._bound.user_id)
        else:
            self._counts(standing, str(failure), self._tools.pace.settled)
        if self._phase is not Phase.ENTERED and may_be_servers(failure) \
                and not standing.health.answered_since(self._let_in_at or now):
            self._inside(standing)  # of the time to a refusal nothing follows: some let it wait on purpose
        standings.failed(standing, self._bound.user_id, self._phase, failure)

    def _fails(self, reason: Trouble, text: str) -> None:
        """It has no mail, for this reason. A connection that did not last does not begin the time again."""
        since = self._tools.clock() if self.without is None else self.without.since
        self.without = Without(reason, text, since)

    def _lasted(self) -> float:
        """Seconds for which the present connection has served."""
        return 0.0 if self._served_at is None else self._tools.clock() - self._served_at

    def _counts(self, standing: MailStanding, why: str, settled: float) -> None:
        """It failed, for a reason of its own as far as is known: after some failures it tries another mail server.

        `settled`: seconds for which a connection lasts that makes earlier failures forgotten.
        """
        pace = self._tools.pace
        self._failures = 1 if self._lasted() >= settled else self._failures + 1
        _log.log(logging.WARNING if self._failures == pace.user_failures else logging.DEBUG,
                 "user %s at mail server %s: %s", self._bound.user_id, standing.name, why)
        if self._failures >= pace.user_failures or self._tools.standings.last_resort(standing):
            self._shunned = standing.name

    async def _rest(self) -> None:
        """Wait until it is time to try again.

        Connections that end together are opened again spread out; that they ended says nothing about their users.
        """
        pace, random, standing = self._tools.pace, self._tools.random, self.standing
        if self._cut and standing is not None:
            self._cut = False
            await asyncio.sleep(pace.gather)
            spread = standing.spread(self._tools.clock(), self._lasted() >= pace.quiet_settled)
            if spread is not None:
                await asyncio.sleep(random.uniform(0.0, spread))
                return
            self._counts(standing, "its connection ended", pace.quiet_settled)
        await asyncio.sleep(pause(max(1, self._failures), pace.backoff, pace.backoff_limit, random))

    @asynccontextmanager
    async def _turn(self, standing: MailStanding) -> AsyncIterator[None]:
        """Wait for the turn to log in, and have it."""
        async with AsyncExitStack() as turn:
            standing.queue += 1
            try:
                await asyncio.sleep(standing.bucket.reserve(self._tools.clock()))
                await turn.enter_async_context(standing.turns.one())
            except asyncio.CancelledError:
                standing.bucket.give_back()
                raise
            finally:
                standing.queue -= 1
            standing.logins += 1
            self._let_in_at = self._tools.clock()
            yield

    async def _stay(self, standing: MailStanding, known: KnownMailbox) -> None:
        async with AsyncExitStack() as until_left:
            async with self._turn(standing):
                client = await self._connected(standing)
                until_left.callback(client.close)
                selected = await self._entered(client, standing)
                self._phase = Phase.ENTERED
                await self._catch_up(client, standing, known, selected)
            self._served_at, self._shunned = self._tools.clock(), None
            until_left.callback(self._left, standing)
            self._tools.standings.served(standing, self._bound.user_id)
            await self._listen(client, standing, selected)

    def _counted(self, standing: MailStanding, connected: bool) -> None:
        """Count the user as connected or not."""
        standing.connected += connected - self.connected
        self.connected = connected

    def _left(self, standing: MailStanding) -> None:
        was_well = self.connected
        self._counted(standing, False)
        if was_well and self._lasted() >= self._tools.pace.settled:
            self.without = None

    async def _connected(self, standing: MailStanding) -> ImapClient:
        server = standing.server
        return await ImapClient.connect(
            server.host, server.port, server.security, standing.cluster.ssl, self._tools.pace.deadline
        )

    async def _entered(self, client: ImapClient, standing: MailStanding) -> Selected:
        """Log in for the user and open the mailbox."""
        monitor = standing.cluster.monitor
        self._phase = Phase.LOGIN
        await log_in_for(client, self._bound.name, monitor.user, monitor.password, standing.cluster.separator)
        standing.health.answered(self._tools.clock())
        self._phase = Phase.SELECT
        selected = await client.select(INBOX, read_only=True)
        self._inside(standing)
        return selected

    def _inside(self, standing: MailStanding) -> None:
        """It was let in, or the mail server failed in it."""
        if self._let_in_at is not None:
            standing.turns.took(self._tools.clock() - self._let_in_at)
            self._let_in_at = None

    async def _catch_up(
        self, client: ImapClient, standing: MailStanding, known: KnownMailbox, selected: Selected
    ) -> None:
        """Read what is new, also when UIDNEXT says that nothing is: pymap takes it, and the number of messages, before
        it opens the mailbox, and tells no one of a message that arrives in between.
        """
        first = start(self._cursor, selected)
        self._reads = begun(self._cursor, selected, known.assigned == standing.name)
        self._last = (0, 0) if first == 1 or (first is None and selected.exists <= LISTED) else None
        since, reached, newest = None, first or 1, 0
        if first is None:
            newest = await client.newest()  # what is older than the history is passed
            since = (self._tools.today() - timedelta(seconds=standing.cluster.history)).date() - timedelta(days=1)
        if reached < selected.uidnext or await _anything(client, reached, selected):
            reached = await self._read(client, standing, reached, since)
        done = replace(self._reads, uidnext=reached if self.again is not None else max(reached, newest + 1))
        done = replace(done, copies_below=min(done.copies_below, max(done.uidnext, selected.uidnext)))
        if done != self._cursor or known.assigned != standing.name:
            await self._record(MailboxStep(standing.name, done, after=self._cursor))
        self._reads = done

    async def _listen(self, client: ImapClient, standing: MailStanding, selected: Selected) -> None:
        tools = self._tools
        while True:
            self._counted(standing, self.again is None)
            began = self._quiet_since = tools.clock()
            pause = self._interval(standing) if self.again is None else max(_SHORTEST, self.again - began)
            news = await client.idle(pause)
            if news == "bye":
                raise ImapGone("the server says BYE in IDLE")
            self._quiet_since = None
            if news == "timeout":
                standing.endings.survived(tools.clock(), tools.clock() - began)
            standing.health.answered(tools.clock())
            first = selected.uidnext if self._cursor is None else self._cursor.uidnext
            looks = news == "timeout" and (self.again is not None or await client.any_from(first))
            if news == "exists":
                self._ahead = None
            elif looks and self.again is None and not client.deaf:
                self._ahead = tools.clock()
            if news == "exists" or looks:  # after a silence it is worth a look
                await self._read(client, standing, first, None)

    def _interval(self, standing: MailStanding) -> float:
        """Seconds until the mailbox is looked at: random, so that the users of a mail server do not do so together."""
        look, idle = self._tools.pace.look, standing.cluster.idle
        shortest, longest = (look * 2 / 3, look) if idle is None or idle >= look else (idle / 3, idle)
        return self._tools.random.uniform(shortest, longest)

    async def _read(self, client: ImapClient, standing: MailStanding, first: int, since: date | None) -> int:
        """Record all messages from a UID on; answers the first UID that was not read.

        `again` is set when nothing can be read at this moment.
        """
        hidden, gaps, self.again = iter(_HIDDEN), iter(_GAPS), None
        while True:
            uids = await client.uids(first, since)
            if client.hides and (wait := next(hidden, None)) is not None:
                await asyncio.sleep(wait)
                continue
            for place in range(0, len(uids), BATCH):
                batch = uids[place : place + BATCH]
                pause = next(gaps, None)
                everything = None if pause is None else since is None
                first = await self._read_some(client, standing, first, batch, everything)
                if self.again is not None:
                    return first
                if first <= batch[-1] and pause is not None:  # a message before it is not shown yet
                    await asyncio.sleep(pause)
                    break
                gaps = iter(_GAPS)
            else:
                if len(uids) < LISTED:
                    return first

    async def _read_some(
        self, client: ImapClient, standing: MailStanding, first: int, uids: list[int], everything: bool | None
    ) -> int:
        """Record some messages, whatever one of them is like; answers the first UID that was not read.

        They were listed from `first` on. `everything`: they are all that there are from there on; None: what is
        missing is not waited for.
        """
        suspects = self._suspected(standing)
        reading = MailboxReading(uids, suspects, first, self._last)
        while (ask := reading.ask(self._tools.clock())) is not None:
            await asyncio.sleep(ask.pause)
            try:
                await self._ask(client, reading, ask)
            except ImapFailure:
                if everything is not None:  # nobody can be asked for what is missing: it waits
                    reading.looked(reading.gaps(client.exists), (), True)
                await self._take(client, standing, reading, None)  # what came before the connection ended
                raise
            if suspects.troubles:  # the good ones before a bad one do not wait for it
                await self._take(client, standing, reading, everything)
        await self._take(client, standing, reading, everything)
        self.again = suspects.until
        if self.again is not None:
            self._fails(Trouble.READING, suspects.reason)
        return reading.first

    async def _take(
        self, client: ImapClient, standing: MailStanding, reading: MailboxReading, everything: bool | None
    ) -> None:
        """Record what is known of the first messages."""
        if everything is not None and (gaps := reading.gaps(client.exists)):
            reading.looked(gaps, await client.between([gap[:2] for gap in gaps]), everything)
        last, found = reading.ready()
        if last:
            at = replace(self._reads, uidnext=last + 1)
            await self._store(MailboxStep(standing.name, at, messages(found, self._tools.today()), self._cursor))
            self._suspected(standing).passed(last)
            self._last = reading.last

    def _suspected(self, standing: MailStanding) -> Suspects:
        """What earlier connections found out about this mailbox."""
        where = (standing.name, self._reads.uidvalidity)
        if self._suspects is None or self._suspects[0] != where:
            self._suspects = (where, Suspects())
        return self._suspects[1]

    async def _ask(self, client: ImapClient, reading: MailboxReading, ask: MailboxQuestion) -> None:
        """Ask once, and note what came of it. Raises ReadAround when one of the messages ended the connection."""
        if not ask.uids:
            reading.found_control(await client.oldest())
            return
        now = self._tools.clock
        answers = FetchAnswers(frozenset(ask.uids).__contains__, ask.uids[0] if len(ask.uids) == 1 else 0)
        try:
            await client.fetch(ask.uids, ask.part, answers)
        except ImapFailure as failure:
            reading.came(answers.envelopes(ask.part), ask, answers.places())
            missing = reading.missing(ask)
            if missing and isinstance(failure, ImapError) and failure.code == "EXPUNGEISSUED":  # RFC 5530
                reading.answered(ask, await client.there(missing), now())
            elif isinstance(failure, ImapError) and failure.response is not None:
                reading.refused(ask, str(failure), now())
            elif reading.lost(ask, str(failure), now()):
                raise ReadAround(str(failure)) from failure
            else:
                raise
        else:
            reading.came(answers.envelopes(ask.part), ask, answers.places())
            if missing := reading.missing(ask):
                reading.answered(ask, await client.there(missing), now())

    async def _store(self, entry: MailboxStep) -> None:
        """Record messages; one that the database refuses for good costs itself alone."""
        try:
            await self._record(entry)
            return
        except RowRefused as refusal:
            reason = str(refusal)
        if len(entry.messages) == 1 and not entry.messages[0].unreadable:
            await self._store(replace(entry, messages=[refused(entry.messages[0], reason)], after=self._cursor))
        elif len(entry.messages) <= 1:
            _log.error("user %s: the database takes nothing of UID %d at %s: %s",
                       self._bound.user_id, entry.cursor.uidnext - 1, entry.mail_server, reason)
            await self._record(replace(entry, messages=(), after=self._cursor))
        else:
            for message in entry.messages:
                at = replace(entry.cursor, uidnext=message.uid + 1)
                await self._store(MailboxStep(entry.mail_server, at, [message], self._cursor))
            await self._store(replace(entry, messages=(), after=self._cursor))

    async def _record(self, entry: MailboxStep) -> None:
        await self._tools.journal.record(self._bound, entry)
        self._cursor = entry.cursor
        if self.standing is not None:
            self.standing.unreadable += sum(bool(message.unreadable) for message in entry.messages)

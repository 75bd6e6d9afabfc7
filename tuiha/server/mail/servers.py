"""The mail servers as this pool server uses them: who may be logged in to, how often, and who is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tuiha.drivers.mail.client import ImapFailure
from tuiha.model.bucket import Bucket
from tuiha.model.users.placement import home
from tuiha.server.mail.cluster import Cluster, MailServer
from tuiha.server.mail.endings import TOGETHER, Endings
from tuiha.server.mail.health import Blame, Health, Phase, ProbeLook, blame
from tuiha.server.mail.pace import Pace
from tuiha.server.window import Window

LEAST = 4  # at the same time, however slow the server is
SLOW = 0.5  # seconds: half of a probe's deadline, so that probes are still answered in time
_TIMES = 4.0  # and so many times the quickest: a server far away is not slow
_LAST = 8  # of so many log-ins, about, the mean counts


class LoginTurns:
    """Turns to log in at one mail server, first come, first served.

    When a mail server is lost its partner gets all users at once. A server that is asked for more than it can do
    answers everybody late, is taken for gone, and works for those who have given up: then nobody is monitored. So few
    are let in at first, and a `Window` says how many more.

    A log-in that takes longer than `longest` seconds gives its turn on and goes on without it: users whose part of the
    mail server hangs keep nobody else waiting.
    """

    def __init__(self, most: int, longest: float = 2.0) -> None:
        most = max(1, most)
        self._longest = longest
        self._window = Window(min(LEAST, most), most, SLOW, _TIMES, _LAST)
        self._free = asyncio.Semaphore(self._window.limit)
        self._owed = 0  # turns that are not given on when they end

    @property
    def limit(self) -> int:
        """How many may be in at the same time."""
        return self._window.limit

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        await self._free.acquire()
        given = False

        def give() -> None:
            nonlocal given
            if not given:
                given = True
                self._give_on()

        giving = asyncio.get_running_loop().call_later(self._longest, give)
        try:
            yield
        finally:
            giving.cancel()
            give()

    def took(self, seconds: float) -> None:
        """So long it took to let one in."""
        more = self._window.took(seconds, self._free.locked())
        self._owed += max(0, -more)
        for _ in range(more):
            self._give_on()

    def _give_on(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._free.release()


_log = logging.getLogger("tuiha.monitor")
_CROWD = 0.2  # of the users of a mail server


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The probe's last answer."""

    at: float  # by the monitor's clock
    latency_ms: float
    greeting: str


class MailStanding:
    """One mail server: where it is, its judgement, how often and how many at a time log in to it, its counters."""

    __slots__ = ("bucket", "cluster", "connected", "endings", "errors", "health", "in_service", "logins", "needed",
                 "queue", "seen", "server", "turns", "unreadable")

    def __init__(self, cluster: Cluster, server: MailServer, pace: Pace) -> None:
        self.cluster = cluster
        self.server = server
        self.bucket = Bucket(cluster.logins_per_second, cluster.login_burst)
        self.turns = LoginTurns(cluster.login_burst, pace.turn)
        self.health = Health()
        self.endings = Endings()
        self.needed = asyncio.Event()  # set: its probe must not wait for its next turn
        self.in_service = True
        self.seen: ProbeAnswer | None = None
        self.connected = 0
        self.logins = 0
        self.errors = 0
        self.unreadable = 0  # messages that were recorded by a substitute
        self.queue = 0

    @property
    def name(self) -> str:
        """The mail server's name."""
        return self.server.name

    @property
    def good(self) -> bool:
        """In service and not gone."""
        return self.in_service and not self.health.gone

    def spread(self, now: float, lasted: bool) -> float | None:
        """Seconds over which the connections that ended in this moment are opened again; None: this one ended alone.

        As long as their log-ins take at the pace of this server, less the time in which they ended: those that end at
        that pace, or slower, are spread already. Otherwise each cut would spread them further than the one before.
        `lasted`: the connection had been there for a while. Otherwise it takes a good part of all users: a few whose
        connections end at once, again and again, are in trouble of their own. All wait for the whole time then.
        """
        together, took = self.endings.together(now)
        enough = TOGETHER if lasted else max(TOGETHER, _CROWD * (self.connected + together))
        if together < enough:
            return None
        return max(0.0, together / self.cluster.logins_per_second - (took if lasted else 0.0))


class Standings:
    """All mail servers of all clusters.

    A mail server that is gone comes back when an operator takes it out of service and in again, when all servers
    of its cluster are gone (then every one is tried, and the first that answers is used), or when this process is
    started anew.
    """

    def __init__(
        self,
        clusters: Sequence[Cluster],
        pace: Pace,
        clock: Callable[[], float],
        on_left: Callable[[MailStanding], None],
        on_back: Callable[[MailStanding, bool], None],
    ) -> None:
        """`on_left`: its users must go elsewhere now. `on_back`: it can be used again; True when it was told to."""
        self._clock = clock
        self._on_left = on_left
        self._on_back = on_back
        self._all = {s.name: MailStanding(c, s, pace) for c in clusters for s in c.servers}
        self._clusters = {c.name: tuple(self._all[s.name] for s in c.servers) for c in clusters}

    def all(self) -> Iterable[MailStanding]:
        """Every mail server."""
        return self._all.values()

    def knows(self, cluster: str) -> bool:
        """Whether a cluster is configured."""
        return cluster in self._clusters

    def usable(self, cluster: str) -> list[MailStanding]:
        """The servers that users may be sent to: the good ones; when all are gone, every one in service."""
        in_service = [s for s in self._clusters.get(cluster, ()) if s.in_service]
        return [s for s in in_service if s.good] or in_service

    def last_resort(self, standing: MailStanding) -> bool:
        """Whether it is tried although it is gone, because its whole cluster is."""
        return standing.health.gone and standing in self.usable(standing.cluster.name)

    def choose(
        self, user_id: int, cluster: str, assigned: str | None, shunned: str | None = None
    ) -> MailStanding | None:
        """The mail server for a user; None when no server of the cluster is in service.

        The one that the user has (`assigned`) if it is usable, else where the user belongs. `shunned`, and one that
        lets nobody in, is taken only when there is no other; when the whole cluster is gone users try all of its
        servers in turn.
        """
        all_usable = self.usable(cluster)
        unshunned = [s for s in all_usable if s.name != shunned] or all_usable
        usable = {s.name: s for s in [s for s in unshunned if s.health.closed is None] or unshunned}
        if assigned in usable:
            return usable[assigned]
        chosen = home(user_id, usable)
        return None if chosen is None else usable[chosen]

    def set_in_service(self, words: Mapping[str, bool]) -> None:
        """The operator's word; servers that it does not name are in service."""
        for standing in self._all.values():
            word = words.get(standing.name, True)
            if word and not standing.in_service:
                standing.in_service = True
                self._bring_back(standing, "it is in service again", told=True)
            elif standing.in_service and not word:
                standing.in_service = False
                _log.warning("mail server %s is out of service: its users leave", standing.name)
                self._on_left(standing)

    def bring_back(self, name: str) -> None:
        """Use a mail server again, because somebody says so. Raises KeyError for a name that is not configured."""
        self._bring_back(self._all[name], "somebody said so", told=True)

    def served(self, standing: MailStanding, user_id: int) -> None:
        """A user was served by it."""
        standing.health.served(user_id, self._clock())
        self._answers(standing)

    def failed(self, standing: MailStanding, user_id: int, phase: Phase, failure: ImapFailure) -> None:
        """A user failed at it; the probe is asked when that may be the server's fault."""
        standing.errors += 1
        asked = blame(phase, failure)
        if asked is Blame.DOUBT:
            standing.health.failed(user_id)
        if asked is not Blame.USER:
            standing.needed.set()

    def looked(self, standing: MailStanding, look: ProbeLook, started: float) -> None:
        """The probe looked at it, beginning at `started`."""
        before = standing.health.closed
        if standing.health.looked(look, started, standing.connected):
            self._gone(standing)
        elif standing.health.closed and not before:
            _log.warning("mail server %s lets nobody in: %s. Users that are connected stay; the others go elsewhere",
                         standing.name, standing.health.closed)
        if look.answered:
            self._answers(standing)

    def _gone(self, standing: MailStanding) -> None:
        others = [s.name for s in self.usable(standing.cluster.name) if s.good]
        _log.warning(
            "mail server %s is gone: %s. Its users are monitored through %s",
            standing.name, standing.health.why, ", ".join(others) or "nobody: the whole cluster is gone",
        )
        if not others:  # its partners were gone before, and may have come back unasked: their probes ask now
            for partner in self.usable(standing.cluster.name):
                partner.needed.set()
        self._on_left(standing)

    def _answers(self, standing: MailStanding) -> None:
        if self.last_resort(standing):
            self._bring_back(standing, "it answers, and its whole cluster was gone", told=False)

    def _bring_back(self, standing: MailStanding, why: str, told: bool) -> None:
        standing.health.bring_back()
        _log.warning("mail server %s is used again: %s", standing.name, why)
        self._on_back(standing, told)

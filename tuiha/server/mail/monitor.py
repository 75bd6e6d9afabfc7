"""The supervisor: who is monitored here, each in a task of its own, and what they share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from random import Random

from tuiha.model.problems.mail_trouble import ClusterReport, MailSight
from tuiha.model.users.placement import home
from tuiha.server.database.access import Access
from tuiha.server.mail.cluster import Bound, Cluster, Superseded
from tuiha.server.mail.counts import MailServerFigures, MonitorFigures
from tuiha.server.mail.follow import Follower, Tools
from tuiha.server.mail.journal import MailJournal
from tuiha.server.mail.pace import Pace
from tuiha.server.mail.probe import Probe
from tuiha.server.mail.servers import MailStanding, Standings
from tuiha.server.mail.trouble import Failing, Notes, cluster_reports, failing

_log = logging.getLogger("tuiha.monitor")
_FAULT_PAUSE = 30.0  # seconds until a follower that failed in a way nobody foresaw is started again


async def _end_of(task: asyncio.Task[None]) -> None:
    """Wait until a cancelled task has ended, even when the waiting one is cancelled as well meanwhile."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


class Monitor:
    """Monitors the mail of all users that are bound to one pool server. Used from one event loop.

    `on_change(user_id)` is called after a commit that brought, or may have brought, changes of that user.
    `on_refused(bound)` is called when the mail server does not let the monitor in for a user, and says that there is
    no such user or that the user may not come in: at each such log-in, so now and then for each of these users.
    """

    def __init__(
        self,
        server: str,
        access: Access,
        clusters: Sequence[Cluster],
        on_change: Callable[[int], None],
        *,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        on_refused: Callable[[Bound], None] | None = None,
    ) -> None:
        self._clusters = tuple(clusters)
        self._pace = pace or Pace()
        self._clock = clock
        self._standings = Standings(self._clusters, self._pace, clock, self._left, self._back)
        chance = random or Random()
        self._journal = MailJournal(server, access, self._pace, chance, on_change)
        self._tools = Tools(self._standings, self._journal, self._pace, chance, clock, on_refused=on_refused)
        self._notes = Notes(server, access, self._standings.all(), self.failing, clock)
        self._unix = time.time() - clock()  # what makes the clock's seconds unix seconds
        self._bound: dict[int, Bound] = {}
        self._followers: dict[int, Follower] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._over: dict[int, int] = {}  # user -> generation that was superseded here
        self._returning: dict[str, asyncio.Task[None]] = {}  # mail server -> its users are being called back
        self._group: asyncio.TaskGroup | None = None
        self._context = copy_context()  # of `run`: tasks are the monitor's, whoever it was that brought their users
        self._ended = asyncio.Event()
        self._superseded = 0

    # ------------------------------------------------------------------ life

    async def run(self) -> None:
        """Monitor until cancelled or closed."""
        self._context = copy_context()
        await self._journal.enrol(self._clusters)
        async with asyncio.TaskGroup() as group:
            probes = [
                group.create_task(Probe(standing, self._standings, self._pace, self._clock).run())
                for standing in self._standings.all()
            ]
            notes = group.create_task(self._notes.run())
            self._group = group
            try:
                for bound in self._bound.values():
                    self._start(bound)
                await self._ended.wait()
            finally:
                self._group = None
            for task in (*probes, notes, *self._returning.values()):
                task.cancel()

    async def close(self) -> None:
        """Stop monitoring everybody; returns when nothing is in flight. `run` ends after it."""
        self._bound, self._group = {}, None  # nobody is started any more
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._ended.set()

    # ------------------------------------------------------------------ who is monitored

    def set_bound(self, users: Mapping[int, Bound]) -> None:
        """Who is monitored here now: the whole truth. Starts, stops, and starts anew under another generation.

        A generation that was found superseded is not monitored again.
        """
        self._over = {user: over for user, over in self._over.items() if user in users}
        wanted = {user: bound for user, bound in users.items() if self._over.get(user) != bound.generation}
        for user in [user for user in self._bound if user not in wanted]:
            del self._bound[user]
            self._cancel(user)
        for user, bound in wanted.items():
            if self._bound.get(user) != bound:
                self._bound[user] = bound
                self._start(bound)

    async def stop_user(self, user_id: int) -> None:
        """Stop monitoring a user; returns when nothing of it is in flight.

        It starts again when `set_bound` names the user; a generation that is over by then can record nothing.
        """
        self._bound.pop(user_id, None)
        task = self._tasks.get(user_id)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _cancel(self, user_id: int) -> None:
        task = self._tasks.get(user_id)
        if task is not None:
            task.cancel()

    def _start(self, bound: Bound) -> None:
        if self._group is None:
            return  # `run` starts everybody
        before = self._tasks.get(bound.user_id)
        if before is not None:
            before.cancel()
        follower = Follower(bound, self._tools)
        task = self._group.create_task(self._follow(follower, before), context=self._context.copy())
        self._tasks[bound.user_id] = task
        task.add_done_callback(lambda done: self._forget(bound.user_id, done))

    def _forget(self, user_id: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(user_id) is task:
            del self._tasks[user_id]

    async def _follow(self, follower: Follower, before: asyncio.Task[None] | None) -> None:
        user = follower.bound.user_id
        if before is not None:
            await _end_of(before)  # one monitor at a time for a user, in this process too
        self._followers[user] = follower
        try:
            while True:
                await self._guarded(follower)
        except Superseded as over:
            _log.info("the monitor of %s stops: the binding is not this one any more", over)
            self._superseded += 1
            self._over[user] = follower.bound.generation
            if self._bound.get(user) == follower.bound:
                del self._bound[user]
        finally:
            if self._followers.get(user) is follower:
                del self._followers[user]
                for standing in self._standings.all():
                    standing.health.forget(user)

    async def _guarded(self, follower: Follower) -> None:
        """A fault in one user's monitor must not end the others'; it is logged whole and tried again."""
        try:
            await follower.run()
        except Superseded:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is this user's alone
            _log.exception("the monitor of user %s failed; it starts again in %g s",
                           follower.bound.user_id, _FAULT_PAUSE)
            await asyncio.sleep(_FAULT_PAUSE)

    # ------------------------------------------------------------------ mail servers

    def set_in_service(self, in_service: Mapping[str, bool]) -> None:
        """The operator's word on each mail server. Out of service: its users leave. In again: it is used again, also
        when it had been judged gone, and the users that belong there return at the pace of log-ins.
        """
        self._standings.set_in_service(in_service)

    def bring_back(self, mail_server: str) -> None:
        """Use a mail server again that was judged gone, as if taken out of service and in again. KeyError: unknown."""
        self._standings.bring_back(mail_server)

    def _left(self, standing: MailStanding) -> None:
        for follower in list(self._followers.values()):
            if follower.standing is standing:
                follower.ring()

    def _back(self, standing: MailStanding, told: bool) -> None:
        for follower in list(self._followers.values()):
            if follower.bound.cluster != standing.cluster.name or follower.connected:
                continue
            if follower.standing is None or not follower.standing.good or follower.standing is standing:
                follower.ring()
        if told and self._group is not None:
            before = self._returning.get(standing.name)
            if before is not None:
                before.cancel()
            self._returning[standing.name] = self._group.create_task(
                self._call_back(standing), context=self._context.copy())

    async def _call_back(self, standing: MailStanding) -> None:
        """Call the users that belong to a mail server back to it, at half the pace of its log-ins.

        Not before the probe could judge it: it may have been put in service too early.
        """
        await asyncio.sleep(self._pace.probe_interval + self._pace.probe_deadline)
        for user, follower in list(self._followers.items()):
            if not standing.good:
                return
            usable = [s.name for s in self._standings.usable(standing.cluster.name)]
            elsewhere = follower.connected and follower.standing is not standing
            if (
                elsewhere
                and follower.bound.cluster == standing.cluster.name
                and self._followers.get(user) is follower
                and home(user, usable) == standing.name
            ):
                follower.ring(go_home=True)
                await asyncio.sleep(2.0 / standing.cluster.logins_per_second)

    # ------------------------------------------------------------------ figures

    def follows(self, user_id: int) -> bool:
        """Whether a user's monitor runs here, or has not quite stopped."""
        return user_id in self._tasks

    def failing(self) -> list[Failing]:
        """The users that count as without mail, with the reason."""
        return list(failing(self._followers.values(), self._journal.refusing, self._clock(), self._unix))

    def reports(self) -> tuple[ClusterReport, ...]:
        """Users with and without mail, by cluster."""
        found = self.failing()
        without = {one.bound.user_id for one in found}
        connected = [one.bound for user, one in self._followers.items() if one.connected and user not in without]
        ahead = [one.bound for one in self._followers.values() if one.ahead]
        return cluster_reports(self._bound.values(), connected, found, ahead)

    def sights(self) -> tuple[MailSight, ...]:
        """What the probes see."""
        now = self._clock()
        return tuple(
            MailSight(
                s.name,
                None if s.seen is None else round(now - s.seen.at, 2),
                None if s.seen is None else round(s.seen.latency_ms, 2),
                "" if s.seen is None else s.seen.greeting,
                s.health.why,
                s.health.closed,
            )
            for s in self._standings.all()
            if s.in_service
        )

    def figures(self) -> MonitorFigures:
        """What the monitor does right now."""
        users: dict[str, int] = {}
        for follower in self._followers.values():
            if follower.standing is not None:
                users[follower.standing.name] = users.get(follower.standing.name, 0) + 1
        servers = tuple(
            MailServerFigures(
                s.name, s.cluster.name, s.in_service, s.health.why, users.get(s.name, 0), s.connected,
                s.logins, s.errors, s.queue,
            )
            for s in self._standings.all()
        )
        return MonitorFigures(
            users=len(self._bound),
            connected=sum(s.connected for s in servers),
            queue=sum(s.queue for s in servers),
            changes=self._journal.changes,
            superseded=self._superseded,
            servers=servers,
            unreadable=sum(s.unreadable for s in self._standings.all()),
        )

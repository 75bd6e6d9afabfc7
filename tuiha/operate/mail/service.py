"""A mail server out of service and in again, for the whole pool: what both kinds share."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuiha.config.parts import MailCluster
from tuiha.config.tls import for_partners
from tuiha.drivers.http import Asker
from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import MailFacts, ServerFacts, Snapshot
from tuiha.model.operations.evidence import Back, Doing, Done, Fault
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement, stated
from tuiha.model.reports import MailState
from tuiha.model.users.placement import home
from tuiha.operate.plans.kinds import Misused, OperationRefused, Progress, StepFailed, StepUnknown
from tuiha.operate.plans.look import answering, look
from tuiha.operate.plans.plan import Check, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World
from tuiha.operate.users import common
from tuiha.operate.users.presence import Presence, Present
from tuiha.pooldb.statements.mail import ASSIGNMENTS, IN_SERVICE, USERS_BY_SERVER, USERS_THROUGH

_SETTLE = 30.0  # seconds that leaving may take beside the log-ins
_LOOK = 5.0  # seconds for which the view of the mail servers is good
_METRICS = 16 * 1024 * 1024  # bytes of a server's metrics
_STALLED = 20.0  # seconds without anybody who returns, after which servers are told again


def cluster_of(world: World, server: str) -> MailCluster:
    """The cluster of a mail server. Raises Refused for one that is not in the configuration."""
    for cluster in world.pool.mail:
        if any(member.name == server for member in cluster.servers):
            return cluster
    known = [member.name for cluster in world.pool.mail for member in cluster.servers]
    raise OperationRefused(Refused.NO_MAIL_SERVER(server=server, known=tuple(known)))


def partners(snapshot: Snapshot, cluster: MailCluster, server: str) -> list[MailFacts]:
    """The other mail servers of the cluster that are in service and answer."""
    return [
        mail for mail in snapshot.mail
        if mail.cluster == cluster.cluster and mail.name != server and mail.state is MailState.UP
        and mail.in_service is not False
    ]


def facts_of(snapshot: Snapshot, server: str) -> MailFacts:
    """What the look found of a mail server that the configuration has."""
    return next(mail for mail in snapshot.mail if mail.name == server)


async def trouble(world: World, facts: MailFacts) -> str | None:
    """Why a mail server does not answer; None when it does.

    A look has the pool servers' word, which may be some seconds old. An operator who has just started the mail server
    may not be told that it is down, so then it is asked itself.
    """
    if facts.error is None:
        return None
    try:
        async with asyncio.timeout(world.pool.watch.timeout):
            await world.drivers.mail[facts.name].poll()
    except DriverError as error:
        return str(error)
    except TimeoutError:
        return facts.error
    return None


def tellers(snapshot: Snapshot) -> list[ServerFacts]:
    """The servers that could tell the whole pool: they answer and have a lease."""
    return [server for server in answering(snapshot).values() if server.lease_seconds]


def without(snapshot: Snapshot, options: Mapping[str, str]) -> tuple[str, ...]:
    """The pool servers that an operation is told not to wait for (option `without`). Raises Misused."""
    chosen = tuple(sorted(set(options.get("without", "").replace(",", " ").split())))
    unknown = [name for name in chosen if name not in {server.name for server in snapshot.servers}]
    if unknown:
        raise Misused(Refused.NO_SERVER_TO_SKIP(servers=tuple(unknown)))
    return chosen


def slow(snapshot: Snapshot, server: str, skipped: Collection[str]) -> Iterator[Check]:
    """The pool servers that live and do not answer: each would keep a mail failover from its end."""
    reached = answering(snapshot)
    for one in snapshot.servers:
        if one.name in skipped:
            yield Check(CheckId.WITHOUT, one.name, Found.NOT_WAITED_FOR(), Wanted.ALL_LET_GO(), CheckVerdict.WARNING,
                        Mend.USERS_MAY_STAY(mail=server, server=one.name))
        elif one.alive and one.name not in reached:
            yield Check(CheckId.SLOW, one.name, stated(one.error or str(one.state)), Found.ANSWERS(), CheckVerdict.BAD,
                        Mend.WITHOUT_SERVER(server=one.name, mail=server))


def told_by(snapshot: Snapshot) -> Check:
    """The check that somebody can tell the pool."""
    found = [server.name for server in tellers(snapshot)]
    return common.check(CheckId.SERVERS, "servers", bool(found), Found.NAMES_OF(servers=found), Wanted.A_TELLER(),
                        common.NEVER, Mend.START_SERVER_FIRST())


async def through(active: Active, cluster: str) -> dict[str, int]:
    """Mail server -> users that are monitored through it now, of one cluster. Raises DatabaseGone."""
    rows = await active.rows(USERS_THROUGH, cluster, seconds=30.0, patience=10.0)
    return {row["mail_server"]: row["users"] for row in rows}


def seconds_for(cluster: MailCluster, users: int, servers: int, share: float = 1.0) -> float:
    """How long so many log-ins take, when every pool server logs in at this share of its pace."""
    return math.ceil(users / max(1, servers) / (cluster.logins_per_second * share))


@dataclass(frozen=True, slots=True)
class ServiceStep:
    """The operator's word on a mail server, said to the whole pool through any server that lives."""

    planned: PlannedStep
    server: str
    in_service: bool
    was: bool  # in service when it was planned
    reason: str

    async def run(self, world: World, progress: Progress) -> Statement:
        """Say it, and read the row back. Raises StepFailed or StepUnknown."""
        return await self._say(world, self.in_service)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Say what was said before."""
        return await self._say(world, self.was)

    async def _say(self, world: World, in_service: bool) -> Statement:
        order = f"mail/{self.server}/{'in' if in_service else 'out'}"
        failures: dict[str, str] = {}
        for teller in tellers(await look(world)):
            try:
                await world.control.post(teller.address, order, {} if in_service else {"reason": self.reason})
            except ControlError as error:
                failures[teller.name] = str(error)
                continue
            break
        told = await Active(world).value(IN_SERVICE, self.server, patience=5.0)
        if told is in_service:
            return Done.SERVICE(server=self.server, in_service=in_service)
        why = Fault.NOBODY_TOLD(failures=failures)
        raise StepFailed(why) if told is not None else StepUnknown(why)


@dataclass(frozen=True, slots=True)
class GoneStep:
    """Nobody is monitored through a mail server any more; its users are, through its partners."""

    planned: PlannedStep
    server: str
    cluster: str
    without: frozenset[str] = frozenset()  # pool servers that are not waited for

    async def run(self, world: World, progress: Progress) -> Statement:
        """Watch them go, by the rows and by the servers that take part at each look.

        Raises StepUnknown when only some servers keep it from its end, naming them; StepFailed when all do.
        """
        active = Active(world)
        presence = Presence(world, active)
        blocking: set[str] = set()
        known: frozenset[str] = frozenset()

        async def read() -> tuple[bool, Statement]:
            nonlocal blocking, known
            present = await presence.now()
            known = present.leased | present.answering.keys()
            users, rows = await through(active, self.cluster), await _users_of(active, self.cluster, self.server)
            said = await said_through(world, present.answering.values(), self.server)
            busy = {name for name, number in (*rows.items(), *said.items()) if number}
            blocking = ((busy | present.silent) & known) - self.without
            left = users.pop(self.server, 0)
            progress.tell(Doing.LEAVING(users=left, servers=sorted(blocking)), sum(users.values()),
                          left + sum(users.values()))
            sure = sum(number for number in said.values() if number > 0)
            return not blocking, Done.THROUGH(server=self.server, users=left, sure=sure, by=rows,
                                              gone=rows.keys() - known, others=users, without=self.without)

        good, found = await common.settled(read, self.planned.limit_seconds - 5.0, 0.1)
        if good:
            return found
        slow = sorted(blocking)
        if not known - blocking:
            raise StepFailed(Fault.NOT_ALL_LEFT(found=found))
        raise StepUnknown(Fault.NOT_CONFIRMED(found=found, slow=slow, mail=self.server))

    async def undo(self, world: World, progress: Progress) -> Statement:
        """They return when it is in service again."""
        return Back.RETURN_WITH_SERVICE()


async def _users_of(active: Active, cluster: str, mail_server: str) -> dict[str, int]:
    """Pool server -> its users that are monitored through a mail server, by the rows. Raises DatabaseGone."""
    rows = await active.rows(USERS_BY_SERVER, cluster, mail_server, seconds=30.0, patience=10.0)
    return {row["server"]: row["users"] for row in rows}


@dataclass(frozen=True, slots=True)
class ReturnedStep:
    """The users that belong to a mail server are monitored through it again; the monitor calls them at its pace."""

    planned: PlannedStep
    server: str
    cluster: str

    async def run(self, world: World, progress: Progress) -> Statement:
        """Watch them come. Raises StepFailed when it is not used, StepUnknown when some did not come.

        Who belongs there, and which servers could bring them, is looked at again and again. Servers call only users
        that they have when they hear the operator's word: whoever took users over since then has to hear it again.
        """
        active = Active(world)
        presence = Presence(world, active)
        usable: list[str] = []
        came, called, looked = -1, 0.0, 0.0
        found = _Returning()

        async def read() -> tuple[bool, Statement]:
            nonlocal usable, came, called, looked, found
            now = time.monotonic()
            if now - looked > _LOOK:
                usable, looked = await _usable(world, self.cluster, self.server), now
            present, users = await presence.now(), await assigned(active, self.cluster)
            found = await asyncio.to_thread(_returning, users, usable, self.server, present.leased)
            if found.came != came:
                came, called = found.came, now
            elif now - called > _STALLED and found.missing:
                called = now
                await _call(world, present, self.server)
            progress.tell(Doing.RETURNING(came=found.came, users=found.came + found.missing), found.came,
                          found.came + found.missing)
            return not found.missing, found.said(self.server)

        good, said = await common.settled(read, self.planned.limit_seconds - 5.0, 0.5)
        if good:
            return said
        raise StepUnknown(said) if found.came else StepFailed(Fault.NOT_USED(said=said))

    async def undo(self, world: World, progress: Progress) -> Statement:
        """They leave when it is out of service again."""
        return Back.LEAVE_WITH_SERVICE()


@dataclass(frozen=True, slots=True)
class _Returning:
    """Of the users that belong to a mail server, who is where."""

    came: int = 0
    missing: int = 0
    unserved: int = 0  # no living server monitors them: they return when one takes them over
    troubled: int = 0  # without mail for a reason of their own

    def said(self, server: str) -> Statement:
        """As evidence."""
        return Done.RETURNED(server=server, came=self.came, users=self.came + self.missing, unserved=self.unserved,
                             troubled=self.troubled)


async def assigned(active: Active, cluster: str) -> list[Assigned]:
    """All users of a cluster that are bound to a server. Raises DatabaseGone."""
    found: list[Assigned] = []
    while rows := await active.rows(ASSIGNMENTS, cluster, found[-1].user if found else 0, patience=10.0):
        found += [Assigned(row["user_id"], row["mail_server"], row["server"], row["trouble"]) for row in rows]
    return found


class Assigned(NamedTuple):
    """A user with a mail server."""

    user: int
    mail: str
    server: str  # the pool server that it is bound to
    trouble: bool  # it is without mail


def _returning(users: Sequence[Assigned], usable: Sequence[str], server: str, leased: Collection[str]) -> _Returning:
    belong = [one for one in users if home(one.user, usable) == server]
    away = [one for one in belong if one.mail != server]
    unserved = [one for one in away if one.server not in leased]
    troubled = [one for one in away if one.trouble and one.server in leased]
    return _Returning(len(belong) - len(away), len(away) - len(unserved) - len(troubled), len(unserved),
                      len(troubled))


async def _call(world: World, present: Present, server: str) -> None:
    """Say again that it is in service: every server then calls the users back that belong there."""
    for teller in present.answering.values():
        try:
            await world.control.post(teller.address, f"mail/{server}/in")
        except ControlError:
            continue  # another one may be able to
        return


async def _usable(world: World, cluster: str, server: str) -> list[str]:
    mail = (await look(world)).mail
    return [m.name for m in mail if m.cluster == cluster and (m.name == server or m.state is MailState.UP)]


async def said_through(world: World, servers: Iterable[ServerFacts], mail_server: str) -> dict[str, int]:
    """How many users each of these pool servers monitors through a mail server; -1: it does not answer."""
    ssl = for_partners(world.pool.own_servers, world.base)

    async def one(server: ServerFacts) -> tuple[str, int]:
        asker = Asker(server.address, None, ssl, secret=False)
        try:
            _, metrics = await asker.get("metrics", _METRICS, seconds=2.0)
        except DriverError:
            return server.name, -1
        finally:
            await asker.close()
        return server.name, _users_through(metrics.decode(errors="replace"), mail_server)

    return dict(await asyncio.gather(*(one(server) for server in servers)))


def _users_through(metrics: str, mail_server: str) -> int:
    """The figure of one mail server in Prometheus' text format; 0 when it is not there."""
    for line in metrics.splitlines():
        if line.startswith("tuiha_mail_users{") and f'mail_server="{mail_server}"' in line:
            return int(float(line.rsplit(" ", 1)[1]))
    return 0


def mail_facts(snapshot: Snapshot, cluster: MailCluster, server: str) -> Mapping[str, object]:
    """What makes a plan void when it changes."""
    return {
        "server": server, "in_service": facts_of(snapshot, server).in_service,
        "partners": sorted(mail.name for mail in partners(snapshot, cluster, server)),
        "active": snapshot.active, "epoch": snapshot.epoch,
    }

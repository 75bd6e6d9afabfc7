"""A mail server out of service and in again, for the whole pool: what both kinds share."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from tuiha.config.parts import MailCluster
from tuiha.config.tls import for_partners
from tuiha.model.facts import MailFacts, ServerFacts, Snapshot
from tuiha.model.rows import UP
from tuiha.model.words import count, names
from tuiha.operate.active import Active
from tuiha.operate.control import ControlError
from tuiha.operate.kinds import Progress, Refused, StepFailed, StepUnknown
from tuiha.operate.look import answering, look
from tuiha.operate.plan import Check, PlannedStep
from tuiha.operate.users import common
from tuiha.operate.world import World
from tuiha.server.monitor.cluster import home

_SETTLE = 30.0  # seconds that leaving may take beside the log-ins
_THROUGH = """
SELECT a.mail_server, count(*)::int AS users FROM mail_assignment a
JOIN binding b USING (user_id) JOIN app_user u ON u.id = a.user_id
WHERE u.mail_cluster = $1 AND b.expires_at > clock_timestamp() GROUP BY 1
"""
_ASSIGNED = """
SELECT a.user_id, a.mail_server FROM mail_assignment a
JOIN binding b USING (user_id) JOIN app_user u ON u.id = a.user_id
WHERE u.mail_cluster = $1 AND b.expires_at > clock_timestamp() AND a.user_id > $2 ORDER BY a.user_id LIMIT 50000
"""
_SERVICE = "SELECT in_service FROM mail_server WHERE name = $1"


def cluster_of(world: World, server: str) -> MailCluster:
    """The cluster of a mail server. Raises Refused for one that is not in the configuration."""
    for cluster in world.pool.mail:
        if any(member.name == server for member in cluster.servers):
            return cluster
    known = [member.name for cluster in world.pool.mail for member in cluster.servers]
    raise Refused(f"the pool has no mail server {server}; it has {names(known)}")


def partners(snapshot: Snapshot, cluster: MailCluster, server: str) -> list[MailFacts]:
    """The other mail servers of the cluster that are in service and answer."""
    return [
        mail for mail in snapshot.mail
        if mail.cluster == cluster.cluster and mail.name != server and mail.state == UP and mail.in_service is not False
    ]


def facts_of(snapshot: Snapshot, server: str) -> MailFacts:
    """What the look found of a mail server that the configuration has."""
    return next(mail for mail in snapshot.mail if mail.name == server)


def tellers(snapshot: Snapshot) -> list[ServerFacts]:
    """The servers that could tell the whole pool: they answer and have a lease."""
    return [server for server in answering(snapshot).values() if server.lease_seconds]


def told_by(snapshot: Snapshot) -> Check:
    """The check that somebody can tell the pool."""
    found = [server.name for server in tellers(snapshot)]
    return common.check("servers", "servers", bool(found), names(found) or "none", "one that answers and has a lease",
                        common.NEVER, "start a server first")


async def through(active: Active, cluster: str) -> dict[str, int]:
    """Mail server -> users that are monitored through it now, of one cluster. Raises DatabaseGone."""
    rows = await active.rows(_THROUGH, cluster, seconds=30.0, patience=10.0)
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

    async def run(self, world: World, progress: Progress) -> str:
        """Say it, and read the row back. Raises StepFailed or StepUnknown."""
        return await self._say(world, self.in_service)

    async def undo(self, world: World, progress: Progress) -> str:
        """Say what was said before."""
        return await self._say(world, self.was)

    async def _say(self, world: World, in_service: bool) -> str:
        order = f"mail/{self.server}/{'in' if in_service else 'out'}"
        failures = []
        for teller in tellers(await look(world)):
            try:
                await world.control.post(teller.address, order, {} if in_service else {"reason": self.reason})
            except ControlError as error:
                failures.append(f"{teller.name}: {error}")
                continue
            break
        told = await Active(world).value(_SERVICE, self.server, patience=5.0)
        if told is in_service:
            return f"{self.server}: {'in' if in_service else 'out of'} service, by its row"
        why = "; ".join(failures) or "no server answers"
        raise StepFailed(why) if told is not None else StepUnknown(why)


@dataclass(frozen=True, slots=True)
class GoneStep:
    """Nobody is monitored through a mail server any more; its users are, through its partners."""

    planned: PlannedStep
    server: str
    cluster: str

    async def run(self, world: World, progress: Progress) -> str:
        """Watch them go, by the rows and by the servers. Raises StepFailed when some stay."""
        active, servers = Active(world), tellers(await look(world))

        async def read() -> tuple[bool, str]:
            users = await through(active, self.cluster)
            left, said = users.pop(self.server, 0), await said_through(world, servers, self.server)
            progress.tell(f"{left} users left, {said} by the servers", sum(users.values()), left + sum(users.values()))
            others = ", ".join(f"{name} {count(number, 'user')}" for name, number in sorted(users.items()))
            return left == 0 and said == 0, f"{self.server} {left} users ({said} by the servers), {others or 'nobody'}"

        good, text = await common.settled(read, self.planned.limit_seconds - 5.0, 0.1)
        if not good:
            raise StepFailed(f"not all are monitored through its partners: {text}")
        return text

    async def undo(self, world: World, progress: Progress) -> str:
        """They return when it is in service again."""
        return "its users return with its service"


@dataclass(frozen=True, slots=True)
class ReturnedStep:
    """The users that belong to a mail server are monitored through it again; the monitor calls them at its pace."""

    planned: PlannedStep
    server: str
    cluster: str

    async def run(self, world: World, progress: Progress) -> str:
        """Watch them come. Raises StepFailed when it is not used, StepUnknown when some did not come."""
        active, came = Active(world), 0
        users, usable = await assigned(active, self.cluster), await _usable(world, self.cluster, self.server)
        expected = await asyncio.to_thread(_belonging, users, usable, self.server)

        async def read() -> tuple[bool, str]:
            nonlocal came
            here = {user for user, mail in await assigned(active, self.cluster) if mail == self.server}
            came = len(expected & here)
            progress.tell(f"{came} of {len(expected)} users", came, len(expected))
            return came == len(expected), f"{came} of {count(len(expected), 'user')} that belong there are monitored " \
                                          f"through {self.server}"

        good, text = await common.settled(read, self.planned.limit_seconds - 5.0, 0.5)
        if good:
            return text
        raise StepUnknown(text) if came else StepFailed(f"{text}: the servers do not use it; does it answer them?")

    async def undo(self, world: World, progress: Progress) -> str:
        """They leave when it is out of service again."""
        return "its users leave with its service"


async def assigned(active: Active, cluster: str) -> list[tuple[int, str]]:
    """(user, mail server) of all users of a cluster that somebody monitors. Raises DatabaseGone."""
    found: list[tuple[int, str]] = []
    while rows := await active.rows(_ASSIGNED, cluster, found[-1][0] if found else 0, patience=10.0):
        found += [(row["user_id"], row["mail_server"]) for row in rows]
    return found


def _belonging(users: Sequence[tuple[int, str]], usable: Sequence[str], server: str) -> set[int]:
    return {user for user, _ in users if home(user, usable) == server}


async def _usable(world: World, cluster: str, server: str) -> list[str]:
    mail = (await look(world)).mail
    return [m.name for m in mail if m.cluster == cluster and (m.name == server or m.state == UP)]


async def said_through(world: World, servers: Sequence[ServerFacts], mail_server: str) -> int:
    """How many users these pool servers monitor through a mail server, as they say; -1 when one does not answer."""

    async def one(session: aiohttp.ClientSession, address: str) -> int:
        try:
            async with session.get(f"{address}/metrics") as answer:
                return _users_through(await answer.text(), mail_server)
        except (aiohttp.ClientError, TimeoutError):
            return -1

    connector = aiohttp.TCPConnector(ssl=for_partners(world.pool.own_servers, world.base) or True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=2.0)) as session:
        found = await asyncio.gather(*(one(session, server.address) for server in servers))
    return -1 if -1 in found else sum(found)


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

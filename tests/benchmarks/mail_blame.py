"""`python -m tests.benchmarks.mail_blame`: quiet connections are cut, again and again, while the mail servers are well.

300 users behind the fault proxy, which cuts every connection that is quiet for 20 s; 2,400 users whose mail servers cut
all quiet connections every 20 s; and the negative control: 300 users under the old rule of blame, by which three users
in trouble within ten seconds made a mail server gone. No database: what it would hold is kept in memory.

Exit code 1 when a server was judged gone without reason, or when somebody was not connected again within 5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tests.doubles.mail_server import FakeMailServer, fake_mail_server
from tests.until import until
from tuiha.cli.output.table import aligned
from tuiha.drivers.mail.client import ImapFailure
from tuiha.lab.parts.proxy import Proxy
from tuiha.server.database.access import Unavailable
from tuiha.server.mail import Bound, Cluster, Credentials, MailServer, Monitor
from tuiha.server.mail.health import Kept, Phase, ProbeLook, ProbeWay
from tuiha.server.mail.journal import MailJournal
from tuiha.server.mail.record import Cursor, KnownMailbox, MailboxStep
from tuiha.server.mail.servers import MailStanding, Standings

QUIET = 20.0  # seconds after which a connection is cut
REACH = 5.0  # seconds until everybody is connected again
SAMPLE = 0.1
PATIENCE = 600.0  # seconds until everybody is connected the first time: a busy machine is slow
HEAD = ["users", "rule", "minutes", "cuts", "judged gone", "longest without all", "without one", "moved",
        "log-ins a second: median", "p95", "most", "idle fits"]


class Memory:
    """What the database would hold, for users whose mailboxes stay empty."""

    def __init__(self) -> None:
        self.assigned: dict[int, str] = {}
        self.cursors: dict[int, dict[str, Cursor]] = {}
        self.changes = 0
        self.refusing: dict[int, tuple[float, str]] = {}

    async def enrol(self, _: object) -> None:
        """There are no rows."""

    async def known(self, bound: Bound) -> KnownMailbox:
        """What was recorded."""
        return KnownMailbox(self.assigned.get(bound.user_id), dict(self.cursors.get(bound.user_id, {})))

    async def record(self, bound: Bound, entry: MailboxStep) -> None:
        """Keep how far the mailbox was read, and where."""
        self.cursors.setdefault(bound.user_id, {})[entry.mail_server] = entry.cursor
        self.assigned[bound.user_id] = entry.mail_server


class NoDatabase:
    """Nothing but the monitor's notes asks for a transaction."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """There is no database."""
        raise Unavailable("no database")
        yield


class OldRule:
    """The rule before: three different users in trouble within ten seconds, none served since, and it is gone."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._failed: dict[str, dict[int, float]] = {}
        self._failed_before, self._served_before = standings.failed, standings.served

    def failed(self, standing: MailStanding, user_id: int, phase: Phase, failure: ImapFailure) -> None:
        """Count users, whatever the probe says."""
        self._failed_before(standing, user_id, phase, failure)
        now = self._standings._clock()
        found = self._failed.setdefault(standing.name, {})
        found[user_id] = now
        recent = [user for user, at in found.items() if now - at <= 10.0]
        if len(recent) >= 3 and not standing.health.gone:
            found.clear()
            self._standings.looked(standing, ProbeLook(Kept.SILENT, ProbeWay.NOT_TRIED, str(failure)), now + 1.0)

    def served(self, standing: MailStanding, user_id: int) -> None:
        """A user that was served made the others' failures their own."""
        self._failed.pop(standing.name, None)
        self._served_before(standing, user_id)


class Said(logging.Handler):
    """What the monitors say: judgements that a mail server is gone, and intervals that fit."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = 0
        self.intervals: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Note one."""
        text = record.getMessage()
        self.gone += " is gone: " in text
        self.intervals.update(re.findall(r"set `idle: (\w+)`", text))


@dataclass
class Figures:
    """What was seen."""

    gone: int = 0
    cuts: int = 0
    longest: float = 0.0  # seconds in which not everybody was connected
    user: float = 0.0  # seconds in which one user was not connected
    moved: int = 0  # users that are at another mail server than at first
    logins: list[int] = field(default_factory=list)  # in each second in which there were any, after the first
    intervals: list[str] = field(default_factory=list)  # for IDLE, as the event has them

    def good(self, reach: float = REACH) -> bool:
        """Whether all is in reach. `reach`: seconds until everybody is connected again."""
        return not self.gone and not self.moved and self.longest <= reach and self.cuts > 0


def bounds(count: int) -> dict[int, Bound]:
    """Users of one cluster."""
    return {number: Bound(number, f"user{number:05}", "east", 1) for number in range(1, count + 1)}


def monitor_of(ports: list[int], users: int, memory: Memory, rate: float, *, old_rule: bool, **other: Any) -> Monitor:
    """A monitor of two mail servers, on memory."""
    servers = tuple(MailServer(f"mail{n}", "127.0.0.1", port, "plain") for n, port in enumerate(ports, 1))
    login = Credentials("someone", "secret")
    monitor = Monitor("s1", NoDatabase(), [Cluster("east", servers, login, login, logins_per_second=rate)],
                      lambda _: None, **other)
    journal = cast(MailJournal, memory)
    monitor._journal, monitor._tools = journal, replace(monitor._tools, journal=journal)
    if old_rule:
        rule, standings = OldRule(monitor._standings), cast(Any, monitor._standings)
        standings.failed, standings.served = rule.failed, rule.served
    monitor.set_bound(bounds(users))
    return monitor


@asynccontextmanager
async def cutting(users: int, through_proxy: bool) -> AsyncIterator[tuple[list[int], Callable[[], None]]]:
    """Two mail servers, by port, and what begins the cutting."""
    async with AsyncExitStack() as stack:
        fakes, ports, proxies = [], [], []
        for _ in range(2):
            fake, port = await stack.enter_async_context(fake_mail_server())
            fakes.append(fake)
            if through_proxy:
                proxy = await stack.enter_async_context(Proxy("127.0.0.1", port))
                proxies.append(proxy)
                port = proxy.port
            ports.append(port)
        rounds: list[asyncio.Task[None]] = []

        def begin() -> None:
            for proxy in proxies:
                proxy.quiet(QUIET)
            if not proxies:
                rounds.append(asyncio.create_task(_rounds(fakes)))

        try:
            yield ports, begin
        finally:
            for task in rounds:
                task.cancel()


async def _rounds(fakes: list[FakeMailServer]) -> None:
    while True:
        await asyncio.sleep(QUIET)
        for fake in fakes:
            fake.cut_quiet()


async def measure(users: int, minutes: float, rate: float, *, through_proxy: bool, old_rule: bool = False) -> Figures:
    """Cut for some minutes."""
    memory = Memory()
    async with cutting(users, through_proxy) as (ports, begin):
        monitor = monitor_of(ports, users, memory, rate, old_rule=old_rule)
        return await observe([monitor], users, memory, begin, minutes * 60.0)


async def observe(
    monitors: Sequence[Monitor], users: int, memory: Memory, begin: Callable[[], None], seconds: float
) -> Figures:
    """Run monitors; when all their users are connected begin to cut, and watch."""
    found, said = Figures(), Said()
    logger = logging.getLogger("tuiha.monitor")
    logger.addHandler(said)
    logger.propagate = False
    tasks = [asyncio.create_task(monitor.run()) for monitor in monitors]
    try:
        await until(lambda: len(_connected(monitors)) >= users, seconds=PATIENCE, pause=SAMPLE)
        first = dict(memory.assigned)
        begin()
        await _watch(monitors, users, seconds, found)
        found.moved = sum(memory.assigned[user] != server for user, server in first.items())
    finally:
        for monitor, task in zip(monitors, tasks, strict=True):
            await monitor.close()
            await task
        logger.removeHandler(said)
    found.gone, found.intervals = said.gone, sorted(said.intervals)
    return found


def _connected(monitors: Sequence[Monitor]) -> set[int]:
    return {user for monitor in monitors for user, one in monitor._followers.items() if one.connected}


def _logins(monitors: Sequence[Monitor]) -> int:
    return sum(server.logins for monitor in monitors for server in monitor.figures().servers)


async def _watch(monitors: Sequence[Monitor], users: int, seconds: float, found: Figures) -> None:
    clock = asyncio.get_running_loop().time
    began = second = clock()
    since: float | None = None
    seen = dict.fromkeys(_connected(monitors), began)  # when each user was seen connected last
    before = _logins(monitors)
    while (now := clock()) - began < seconds or (since is not None and now - began < seconds + 2 * REACH):
        connected = _connected(monitors)
        if len(connected) == users:
            since = None
        elif since is None:
            since = now
            found.cuts += 1
        found.longest = max(found.longest, 0.0 if since is None else now - since)
        seen.update(dict.fromkeys(connected, now))
        found.user = max(found.user, now - min(seen.values()))
        if now - second >= 1.0:
            logins = _logins(monitors)
            if logins > before:
                found.logins.append(logins - before)
            second, before = now, logins
        await asyncio.sleep(SAMPLE)


def row(users: int, rule: str, minutes: float, found: Figures) -> list[str]:
    """One line of the table."""
    logins = sorted(found.logins) or [0]
    p95 = logins[min(len(logins) - 1, int(len(logins) * 0.95))]
    return [f"{users:,}", rule, f"{minutes:g}", str(found.cuts), str(found.gone), f"{found.longest:.1f} s",
            f"{found.user:.1f} s", str(found.moved), f"{statistics.median(logins):g}", str(p95), str(logins[-1]),
            " ".join(found.intervals)]


async def run(minutes: float, control: float) -> int:
    """All three; the exit code."""
    few = await measure(300, minutes, 100.0, through_proxy=True)
    many = await measure(2400, minutes, 400.0, through_proxy=False)
    old = await measure(300, control, 100.0, through_proxy=True, old_rule=True)
    lines = [row(300, "new, 100 log-ins/s", minutes, few), row(2400, "new, 400 log-ins/s", minutes, many),
             row(300, "old (control)", control, old)]
    sys.stdout.write("\n".join(aligned([HEAD, *lines], range(2, len(HEAD)))) + "\n")
    if not old.gone:
        sys.stdout.write("the control found nothing: this measures nothing\n")
    return 0 if few.good() and many.good() and old.gone else 1


def main() -> int:
    """`--minutes` of each measurement; the control takes one at most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes: float = parser.parse_args().minutes
    return asyncio.run(run(minutes, min(minutes, 1.0)))


if __name__ == "__main__":
    sys.exit(main())

"""All targets of a pool: the configured ones, and the servers that were found in the database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from tuiha.config.settings import Pool
from tuiha.drivers.backups.kinds import BackupDriver
from tuiha.drivers.factory import Drivers
from tuiha.drivers.protocols import DriverError, GuardLedger, ServerDriver
from tuiha.model.databases.backups import BackupReport
from tuiha.model.facts import Look, Polled, PolledMail, R
from tuiha.model.guard.report import GuardRecord
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import (
    DatabaseReport,
    LedgerRecord,
    MailReport,
    MemberRow,
    ServerReport,
    ServerState,
    SprayerReport,
)
from tuiha.model.words import span
from tuiha.watch.guards import GuardReader

R_co = TypeVar("R_co", covariant=True)
CLOSE = 1.0  # seconds that a driver gets to close
_log = logging.getLogger(__name__)


class Driver(Protocol[R_co]):
    """What watching needs of a driver."""

    async def poll(self) -> R_co:
        """Ask the target. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


@dataclass
class Target(Generic[R]):
    """A target and what is known of it. `clock` tells unix seconds."""

    driver: Driver[R]
    polled: Polled[R]
    timeout: float  # seconds, of one poll
    clock: Callable[[], float] = time.time
    busy: bool = False  # a poll is under way; no second one is started
    resting: bool = False  # others report of it: it is not polled, and has no connection

    @property
    def tried(self) -> bool:
        """Whether a poll has ended, well or not."""
        return self.polled.seen_at is not None or self.polled.failures > 0

    def begin(self) -> Coroutine[None, None, None] | None:
        """The next poll, to be run as a task; None while the last one is still under way."""
        if self.busy:
            return None
        self.busy = True
        return self._poll()

    async def _poll(self) -> None:
        """Poll once and keep what came, a failure included. Only being cancelled is raised."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                report = await self.driver.poll()
        except TimeoutError:
            self._failed(f"no answer in {span(self.timeout)}", Cause.SILENT)
        except DriverError as error:
            self._failed(str(error) or "it cannot be asked", error.cause)
        except OSError as error:
            self._failed(str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a driver's fault must not end the watching of all others
            _log.warning("the driver of %s failed", self.polled.name, exc_info=True)
            self._failed(f"unexpected {type(error).__name__} in its driver")
        else:
            self.polled = replace(self.polled, report=report, seen_at=self.clock(), error=None, cause=None,
                                  failing_since=None, failures=0, duration_ms=(time.monotonic() - started) * 1000)
        finally:
            self.busy = False

    def _failed(self, why: str, cause: Cause = Cause.OTHER) -> None:
        since = self.polled.failing_since
        self.polled = replace(self.polled, error=why, cause=cause, failures=self.polled.failures + 1,
                              failing_since=self.clock() if since is None else since)

    def rest(self, others_report: bool) -> Coroutine[None, None, None] | None:
        """Poll it no more while others report of it; what closes its connection, to be run as a task, if it has one."""
        rests = others_report and not self.busy
        begins, self.resting = rests and not self.resting, rests
        return self.close() if begins else None

    async def close(self) -> None:
        """Close the driver, within a second; what it still holds then ends with the process."""
        try:
            async with asyncio.timeout(CLOSE):
                await self.driver.close()
        except Exception as error:  # noqa: BLE001 - nothing more can be done, and nobody waits for it
            _log.warning("the driver of %s did not close: %s", self.polled.name, type(error).__name__)


_ENDS = 1.0  # seconds beyond the deadline of its own program
OpenServer = Callable[[str, str], ServerDriver]  # name, address


@dataclass
class Targets:
    """Targets by name, and what opens a server that is found at run time."""

    pool: str
    interval: float
    timeout: float
    open_server: OpenServer
    servers: dict[str, Target[ServerReport]]
    databases: dict[str, Target[DatabaseReport]]
    sprayers: dict[str, Target[SprayerReport]]
    mail: dict[str, Target[MailReport]]
    ledger: Target[LedgerRecord] | None
    guard: Target[GuardRecord] | None = None  # None: guards have no orders
    backup: Target[BackupReport] | None = None
    found: set[str] = field(default_factory=set)  # servers that are not in the configuration

    def every(self) -> Iterator[Target[Any]]:
        """All targets."""
        for group in (self.servers, self.databases, self.sprayers, self.mail):
            yield from group.values()
        yield from (one for one in (self.ledger, self.guard, self.backup) if one is not None)

    def look(self, number: int) -> Look:
        """The latest of every target, as one look."""
        return Look(
            pool=self.pool,
            at=time.time(),
            number=number,
            servers=tuple(t.polled for t in self.servers.values()),
            databases=tuple(t.polled for t in self.databases.values()),
            sprayers=tuple(t.polled for t in self.sprayers.values()),
            mail=tuple(t.polled for t in self.mail.values() if isinstance(t.polled, PolledMail)),
            ledger=self.ledger.polled if self.ledger is not None else None,
            interval=self.interval,
            guard=self.guard.polled if self.guard is not None else None,
            backup=self.backup.polled if self.backup is not None else None,
        )

    def follow(self, members: Iterable[MemberRow], every: bool) -> list[Target[ServerReport]]:
        """Take up servers that the database names; when these are `every` one, give up found ones not among them.

        Returns the targets that were given up, for the caller to close.
        """
        wanted = {m.name: m.address for m in members if m.state != ServerState.LEFT}
        gone = [self.servers.pop(name) for name in list(self.found)
                if every and wanted.get(name) != self.servers[name].polled.address]
        self.found &= set(self.servers)
        for name, address in wanted.items():
            if name not in self.servers:
                self.servers[name] = Target(self.open_server(name, address), Polled(name, address), self.timeout)
                self.found.add(name)
        return gone


def targets_of(pool: Pool, drivers: Drivers, open_server: OpenServer) -> Targets:
    """Pair every configured target with its driver."""
    timeout = pool.watch.timeout
    clusters = {m.name: (cluster.cluster, m.address) for cluster in pool.mail for m in cluster.servers}
    servers = {s.name: s.address for s in pool.servers}
    databases = {d.name: d.address for d in pool.database.nodes}
    sprayers = {s.name: s.address for s in pool.sprayers}
    return Targets(
        pool=pool.pool,
        interval=pool.watch.interval,
        timeout=timeout,
        open_server=open_server,
        servers={n: Target(d, Polled(n, servers[n]), timeout) for n, d in drivers.servers.items()},
        databases={n: Target(d, Polled(n, databases[n]), timeout) for n, d in drivers.databases.items()},
        sprayers={n: Target(d, Polled(n, sprayers[n]), timeout) for n, d in drivers.sprayers.items()},
        mail={n: Target(d, PolledMail(n, clusters[n][1], cluster=clusters[n][0]), timeout)
              for n, d in drivers.mail.items()},
        ledger=Target(drivers.ledger, Polled("ledger", _place(pool)), timeout) if drivers.ledger is not None else None,
        guard=_guard(pool, drivers, timeout),
        backup=_backup_target(pool, drivers.backup),
    )


def _guard(pool: Pool, drivers: Drivers, timeout: float) -> Target[GuardRecord] | None:
    """What the ledger keeps of guards, when they have orders."""
    if not pool.guard.standing.after or not isinstance(drivers.ledger, GuardLedger):
        return None
    return Target(GuardReader(drivers.ledger), Polled("guard", _place(pool)), timeout)


def _backup_target(pool: Pool, driver: BackupDriver | None) -> Target[BackupReport] | None:
    settings = pool.database.backup
    if driver is None or settings is None:
        return None
    return Target(driver, Polled("backup", f"{settings.driver} {settings.of}"), settings.seconds + _ENDS)


def _place(pool: Pool) -> str:
    own = pool.ledger.place if pool.ledger is not None else ""
    manager = pool.database.manager
    return own if manager is None else f"{manager}; operations: {own or 'none'}"

"""All targets of a pool: the configured ones, and the servers that were found in the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tuiha.config.settings import Pool
from tuiha.drivers.factory import Drivers
from tuiha.drivers.protocols import ServerDriver
from tuiha.model.facts import Look, Polled, PolledMail
from tuiha.model.reports import (
    DatabaseReport,
    LedgerRecord,
    MailReport,
    MemberRow,
    ServerReport,
    ServerState,
    SprayerReport,
)
from tuiha.watch.target import Target

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
    found: set[str] = field(default_factory=set)  # servers that are not in the configuration

    def every(self) -> Iterator[Target[Any]]:
        """All targets."""
        for group in (self.servers, self.databases, self.sprayers, self.mail):
            yield from group.values()
        if self.ledger is not None:
            yield self.ledger

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
    )


def _place(pool: Pool) -> str:
    own = pool.ledger.place if pool.ledger is not None else ""
    manager = pool.database.manager
    return own if manager is None else f"{manager}; operations: {own or 'none'}"

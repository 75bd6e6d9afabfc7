"""Doubles of drivers that answer, fail, hang or flap, and a pool of them.

A real node does not hang or flap at the poll that a test chooses. What they report is what real drivers can report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic

from tests.model.looks import mail, primary, record, secondary, server, sprayer
from tuiha.config.settings import Pool
from tuiha.drivers.factory import Drivers
from tuiha.drivers.protocols import DriverError, ServerDriver
from tuiha.model.facts import Polled, R
from tuiha.model.reports import LedgerRecord, ServerReport
from tuiha.model.rules import Rules
from tuiha.watch.poller import Poller
from tuiha.watch.targets import targets_of


class Double(Generic[R]):
    """Answers with `report`; fails with `error`; hangs while `hang` is set; `flaps` fails all but every nth poll."""

    capabilities: frozenset[str] = frozenset({"poll"})

    def __init__(self, polled: Polled[R]) -> None:
        assert polled.report is not None
        self.report: R = polled.report
        self.error: Exception | None = None
        self.hang = False
        self.flaps = 1
        self.polls = 0
        self.under_way = 0
        self.most_under_way = 0
        self.closed = False

    async def poll(self) -> R:
        """Behave as told."""
        self.polls += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.hang:
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
            if self.polls % self.flaps:
                raise DriverError("connection reset")
            return self.report
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        """Note it."""
        self.closed = True


class Ledger(Double[LedgerRecord]):
    """A ledger that is only read."""

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Not here."""
        raise DriverError("read-only")

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Not here."""
        raise DriverError("read-only")


def settings(**watch: Any) -> Pool:
    """The settings of the pool `east` of tests.model.looks; s3 and s4 are not in them."""
    secret = {"env": "TUIHA_TEST_SECRET"}
    role = {"user": "tuiha_watch", "password": secret}
    return Pool.model_validate({
        "pool": "east",
        "servers": [{"name": n, "address": f"http://127.0.0.1:80{n[1:]}"} for n in ("s1", "s2")],
        "database": {"nodes": [{"name": n, "address": f"127.0.0.1:543{n[2:]}"} for n in ("db1", "db2")],
                     "roles": {"pool": role, "watcher": role}},
        "sprayers": [{"name": "spray1", "address": "127.0.0.1:701", "socket": "unix:/run/spray1"}],
        "mail": [{"cluster": "east", "servers": [{"name": n, "address": f"127.0.0.1:14{n[-1]}", "security": "plain"}
                                                 for n in ("mail1", "mail2")],
                  "monitor": {"user": "monitor", "password": secret}, "probe": {"user": "probe", "password": secret}}],
        "ledger": {"path": "ledger.json"},
        "control": {"viewer": secret},
        "watch": {"interval": "20ms", "timeout": "60ms"} | watch,
    })


class Fleet:
    """All doubles of a pool, and servers that can be found at run time."""

    def __init__(self) -> None:
        self.s1, self.s2 = Double(server("s1")), Double(server("s2"))
        self.db1, self.db2 = Double(primary()), Double(secondary())
        self.spray1 = Double(sprayer("spray1"))
        self.mail1, self.mail2 = Double(mail("mail1")), Double(mail("mail2"))
        self.ledger = Ledger(record())
        self.found: dict[str, Double[ServerReport]] = {}

    def open_server(self, name: str, address: str) -> ServerDriver:
        """A double for a server found in the database."""
        self.found[name] = Double(server(name))
        return self.found[name]

    def drivers(self) -> Drivers:
        """As tuiha.drivers.factory would give them."""
        return Drivers({"s1": self.s1, "s2": self.s2}, {"db1": self.db1, "db2": self.db2}, {"spray1": self.spray1},
                       {"mail1": self.mail1, "mail2": self.mail2}, self.ledger, self.open_server)

    def poller(self, pool: Pool) -> Poller:
        """A poller of these."""
        rules = Rules(pool.watch.down_after, pool.heartbeat.interval, pool.lease.seconds)
        return Poller(targets_of(pool, self.drivers(), self.open_server), rules)

    def make(self) -> Callable[[Pool, Path], Poller]:
        """What a Watcher opens."""
        return lambda pool, base: self.poller(pool)

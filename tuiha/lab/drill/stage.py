"""Where a drill plays, as its acts see it: a pool that runs under load, and the observer beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.lab.drill.acts.hands import Hands
from tuiha.lab.drill.network import Link, Network, spread
from tuiha.lab.drill.observation.observer import Observer
from tuiha.lab.drill.observation.records import Status
from tuiha.lab.drill.wires import Wired, groups, ports_of
from tuiha.lab.load.process import LoadProcess
from tuiha.lab.pool.account import unprivileged
from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout
from tuiha.model.reports import LedgerRecord
from tuiha.operate.api import Operator

_STEP = 0.05
_BUSY = 120.0  # seconds until a new pool serves everybody, on a very busy machine
_FRESH = 1.0  # seconds: a status is the present one when it is not older


class NotReached(Exception):
    """Something that a scenario waits for did not come to be. The text is for people."""


@dataclass(slots=True)
class Stage:
    """A running drill, as the acts of a scenario see it."""

    pool: LabControl
    settings: Pool
    observer: Observer
    load: LoadProcess
    began: float = field(default_factory=time.time)
    since: float = 0.0  # the moment of the fault or of the operation's start, unix seconds; 0 before it
    operating: str | None = None  # id of the operation that was applied last
    operation: dict[str, Any] | None = None  # what became of it
    wired: Wired | None = None  # the network, when the scenario hurts it
    programs: list[asyncio.subprocess.Process] = field(default_factory=list)  # that the drill started beside the pool
    guards: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)  # of the programs, by name
    stopped: list[int] = field(default_factory=list)  # processes below a part that were stopped one by one
    strangers: list[asyncio.StreamWriter] = field(default_factory=list)  # connections that use a database up
    guests: list[Any] = field(default_factory=list)  # connections with a transaction open
    ledger_text: str | None = None  # what was in the ledger when it was taken away
    terminal: asyncio.subprocess.Process | None = None  # `tuiha apply` of the operation that was applied last
    hands: Hands | None = None  # at mailboxes, in a scenario of mail

    @property
    def layout(self) -> Layout:
        """Where the pool's files are."""
        return Layout(self.pool.folder, unprivileged())

    @property
    def network(self) -> Network:
        """The network between the pool's parts. Raises NotReached in a scenario that hurts none."""
        if self.wired is None:
            raise NotReached("this scenario has no network")
        return self.wired.network

    @property
    def mail(self) -> Hands:
        """Hands at users' mailboxes. Raises NotReached in a scenario that says nothing of mail."""
        if self.hands is None:
            raise NotReached("this scenario has no hands at mailboxes")
        return self.hands

    @property
    def coordinator(self) -> Path:
        """The configuration that operations are run with: that of the guards, when there are some."""
        if self.guards:
            return self.layout.folder / "pool.guard.yaml"
        return self.pool.config_path if self.wired is None else self.wired.coordinator

    @property
    def operator(self) -> Operator:
        """Who operates, from there."""
        return Operator(load(self.coordinator), self.pool.folder, self.coordinator, "drill")

    def links(self, *wanted: Link) -> list[Link]:
        """Single links for those that name groups."""
        return [one for link in wanted for one in spread(link, groups(self.settings))]

    def port(self, name: str) -> int:
        """Where a part really listens."""
        return ports_of(self.settings)[name]

    def mark(self) -> None:
        """Now is the moment: the outage is looked for from here on."""
        self.since = self.since or time.time()

    async def active(self) -> str:
        """The active database, by the ledger."""
        return (await self.ledger()).active

    async def ledger(self) -> LedgerRecord:
        """The ledger's record."""
        return await FileLedger(Layout(self.pool.folder).ledger, self.settings.pool).poll()

    async def servers(self) -> list[str]:
        """Pool servers whose process runs."""
        parts = (await self.pool.state()).parts
        return [p.name for p in parts if p.name[0] == "s" and p.name[1:].isdigit() and p.state == "running"]

    def latest(self) -> Mapping[str, Status]:
        """Server -> its last status, of those that answered within the last second."""
        fresh = time.time() - _FRESH
        found: dict[str, Status] = {}
        for status in reversed(self.observer.recording.statuses[-200:]):
            if status.received >= fresh:
                found.setdefault(status.server, status)
        return found

    async def leased(self, database: str, seconds: float) -> None:
        """Wait until every running server holds a lease on a database. Raises NotReached."""
        servers = await self.servers()

        def all_there() -> bool:
            latest = self.latest()
            return all(s in latest and latest[s].leased and latest[s].database == database for s in servers)

        await until(all_there, seconds, f"not every server of {', '.join(servers)} holds a lease on {database}")

    async def protected(self, database: str, seconds: float) -> None:
        """Wait until commits of a database wait for its partner, and nothing else serves. Raises NotReached."""

        def followed() -> bool:
            last = {sample.database: sample for sample in self.observer.recording.samples[-50:]}
            partners = [name for name in last if name != database]
            newest = last.get(database)
            return newest is not None and newest.writable and bool(newest.followers) and set(
                newest.followers) <= set(partners) and not any(last[name].writable for name in partners)

        await until(followed, seconds, f"the commits of {database} do not wait for its partner")

    async def served(self, seconds: float) -> None:
        """Wait until every running server acknowledges a write that begins now. Raises NotReached."""
        servers, now = set(await self.servers()), time.time()

        def all_served() -> bool:
            recent = self.observer.recording.acks[-2000:]
            return servers <= {ack.server for ack in recent if ack.received > now}

        await until(all_served, seconds, f"not every server of {', '.join(sorted(servers))} acknowledges writes")


async def until(true: Callable[[], bool], seconds: float, otherwise: str, step: float = _STEP) -> None:
    """Wait for something that raises no event. Raises NotReached with the text when it does not come to be in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise NotReached(f"{otherwise} after {seconds:g} s")
        await asyncio.sleep(step)


async def steady(stage: Stage) -> None:
    """Wait until the pool knows all users, mail arrives, and every server acknowledges writes. Raises NotReached.

    All users: those who come to a pool whose last server is full are turned away, and no fault's outage is theirs.
    """

    def registered() -> bool:
        figures = stage.load.figures()
        return figures is not None and figures["registered"] == figures["devices"] and figures["changes"] > 0

    def known() -> bool:
        return {ack.user for ack in stage.observer.recording.acks} == {user.name for user in stage.observer.users}

    await until(registered, _BUSY, "the devices have not all registered")
    await until(known, _BUSY, "the witness's users have not all registered")
    await stage.leased(await stage.active(), _BUSY)
    await stage.served(_BUSY)
    await asyncio.sleep(1.0)

"""Who takes part in the simulation: pool servers with their devices, the coordinator, and a witness of every answer."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from tests.proof.virtual import PROCESS, Process
from tests.proof.world import World
from tuiha.drivers.protocols import Conflict
from tuiha.model.reports import Standby
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.attacher import Attacher
from tuiha.server.database.attachment import DatabasePlace
from tuiha.server.database.fence import Fence
from tuiha.server.database.gate import Gate
from tuiha.server.database.lease import LeaseKeeper

LEASE = 2.0
DRIFT = 0.02  # clocks run up to so much too fast or too slow
SLACK = 0.1 + 3 * DRIFT * LEASE


@dataclass
class Outcome:
    """What a run showed. The four sets must be empty."""

    late: set[int] = field(default_factory=set)  # answers of db1 released after the promotion, by their number
    lost: set[int] = field(default_factory=set)  # acknowledged rows that the promoted db2 lacks
    stale: set[int] = field(default_factory=set)  # released reads that lacked an acknowledged row
    shown_and_lost: set[int] = field(default_factory=set)  # rows shown to a device that the promoted db2 lacks
    stranded: dict[str, str] = field(default_factory=dict)  # servers that did not end on the active database, and why
    fallen: dict[str, Exception] = field(default_factory=dict)  # servers whose process would have ended, and why
    happened: Counter[str] = field(default_factory=Counter)

    @property
    def safe(self) -> bool:
        return not (self.late or self.lost or self.stale or self.shown_and_lost)


class Observer(Protocol):
    """Who is told what a server releases, and what becomes of it."""

    acknowledged: dict[int, str]  # row -> node

    @property
    def fallen(self) -> dict[str, Exception]:
        """Servers whose process would have ended."""

    @property
    def happened(self) -> Counter[str]:
        """Counts."""

    def released(self, node: str, needs: frozenset[int], *, wrote: int | None, read: frozenset[int]) -> None:
        """An answer goes to a device."""


class Witness:
    """Sees every released answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self.acknowledged: dict[int, str] = {}  # row -> node
        self.shown: set[int] = set()
        self.outcome = Outcome()

    @property
    def fallen(self) -> dict[str, Exception]:
        """Servers whose process would have ended."""
        return self.outcome.fallen

    @property
    def happened(self) -> Counter[str]:
        """Counts."""
        return self.outcome.happened

    def released(self, node: str, needs: frozenset[int], *, wrote: int | None, read: frozenset[int]) -> None:
        """An answer goes to a device at this moment."""
        number = next(self._numbers)
        self.outcome.happened[f"released from {node}"] += 1
        if node == "db1" and self._world.promoted_at is not None:
            self.outcome.late.add(number)
        if wrote is not None:
            self.acknowledged[wrote] = node
        else:
            if needs - read:
                self.outcome.stale.add(number)
            if node == "db1":
                self.shown |= read

    def conclude(self) -> Outcome:
        if self._world.promoted_at is not None:
            safe = self._world.db2.visible
            self.outcome.lost = {row for row in self.acknowledged if row not in safe}
            self.outcome.shown_and_lost = self.shown - safe
        return self.outcome


class Server:
    """A pool server without its HTTP: the gate, what keeps it attached, the fence, and devices that ask."""

    rows = itertools.count(1)

    def __init__(
        self, name: str, world: World, witness: Observer, lease: float = LEASE, readers: int = 0
    ) -> None:
        chance = world.chance
        self.process = Process(name, speed=chance.uniform(1 - DRIFT, 1 + DRIFT))
        if chance.random() < 0.5:
            begin = chance.uniform(0.5, 6.0)
            self.process.stopped = (begin, begin + chance.uniform(0.2, 5.0))
        self._world, self._witness, self._readers = world, witness, readers
        self.gate = Gate(3.0, 100)
        self.fence = Fence()
        self.attacher = Attacher(
            pool="demo",
            places=[
                DatabasePlace(node, node, 5432, "tuiha", "tuiha_pool", "", None, f"tuiha:{name}")
                for node in world.nodes
            ],
            ledger=world.ledger,
            system_identifier=None,
            gate=self.gate,
            fence=self.fence,
            keeper=LeaseKeeper(name, name, lease, lambda _: None),
            lease_seconds=lease,
            connections=4,
            prepare=self._prepared,
        )

    async def _prepared(self, _: DatabasePlace) -> None:
        """The schema is there."""

    async def run(self) -> None:
        """Until cancelled. What ends it otherwise would end the server's process."""
        PROCESS.set(self.process)
        try:
            await self._parts()
        except Exception as error:  # noqa: BLE001 (whatever it is: it is reported with its seed)
            self._witness.fallen[self.process.name] = error

    async def _parts(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.attacher.run())
            tasks.create_task(self._guard())
            for writes in [0.5, 0.5] + [0.0] * self._readers:
                tasks.create_task(self._device(writes))

    async def _guard(self) -> None:
        """What the fence's thread does; now and then the machine lets it wait."""
        chance = self._world.chance
        while True:
            await asyncio.sleep(chance.uniform(0.5, 3.0) if chance.random() < 0.03 else chance.uniform(0.01, 0.05))
            await self._world.awake()
            for wires in self.fence._wires:
                if not wires.cut and not wires.whole:
                    wires.sever()

    async def _device(self, writes: float) -> None:
        chance = self._world.chance
        while True:
            await asyncio.sleep(chance.uniform(0.02, 0.3))
            try:
                async with asyncio.timeout(chance.uniform(0.1, 0.5) if chance.random() < 0.3 else None):
                    await (self._write() if chance.random() < writes else self._read())
            except (Unavailable, OutcomeUnknown, TimeoutError) as error:
                self._witness.happened[type(error).__name__] += 1

    async def _write(self) -> None:
        row = next(self.rows)
        async with self.gate.releasing(), self.gate.transaction() as connection:
            node = await cast(Any, connection).write(row)
        self._witness.released(node, frozenset(), wrote=row, read=frozenset())

    async def _read(self) -> None:
        needs = frozenset(self._witness.acknowledged)
        async with self.gate.releasing():
            node, rows = await self.gate.read(lambda connection: cast(Any, connection).read())
        self._witness.released(node, needs, wrote=None, read=rows)

    async def told(self) -> None:
        """The coordinator's word to use db2 in epoch 2, and the server's answer."""
        PROCESS.set(self.process)
        await self._world.travel()
        self.attacher.attach(2, "db2")
        PROCESS.set(Process("coordinator"))
        await self._world.travel()


class Killed(Exception):
    """The coordinator's process was killed."""


class Coordinator:
    """Fails the pool over. Its journal is how many steps are done; it dies at one of its awaits and is resumed."""

    def __init__(self, world: World, servers: list[Server], waits: bool) -> None:
        self._world, self._servers, self._waits = world, servers, waits
        self._done = 0
        self._cut_at = 0.0
        self._awaits = 0
        self._dies_at = world.chance.randrange(30)
        self._reaches_servers = world.chance.random() < 0.5
        self._speed = world.chance.uniform(1 - DRIFT, 1 + DRIFT)

    async def run(self) -> None:
        """To the end, with a death in between. Raises Conflict when a degrade was first."""
        steps = (self._intend, self._cut, self._let_go, self._promote, self._begin_epoch, self._record, self._tell)
        while self._done < len(steps):
            try:
                for step in steps[self._done :]:
                    await self._may_die()
                    await step()
                    await self._may_die()
                    self._done += 1
            except Killed:
                await asyncio.sleep(self._world.chance.uniform(0.1, 3.0))
                # What was only in memory is gone: the wait begins again, which is later and therefore safe.
                self._cut_at = self._world.now

    async def _may_die(self) -> None:
        await self._world.travel()
        self._awaits += 1
        if self._awaits == self._dies_at:
            raise Killed

    async def _intend(self) -> None:
        record = self._world.ledger.record
        if record.phase == "FAILOVER":
            return
        if record.standby is not Standby.SYNC:
            raise Conflict("STALE: db2 may not be promoted")
        new = replace(record, phase="FAILOVER", revision=record.revision + 1)
        await self._world.ledger.replace(record, new)

    async def _cut(self) -> None:
        self._world.receiving = False
        await self._may_die()
        self._cut_at = self._world.now

    async def _let_go(self) -> None:
        """When all servers have let go, go on at once; else when every lease has ended."""
        if not self._waits:
            return
        left = (LEASE + SLACK) / self._speed - (self._world.now - self._cut_at)
        if not self._reaches_servers:
            await asyncio.sleep(max(0.0, left))
            return
        asked = [self._world.spawn(server.told()) for server in self._servers]
        await self._may_die()
        await asyncio.wait(asked, timeout=max(0.0, left))

    async def _promote(self) -> None:
        if not self._world.db2.writable:
            self._world.promote()

    async def _begin_epoch(self) -> None:
        self._world.db2.epoch, self._world.db2.active = 2, "db2"

    async def _record(self) -> None:
        record = self._world.ledger.record
        if record.epoch == 1:
            new = replace(
                record, epoch=2, active="db2", standby=Standby.STALE, phase="STEADY", revision=record.revision + 1,
                timeline=self._world.db2.timeline,
            )
            await self._world.ledger.replace(record, new)

    async def _tell(self) -> None:
        await asyncio.wait([self._world.spawn(server.told()) for server in self._servers], timeout=2.0)

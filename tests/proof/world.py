"""A world for the simulation, with a pretended database pair. NOT a database: it only knows rows by number.

What it pretends is what was measured on PostgreSQL: a commit on the primary is confirmed and visible once the secondary
has its row; one that nobody can confirm waits for ever; one that is cancelled becomes visible on the primary alone, and
so do all that wait when its main process is killed; its sessions end within milliseconds and may still read till then.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from tests.proof.virtual import PROCESS
from tuiha.drivers.databases.session import READ_BACK
from tuiha.drivers.protocols import Conflict
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.pooldb.leases import RENEW, RENEWED_AGO

IDENTIFIER = "7000000000000000001"
LEASE_ROW = 0  # what a renewal writes; devices' rows begin at 1


@dataclass
class Node:
    """A pretended database."""

    name: str
    writable: bool
    timeline: int = 1
    epoch: int = 1
    active: str = "db1"
    up: bool = True
    dying: bool = False  # its main process is gone, its sessions are not
    visible: set[int] = field(default_factory=set)
    log: list[int] = field(default_factory=list)
    renewed: dict[str, float] = field(default_factory=dict)  # server -> when its last renewal was committed here
    connections: list[Connection] = field(default_factory=list)


class PretendedLedger:
    """The ledger's record in memory; compare-and-set like the real ones."""

    capabilities: frozenset[str] = frozenset({"poll", "replace"})

    def __init__(self, world: World) -> None:
        self._world = world
        self.record = LedgerRecord("demo", 1, "db1", Standby.SYNC, IDENTIFIER, 1)

    async def poll(self) -> LedgerRecord:
        await self._world.travel()
        return self.record

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        raise Conflict("there is a record")

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        await self._world.travel()
        if old.revision != self.record.revision:
            raise Conflict("somebody else was first")
        self.record = written = replace(new, revision=old.revision + 1)
        await self._world.travel()
        return written

    async def close(self) -> None:
        """Nothing is open."""


class World:
    """Both databases, the link between them, the network, and chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.db1, self.db2 = Node("db1", True), Node("db2", False)
        self.nodes: Mapping[str, Node] = {"db1": self.db1, "db2": self.db2}
        self.ledger = PretendedLedger(self)
        self.received = 0  # how much of db1's log db2 has
        self.link = True
        self.receiving = True
        self.alone = False  # db1 confirms without db2
        self.promoted_at: float | None = None
        self.numbers = itertools.count()  # of connections
        self.calm = False  # no message is slow any more
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something until it or the world ends, whatever becomes of who asked for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def change(self) -> None:
        """Something changed that others may wait for."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._changed.wait()

    async def travel(self) -> None:
        """A message's way: mostly milliseconds, now and then seconds; and nobody hears it while stopped."""
        slow = not self.calm and self.chance.random() < 0.03
        await asyncio.sleep(self.chance.uniform(0.5, 4.0) if slow else self.chance.uniform(0.0005, 0.02))
        await self.awake()

    async def awake(self) -> None:
        """Wait for the end of the process's being stopped; then its threads run in any order."""
        process = PROCESS.get(None)
        if process is not None and process.stopped[0] <= self.now < process.stopped[1]:
            await asyncio.sleep(process.stopped[1] - self.now + self.chance.uniform(0.0, 0.02))

    async def replicate(self) -> None:
        """Send db1's log to db2."""
        while True:
            await self.until(lambda: self.streaming and self.received < len(self.db1.log))
            await asyncio.sleep(self.chance.uniform(0.0005, 0.01))
            if self.streaming:
                self.received += 1
                self.change()

    @property
    def streaming(self) -> bool:
        return self.link and self.receiving and self.db1.up

    def commit(self, node: Node, rows: list[int]) -> asyncio.Task[None]:
        """Write rows; the task ends when the commit is confirmed. It goes on when nobody listens any more."""
        node.log.extend(rows)
        self.change()
        return self.spawn(self._confirm(node, rows, len(node.log)))

    async def _confirm(self, node: Node, rows: list[int], position: int) -> None:
        if node is self.db1:
            await self.until(lambda: self.received >= position or self.alone)
        if node.up and not node.dying:
            node.visible.update(rows)

    def promote(self) -> None:
        """db2 has replayed all it received, and becomes writable on a timeline of its own."""
        self.db2.log = self.db1.log[: self.received]
        self.db2.visible = set(self.db2.log)
        self.db2.writable, self.db2.timeline, self.promoted_at = True, 2, self.now

    async def kill(self, node: Node) -> None:
        """The database's main process is gone, and a little later its sessions are, one by one."""
        node.dying = True
        node.visible.update(node.log)
        connections = list(node.connections)
        self.chance.shuffle(connections)
        for connection in connections:
            await asyncio.sleep(self.chance.uniform(0.0, 0.05))
            connection.shut()
        node.up = False

    async def connect(self, **settings: Any) -> Connection:
        """Stands in for `asyncpg.connect`; the host is the node's name."""
        async with asyncio.timeout(settings["timeout"]):
            await self.travel()
            node = self.nodes[settings["host"]]
            if node.dying or not node.up:
                raise ConnectionRefusedError
            await self.travel()
            return Connection(self, node, settings["server_settings"])


class Connection:
    """Stands in for an asyncpg connection to a node, as far as the pool server's gate and lease use it."""

    def __init__(self, world: World, node: Node, stated: Mapping[str, str]) -> None:
        self._stated = stated
        self._world, self._node = world, node
        self._number = next(world.numbers)
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners: list[Callable[[Any], None]] = []
        self._rows: list[int] | None = None  # of the transaction under way
        self._transport = self
        node.connections.append(self)

    def __hash__(self) -> int:
        """Sets of sockets must not be ordered by addresses in memory: a seed is to give the same run again."""
        return self._number

    # What reaches for the socket gets the connection itself: shutting one shuts the other.

    def get_extra_info(self, _: str) -> Connection:
        return self

    def dup(self) -> Connection:
        return self

    def shutdown(self, _: int) -> None:
        self.shut()

    def close(self) -> None:
        """A duplicate of the socket is closed."""

    def shut(self) -> None:
        """The connection is over for the client; what is on its way to the database still gets there."""
        if not self._broken.done():
            self._broken.set_result(None)
            self._node.connections.remove(self)
            for listener in self._listeners:
                listener(self)

    terminate = shut

    def is_closed(self) -> bool:
        return self._broken.done()

    def is_in_transaction(self) -> bool:
        return self._rows is not None

    def add_termination_listener(self, listener: Callable[[Any], None]) -> None:
        self._listeners.append(listener)

    def add_log_listener(self, _: Callable[..., None]) -> None:
        """The pretended databases never warn."""

    async def add_listener(self, _: str, __: Callable[..., None]) -> None:
        await self._ask(self._nothing)

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """What the session asked for at its start: a part of connecting, whose time is counted there."""
        assert statement == READ_BACK
        return [{"name": name, "value": self._stated.get(name)} for name in arguments[0]]

    async def fetchrow(self, query: str, timeout: float | None = None) -> dict[str, Any]:
        async with asyncio.timeout(timeout):
            return dict(await self._ask(self._about_itself))

    async def fetchval(self, statement: str, server: str, *arguments: Any) -> float | None:
        """The renewal of a lease, or how many seconds ago the last one was."""
        if statement == RENEWED_AGO:
            renewed: float | None = await self._ask(lambda: self._renewed(server))
            return None if renewed is None else self._world.now - renewed
        assert statement == RENEW
        epoch: int = arguments[0]
        return epoch if await self._ask(lambda: self._renew(server, epoch)) else None

    async def execute(self, _: str) -> None:
        """The proof of life: the only statement of this form."""
        await self._ask(self._look_at_the_main_process)

    async def read(self) -> tuple[str, frozenset[int]]:
        """The node that answered, and every row it shows."""
        shown: frozenset[int] = await self._ask(self._show)
        return self._node.name, shown

    async def write(self, row: int) -> str:
        """Write a row in the transaction under way; returns the node's name."""
        await self._ask(self._nothing)
        if self._rows is None:
            raise RuntimeError("no transaction")
        self._rows.append(row)
        return self._node.name

    def transaction(self) -> Connection:
        return self

    async def start(self) -> None:
        await self._ask(self._nothing)
        self._rows = []

    async def rollback(self) -> None:
        await self._ask(self._nothing)
        self._rows = None

    async def commit(self) -> None:
        rows = self._rows or []
        try:
            await self._ask(lambda: self._write(rows))
        except asyncio.CancelledError:
            self._cancelled(rows)
            raise
        self._rows = None

    def _cancelled(self, rows: list[int]) -> None:
        """Like PostgreSQL: who cancels a commit that waits for the secondary makes it visible on the primary."""
        self._node.visible.update(row for row in rows if row in self._node.log)

    async def _ask(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """There, the work, and back. Raises ConnectionResetError when the connection is shut meanwhile."""
        if self._broken.done():
            raise ConnectionResetError
        answer = self._world.spawn(self._there_and_back(work))
        await asyncio.wait((answer, self._broken), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ConnectionResetError

    async def _there_and_back(self, work: Callable[[], Awaitable[Any]]) -> Any:
        await self._world.travel()
        if not self._node.up:
            await asyncio.Event().wait()
        answer = await work()
        await self._world.travel()
        return answer

    async def _nothing(self) -> None:
        """A statement that changes nothing."""

    async def _look_at_the_main_process(self) -> None:
        """A session whose main process is gone ends instead of answering."""
        if self._node.dying:
            self.shut()

    async def _show(self) -> frozenset[int]:
        return frozenset(self._node.visible - {LEASE_ROW})

    async def _about_itself(self) -> dict[str, Any]:
        node = self._node
        return {
            "system_identifier": IDENTIFIER, "timeline": node.timeline, "writable": node.writable, "has_schema": True,
            "pool": "demo", "epoch": node.epoch, "active": node.active, "state": "ACTIVE",
        }

    async def _renew(self, server: str, epoch: int) -> bool:
        if not self._node.writable or self._node.epoch != epoch:
            return False
        await self._world.commit(self._node, [LEASE_ROW])
        self._node.renewed[server] = self._world.now
        return True

    async def _renewed(self, server: str) -> float | None:
        return self._node.renewed.get(server)

    async def _write(self, rows: list[int]) -> None:
        if not self._node.writable:
            raise asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction")
        await self._world.commit(self._node, rows)

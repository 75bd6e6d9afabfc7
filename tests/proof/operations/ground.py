"""The ground that a run stands on: the pair, its replication, the network, the ledger's place, and chance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import asyncpg

from tests.proof.operations.lives import LIFE
from tests.proof.operations.postgres import CONNINFO, Entry, Node, Sender, Tables
from tests.proof.operations.sessions import Session
from tests.proof.parties import DRIFT
from tests.proof.virtual import PROCESS
from tests.proof.world import IDENTIFIER, World
from tuiha.drivers.protocols import Conflict, DriverError
from tuiha.model.reports import LedgerRecord, Standby


class MemoryLedger:
    """The ledger's record in memory, with the compare-and-set of the real ones; it may be out of reach for a moment."""

    capabilities: frozenset[str] = frozenset({"poll", "replace"})

    def __init__(self, ground: Ground, record: LedgerRecord) -> None:
        self._ground = ground
        self.record = record
        self.compares = True  # a negative control takes that out

    async def poll(self) -> LedgerRecord:
        """The record. Raises DriverError."""
        await self._ground.travel()
        self._ground.may_lose("the ledger does not answer")
        return self.record

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """There is one already."""
        raise Conflict("there is a record")

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Write it, if nobody else has meanwhile. Raises Conflict, and DriverError, then it may be written or not."""
        written: LedgerRecord = await self._ground.sent(lambda: self._replace(old, new))
        return written

    async def _replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        self._ground.may_lose("the ledger does not answer")
        if self.compares and old.revision != self.record.revision:
            raise Conflict("somebody else was first")
        self.record = replace(new, revision=self.record.revision + 1)
        self._ground.on_ledger()
        self._ground.change()
        self._ground.may_lose("the ledger's answer is lost")
        return self.record

    async def close(self) -> None:
        """Nothing is open."""


class Ground(World):
    """Both databases as PostgreSQL has them."""

    def __init__(self, seed: int, *, protected: bool = True, troubled: bool = True) -> None:
        super().__init__(seed)
        self.troubled = troubled and self.chance.random() < 0.7  # whether messages are lost in this run at all
        self.pair = {name: Node(name, self) for name in ("db1", "db2")}
        self.nodes = self.pair  # type: ignore[assignment] # servers know them by name only
        self.coordinators_speed = self.chance.uniform(1 - DRIFT, 1 + DRIFT)
        self.newest = "db1"  # who was promoted last
        self.promotions = 0
        self.cut: set[tuple[str, str]] = set()  # (process, database) that do not reach each other
        self.deaf: set[str] = set()  # servers whose control interface nobody reaches
        self.on_promotion: Callable[[Node], None] = lambda node: None
        self.on_ledger: Callable[[], None] = lambda: None
        self.on_lease: Callable[[Node], None] = lambda node: None
        self.trouble_with_agents: set[str] = set()  # databases whose agents cannot be reached
        standby = Standby.SYNC if protected else Standby.STALE
        self.memory = MemoryLedger(self, LedgerRecord("demo", 1, "db1", standby, IDENTIFIER, 1))
        self.ledger = self.memory  # type: ignore[assignment]
        self._found(protected)

    def _found(self, protected: bool) -> None:
        first, second = self.pair["db1"], self.pair["db2"]
        first.log = [Entry(epoch=(1, "db1", "ACTIVE"))]
        second.log = list(first.log)
        second.signal, second.follows, first.follows = True, "db1", "db2"
        first.slots.add("db2")
        if protected:
            first.file["synchronous_standby_names"] = "FIRST 1 (db2)"
        for node in (first, second):
            if self.chance.random() < 0.5 and node is second:
                node.file["synchronous_standby_names"] = "FIRST 1 (db1)"
            node.read = dict(node.file)
            node._begin()

    # Who may do what

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Of the world, not of the process that caused it."""
        context = copy_context()
        context.run(LIFE.set, None)
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def pause(self, least: float, most: float) -> None:
        """Some time."""
        await asyncio.sleep(self.chance.uniform(least, most))

    def loses(self, part: float = 0.01) -> bool:
        """Whether this message is lost."""
        return self.troubled and not self.calm and self.chance.random() < part

    def may_lose(self, text: str) -> None:
        """Raises DriverError now and then."""
        if self.loses(0.004):
            raise DriverError(text)

    async def sent(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """A request whose sender may die: once it is sent, it is done or not, and nobody can take it back."""
        await self.travel()
        task = self.spawn(self._done(work, LIFE.get()))
        return await asyncio.shield(task)

    async def _done(self, work: Callable[[], Coroutine[Any, Any, Any]], life: Any) -> Any:
        await self.pause(0.0002, 0.004)
        if life is not None and life.dead and self.chance.random() < 0.5:
            await asyncio.Event().wait()  # it never left the dead process
        answer = await work()
        await self.pause(0.0002, 0.004)
        return answer

    async def travel(self) -> None:
        """A message's way: mostly milliseconds; in troubled runs now and then seconds."""
        slow = self.loses(0.006)
        await self.pause(*((0.3, 3.0) if slow else (0.0003, 0.004)))
        await self.awake()

    def reaches(self, node: Node) -> bool:
        """Whether this process and a database hear each other."""
        process = PROCESS.get(None)
        return process is None or (process.name, node.name) not in self.cut

    async def connect(self, **settings: Any) -> Session:
        """Stands in for `asyncpg.connect`; the host is the node's name."""
        async with asyncio.timeout(settings["timeout"]):
            await self.travel()
            node = self.pair[settings["host"]]
            if not self.reaches(node) or self.loses(0.005):
                await asyncio.Event().wait()
            if not node.up:
                raise ConnectionRefusedError
            if node.stopping:
                raise asyncpg.CannotConnectNowError("the database system is shutting down")
            await self.travel()
            if not node.up or node.stopping:
                raise ConnectionResetError
            return Session(self, node, settings["user"], settings["server_settings"])

    # Replication

    async def replicate(self) -> None:
        """Both, each when it is a secondary."""
        await asyncio.gather(*(self._follow(node) for node in self.pair.values()))

    async def _follow(self, node: Node) -> None:
        while True:
            await self.until(lambda: self._wants(node))
            await self.pause(0.005, 0.05)
            source = self.pair[node.follows or ""]
            if self._wants(node) and self._can(node, source):
                await self._stream(node, source)
            else:
                await self.pause(0.05, 0.3)

    def _wants(self, node: Node) -> bool:
        return node.up and node.recovering and not node.stopping and bool(node.setting(CONNINFO))

    def _can(self, node: Node, source: Node) -> bool:
        return (source.up and not source.recovering and not source.stopping and self.link and node.name in source.slots
                and source.log[:len(node.log)] == node.log)

    async def _stream(self, node: Node, source: Node) -> None:
        ours, theirs = node.generation, source.generation
        sender = Sender(node.name)
        node.receiver, source.senders[node.name] = sender, sender
        node.timeline = source.timeline
        self._report(node, sender)
        self.change()

        def on() -> bool:
            return (node.generation is ours and source.generation is theirs and self.link and node.recovering
                    and bool(node.setting(CONNINFO)))

        while on():
            await self.until(lambda: not on() or len(node.log) < len(source.log))
            await self.pause(0.0003, 0.01)
            if not on():
                break
            ahead = len(source.log) - len(node.log)
            some = source.log[len(node.log):len(node.log) + self.chance.randint(1, max(1, min(ahead, 6)))]
            node.log.extend(some)
            self.spawn(self._reported(node, sender, on))
            self.spawn(self._replays(node, len(node.log)))
        if node.receiver is sender:
            await self.pause(0.0, 0.02)
            node.receiver = None
        if source.senders.get(node.name) is sender:
            del source.senders[node.name]
        self.change()

    async def _reported(self, node: Node, sender: Sender, on: Callable[[], bool]) -> None:
        await self.pause(0.0003, 0.005)
        if on():
            self._report(node, sender)

    def _report(self, node: Node, sender: Sender) -> None:
        sender.flushed = max(sender.flushed, len(node.log))
        source = self.pair[node.follows or ""]
        sender.caught_up = sender.caught_up or sender.flushed >= len(source.log)
        self.change()

    async def _replays(self, node: Node, position: int) -> None:
        generation = node.generation
        await self.pause(0.0, 0.02 if self.chance.random() < 0.95 else 0.3)
        if node.generation is generation and node.recovering and position > node.replayed:
            for entry in node.log[node.replayed:position]:
                node.tables.apply(entry)
            node.replayed = position
            self.change()

    # What happens to databases

    def promoted(self, node: Node) -> None:
        """It takes writes from now on."""
        self.coordinators_speed = self.chance.uniform(1 - DRIFT, 1 + DRIFT)
        self.newest = node.name
        self.promotions += 1
        self.on_promotion(node)

    def crash(self, node: Node) -> None:
        """kill -9; it may come back by itself."""
        if node.up:
            node.end(clean=False)

    async def keep_alive(self, node: Node) -> None:
        """Whoever starts databases on a host does so after a while, unless the agent's fence forbids it."""
        while True:
            await self.until(lambda: not node.up and node.starts_itself)
            await self.pause(*((0.1, 0.5) if self.calm else self.chance.choice(((0.3, 3.0), (5.0, 20.0)))))
            if node.starts_itself:
                await node.start()

    def truth(self) -> Tables:
        """What the database that was promoted last will have made of everything it has."""
        return Tables.of(self.pair[self.newest].log)

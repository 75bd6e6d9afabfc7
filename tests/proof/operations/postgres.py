"""A pretended PostgreSQL, either one of the pair. NOT a database: a list of numbered records and what follows from it.

What it pretends was measured on PostgreSQL: a commit is confirmed and visible once the synchronous secondary has
flushed it; one that nobody confirms waits for ever and keeps its locks; a restart shows the rows of waiting commits; a
changed synchronous_standby_names reaches those who commit a moment after it can be read; a fast stop sends everything
to whoever follows; a copy (pg_rewind, base backup) brings the source's settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from tests.proof.operations.ground import Ground

NAMES, CONNINFO = "synchronous_standby_names", "primary_conninfo"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One record of the log."""

    rows: tuple[int, ...] = ()  # of devices
    lease: tuple[str, int, float] | None = None  # server, epoch, moment
    epoch: tuple[int, str, str] | None = None  # the one row of pool_epoch
    canary: int | None = None  # the epoch that it was written in


@dataclass(slots=True)
class Tables:
    """What entries have made."""

    rows: set[int] = field(default_factory=set)
    leases: dict[str, tuple[int, float]] = field(default_factory=dict)
    epoch: tuple[int, str, str] = (0, "", "")
    canaries: list[int] = field(default_factory=list)

    def apply(self, entry: Entry) -> None:
        """One more."""
        self.rows.update(entry.rows)
        if entry.lease is not None:
            server, epoch, moment = entry.lease
            self.leases[server] = (epoch, moment)
        if entry.epoch is not None:
            self.epoch = entry.epoch
        if entry.canary is not None:
            self.canaries.append(entry.canary)

    @classmethod
    def of(cls, log: Iterable[Entry]) -> Tables:
        """All of a log."""
        tables = cls()
        for entry in log:
            tables.apply(entry)
        return tables


@dataclass(slots=True)
class Sender:
    """A primary's connection to the one that follows."""

    name: str
    flushed: int = 0  # as reported
    caught_up: bool = False


class Node:
    """One of the pair."""

    def __init__(self, name: str, ground: Ground) -> None:
        self.name, self._ground = name, ground
        self.log: list[Entry] = []
        self.timeline = 1
        self.up = True
        self.clean = True  # how it ended last
        self.signal = False  # standby.signal: it starts as a secondary
        self.follows: str | None = None  # in the settings that the agent wrote
        self.starts_itself = True
        self.file: dict[str, str] = {}  # postgresql.auto.conf
        self.read: dict[str, str] = {}  # what was read of it
        self.connections: list[Any] = []
        self.slots: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        """What ends with the processes."""
        self.generation = object()
        self.recovering, self.stopping = self.signal, False
        self.receiver: Sender | None = None
        self.senders: dict[str, Sender] = {}
        self.replayed = len(self.log)
        self.tables = Tables.of(self.log)
        self.readers, self.writer = 0, False  # locks on the epoch's row
        self.waits_for = self.file.get(NAMES, "")  # what those who commit go by
        self.ranks_by = self.waits_for  # what pg_stat_replication goes by

    @property
    def writable(self) -> bool:
        """Whether it takes writes."""
        return self.up and not self.recovering

    # Starting and ending

    async def start(self) -> None:
        """As what it was: a secondary with its signal, else as a primary, with all that was ever written visible."""
        if self.up:
            return
        await self._ground.pause(0.02, 0.15)
        if self.up:
            return
        self.read = dict(self.file)
        self._begin()
        self.up = True
        if not self.recovering:
            self.log.append(Entry())  # its first checkpoint
            self.replayed = len(self.log)
        self._ground.change()

    def end(self, *, clean: bool) -> None:
        """Its processes are gone."""
        self.up, self.clean, self.generation = False, clean, object()
        self.receiver, self.senders = None, {}
        for connection in list(self.connections):
            connection.shut()
        self._ground.change()

    async def stop(self) -> None:
        """A fast stop: sessions end, the last checkpoint is written, and whoever follows gets all of it."""
        if not self.up:
            return
        generation = self.generation
        self.stopping = True
        for connection in list(self.connections):
            connection.end()
        if not self.recovering:
            self.log.append(Entry())
            position = len(self.log)
            self._ground.change()
            await self._ground.until(lambda: self.generation is not generation
                                     or all(sender.flushed >= position for sender in self.senders.values()))
        if self.generation is generation:
            self.end(clean=True)

    async def promote(self) -> None:
        """Leave recovery once all that was received is replayed."""
        generation = self.generation
        await self._ground.pause(0.005, 0.06)
        if self.generation is not generation or not self.recovering:
            return
        self.recovering = self.signal = False
        self.receiver = None
        self.timeline += 1
        self.log.append(Entry())
        self.tables, self.replayed = Tables.of(self.log), len(self.log)
        self._ground.promoted(self)
        self._ground.change()

    def copy(self, source: Node) -> None:
        """pg_rewind or a base backup: log, timeline and settings of the source."""
        self.log, self.timeline, self.file = list(source.log), source.timeline, dict(source.file)
        self.signal, self.clean = False, True

    # Committing

    async def commit(self, connection: Any, entry: Entry) -> None:
        """Write; returns when it is confirmed. Raises ConnectionResetError when the session is ended before."""
        if self.recovering:
            raise asyncpg.ReadOnlySQLTransactionError("cannot execute in a read-only transaction")
        self.log.append(entry)
        self.replayed = position = len(self.log)
        self._ground.change()
        generation = self.generation
        await self._ground.until(
            lambda: self.generation is not generation or connection.ended or self._confirmed(position))
        if self.generation is not generation:
            raise ConnectionResetError
        self.tables.apply(entry)  # also when the session was ended: the commit is there, only nobody is told
        if connection.ended and not self._confirmed(position):
            raise ConnectionResetError

    def _confirmed(self, position: int) -> bool:
        if not self.waits_for:
            return True
        return any(sender.flushed >= position for name, sender in self.senders.items() if self.named(name))

    def named(self, name: str) -> bool:
        """Whether commits wait for that one."""
        return name in self.waits_for.replace("(", " ").replace(")", " ").split()

    async def renew(self, connection: Any, server: str, epoch: int) -> bool:
        """A lease's renewal: FOR SHARE on the epoch's row, which is kept until the commit is confirmed."""
        generation = self.generation
        await self._ground.until(lambda: not self.writer or self.generation is not generation)
        if self.generation is not generation or self.recovering or connection.ended:
            raise ConnectionResetError
        if (self.tables.epoch[0], self.tables.epoch[2]) != (epoch, "ACTIVE"):
            return False
        self.readers += 1
        try:
            await self.commit(connection, Entry(lease=(server, epoch, self._ground.now)))
        finally:
            if self.generation is generation:
                self.readers -= 1
                self._ground.change()
        return True

    async def update_epoch(self, connection: Any, old: tuple[int, str | None, str | None], entry: Entry) -> bool:
        """UPDATE pool_epoch, where the row is `old` (None: whatever); waits for all who hold the row."""
        if self.recovering:
            raise asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction")
        generation = self.generation
        await self._ground.until(
            lambda: self.generation is not generation or not (self.writer or self.readers) or connection.ended)
        if self.generation is not generation or connection.ended:
            raise ConnectionResetError
        if any(wanted not in (None, found) for wanted, found in zip(old, self.tables.epoch, strict=True)):
            return False
        self.writer = True
        try:
            await self.commit(connection, entry)
        finally:
            if self.generation is generation:
                self.writer = False
                self._ground.change()
        return True

    # Settings

    def setting(self, name: str) -> str:
        """What a session reads."""
        if name == CONNINFO:
            return self.read.get(CONNINFO, f"host={self.follows}" if self.follows else "")
        return self.read.get(name, "")

    async def reload(self) -> None:
        """Sessions read a changed file at once; who commits and who sends, a moment later, each at its own time."""
        self.read = dict(self.file)
        self._ground.spawn(self._ranks())
        self._ground.spawn(self._reaches())
        self._ground.change()

    async def _ranks(self) -> None:
        await self._ground.pause(0.001, 0.02)
        self.ranks_by = self.read.get(NAMES, "")

    async def _reaches(self) -> None:
        await self._ground.pause(0.001, 0.2)
        self.arrived()

    def arrived(self) -> None:
        """The checkpointer has read the file, and with it everybody who commits."""
        self.waits_for = self.read.get(NAMES, "")
        self._ground.change()

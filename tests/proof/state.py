"""What the model remembers: one state of the whole pool, small and hashable.

Sets of rows are numbers, one bit a row. Times are ticks and relative (what is left of a lease, how old a renewal is),
so a state does not tell how long the pool has run: a search that ends has seen every run, however long.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

TERM = 2  # ticks that a lease lasts
DRIFT = 1  # ticks by which the slower server's clock may be late at the end of a lease
ROWS_OF_ONE = 2  # rows that one server may write in a run


class Ledger(IntEnum):
    """The ledger's record: which database is active and whether the other one may be promoted."""

    SYNC = 0  # db1 is active, db2 has every acknowledged row
    STALE = 1  # db1 is active alone
    CHANGED = 2  # epoch 2: db2 is active, alone
    WHOLE = 3  # epoch 2: db2 is active, and db1 follows it


class Failover(IntEnum):
    """How far the coordinator has come."""

    NOT_BEGUN = 0
    INTENT = 1  # the ledger carries the intent
    CUT = 2  # db2 receives nothing any more: t0
    PROMOTED = 3
    RECORDED = 4  # the ledger names db2


class Degrade(IntEnum):
    """How far somebody who wants db1 to go on without db2 has come."""

    NOT_BEGUN = 0
    BEGUN = 1
    DONE = 2  # db1 confirms without db2


class Protect(IntEnum):
    """How far somebody who wants db1's commits to wait for db2 again has come."""

    NOT_BEGUN = 0
    INTENT = 1
    SET = 2  # commits wait for db2 again


class Rejoin(IntEnum):
    """How far somebody who brings db1 back as the secondary has come."""

    NOT_BEGUN = 0
    INTENT = 1  # db1 is stopped
    DONE = 2


class Order(IntEnum):
    """What the guard has decided to start."""

    NONE = 0
    FAILOVER = 1
    DEGRADE = 2
    PROTECT = 3
    REJOIN = 4


class Link(IntEnum):
    """The replication link from db1 to db2. It may break once, and may heal."""

    WHOLE = 0
    BROKEN = 1
    HEALED = 2


class Stage(IntEnum):
    """Where a request to the database is."""

    SENT = 0  # the gate has let it through; the database has not seen it
    EXECUTED = 1  # a write: its commit waits for the secondary
    ANSWERED = 2  # the answer is back at the server, not yet released
    PROVED = 3  # and the database has shown that it lived when it gave the answer


class Renewal(NamedTuple):
    """A renewal of the lease on its way."""

    age: int  # ticks since it was sent
    confirmed: bool  # whether the database has committed it


class Request(NamedTuple):
    """One request of a device, as its server sees it."""

    writes: bool
    stage: Stage
    rows: int  # the row it writes, or the rows it has read
    needs: int  # what a read must show: everything acknowledged when it began
    late: bool  # whether db1 executed it when db2 had already been promoted


class Server(NamedTuple):
    """A pool server."""

    moved: bool  # attached to db2 in epoch 2, else to db1 in epoch 1
    lease: int  # ticks left, by its own clock
    renewal: Renewal | None
    gave_up: bool  # the coordinator asked it to let go, and it did
    request: Request | None
    writes: int  # requests that it has not yet made
    reads: int


class State(NamedTuple):
    """The pool."""

    ledger: Ledger
    failover: Failover
    since_cut: int  # ticks, counted as far as the coordinator waits
    degrade: Degrade
    link: Link
    dying: bool  # db1's main process is dead: commits give up their wait, sessions still read and answer
    log: tuple[int, ...]  # rows that db1 has written, in order
    received: int  # how many of them db2 has
    visible: int  # rows that readers of db1 see
    secondary: int  # rows of db2 once it is promoted
    acknowledged: int  # rows that devices have been told are safe
    seen: int  # rows of db1 that devices have been shown
    late: bool  # something executed on db1 after the promotion has been released
    stale: bool  # a read that lacks an acknowledged row has been released
    servers: tuple[Server, ...]
    hole: bool = False  # somebody's setting lets db1 confirm commits that db2 does not have
    doubted: bool = False  # and db2 has a server's word for it
    protect: Protect = Protect.NOT_BEGUN
    rejoin: Rejoin = Rejoin.NOT_BEGUN
    order: Order = Order.NONE  # the guard read the ledger and decided, and has not started it yet
    fresh: bool = False  # the ledger is still as the guard read it


class Workload(NamedTuple):
    """What the two servers are asked to do, and how late each one's clock is at the end of a lease."""

    writes: tuple[int, int]
    reads: tuple[int, int]
    drift: tuple[int, int] = (0, DRIFT)


def first(workload: Workload) -> State:
    """Both servers are attached to db1 with a fresh lease; nothing has been written."""
    servers = tuple(
        Server(False, TERM + drift, None, False, None, writes, reads)
        for writes, reads, drift in zip(workload.writes, workload.reads, workload.drift, strict=True)
    )
    return State(
        ledger=Ledger.SYNC, failover=Failover.NOT_BEGUN, since_cut=0, degrade=Degrade.NOT_BEGUN, link=Link.WHOLE,
        dying=False, log=(), received=0, visible=0, secondary=0, acknowledged=0, seen=0, late=False, stale=False,
        servers=servers,
    )


def rows_of(index: int) -> int:
    """All rows that this server may write."""
    return ((1 << ROWS_OF_ONE) - 1) << (index * ROWS_OF_ONE)


def union(rows: tuple[int, ...]) -> int:
    """Rows of a log as a set."""
    together = 0
    for row in rows:
        together |= row
    return together

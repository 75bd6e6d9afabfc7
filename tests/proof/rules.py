"""The protocol, one small function a step.

Each takes the protocol in force and a state, and gives the state after the step, or None when the step cannot happen
now. Nothing ever has to happen: every step may be delayed for as long as one likes, which is what slow networks,
stopped processes and a killed coordinator are. The first line of a docstring is what a trace prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.proof.state import (
    DRIFT,
    ROWS_OF_ONE,
    TERM,
    Degrade,
    Failover,
    Ledger,
    Link,
    Order,
    Protect,
    Rejoin,
    Renewal,
    Request,
    Server,
    Stage,
    State,
    Workload,
    rows_of,
    union,
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """The rules in force. Each can be left out, to show that it is needed."""

    workload: Workload
    renews_below: int = TERM // 2  # ticks of the lease that are left when a server may renew it
    waits: bool = True  # the coordinator waits for the leases' end before it promotes
    slack: int = DRIFT  # ticks it waits beyond a lease's term
    looks_again: bool = True  # the gate looks after the answer too
    from_sending: bool = True  # a lease counts from before its renewal was sent
    synchronous: bool = True  # db1 confirms only what db2 has
    by_ledger: bool = True  # a degrade begins with the ledger's compare-and-set
    never_cancels: bool = True  # nobody cancels a commit that waits for db2
    proves: bool = True  # before release the database must show that it lived when it answered
    forgets: bool = True  # who gives its lease up forgets the renewal that is on its way
    holes: bool = False  # somebody changes what commits of db1 wait for
    asks: bool = True  # a renewal counts only while commits wait for db2, or db2 knows that they do not
    promotes_first: bool = False  # as Patroni does: db2 is promoted at once, and its epoch begins after the wait
    guarded: bool = False  # a guard starts anything that the ledger allows, at any time, with or without evidence
    compares: bool = True  # the guard starts by compare-and-set: not when the ledger changed since it decided
    sync_only: bool = True  # no failover while the ledger says STALE
    catches_up: bool = True  # protect ends when db2 has every row

    def longest(self, index: int) -> int:
        """Ticks from sending a renewal until this server's own clock sees that lease end."""
        return TERM + self.workload.drift[index]

    @property
    def wait(self) -> int:
        """Ticks from the cut to the promotion, when not every server has given its lease up."""
        return TERM + self.slack

    def waiting(self, state: State) -> bool:
        """Whether leases on db1 are waited for: from the cut on, until the promotion or until the epoch begins."""
        return state.failover is Failover.CUT or (self.promotes_first and state.failover is Failover.PROMOTED)

    def nobody_is_left(self, state: State) -> bool:
        """Whether no server can have a lease on db1: all gave it up, or it has ended. True if nobody asks."""
        ended = state.since_cut >= self.wait or all(server.gave_up for server in state.servers)
        return ended or not self.waits

    def over(self, state: State) -> bool:
        """Whether db2 may be in use, so that an answer of db1 comes late."""
        return state.failover >= (Failover.RECORDED if self.promotes_first else Failover.PROMOTED)


PoolRule = Callable[[Protocol, State], State | None]
ServerRule = Callable[[Protocol, State, int, Server], State | None]


def put(state: State, index: int, server: Server) -> tuple[Server, ...]:
    """The servers, with this one replaced."""
    return (server, state.servers[1]) if index == 0 else (state.servers[0], server)


# The world: time, the link, replication


def time_passes(protocol: Protocol, state: State) -> State | None:
    """a tick passes"""
    servers = tuple(_older(protocol, index, server) for index, server in enumerate(state.servers))
    since = state.since_cut
    if protocol.waiting(state) and since < protocol.wait:
        since += 1
    if since == state.since_cut and servers == state.servers:
        return None
    return state._replace(since_cut=since, servers=servers)


def _older(protocol: Protocol, index: int, server: Server) -> Server:
    lease, renewal = server.lease, server.renewal
    if renewal is not None and renewal.age < protocol.longest(index):
        return server._replace(lease=max(0, lease - 1), renewal=Renewal(renewal.age + 1, renewal.confirmed))
    return server._replace(lease=lease - 1) if lease else server


def link_breaks(_protocol: Protocol, state: State) -> State | None:
    """the link from db1 to db2 breaks"""
    return state._replace(link=Link.BROKEN) if state.link is Link.WHOLE else None


def link_heals(_protocol: Protocol, state: State) -> State | None:
    """the link from db1 to db2 heals"""
    return state._replace(link=Link.HEALED) if state.link is Link.BROKEN else None


def primary_dies(_protocol: Protocol, state: State) -> State | None:
    """db1's main process is killed: all that waits becomes visible"""
    shown = union(state.log)
    if shown == state.visible:
        return None  # nothing waits: the same as a database to which nothing happens any more
    return state._replace(dying=True, visible=shown)


def streaming(state: State) -> bool:
    """Whether db2 receives what db1 writes."""
    return state.link is not Link.BROKEN and state.failover < Failover.CUT


def row_arrives(_protocol: Protocol, state: State) -> State | None:
    """db2 receives and flushes the next row"""
    if state.received < len(state.log) and streaming(state):
        return state._replace(received=state.received + 1)
    return None


def hole_opens(protocol: Protocol, state: State) -> State | None:
    """somebody has db1 confirm commits without db2"""
    return state._replace(hole=True) if protocol.holes and not state.hole else None


def confirms_alone(protocol: Protocol, state: State) -> bool:
    """Whether db1 confirms commits without db2."""
    return not protocol.synchronous or state.hole or state.degrade is Degrade.DONE


def works(state: State) -> bool:
    """Whether db1's main process runs as a primary's."""
    return not state.dying and not stopped(state)


def stopped(state: State) -> bool:
    """Whether db1 was stopped, to follow db2: it executes nothing for the pool."""
    return state.rejoin is not Rejoin.NOT_BEGUN


# A pool server: its lease


def renewal_is_sent(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """sends a renewal of its lease"""
    # Also after it gave its lease up: a server that starts again does not know that it did.
    if server.renewal is not None or server.lease > protocol.renews_below:
        return None
    return state._replace(servers=put(state, index, server._replace(renewal=Renewal(0, False))))


def renewal_is_confirmed(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """'s renewal is committed"""
    renewal = server.renewal
    if renewal is None or renewal.confirmed:
        return None
    if server.moved or (works(state) and (confirms_alone(protocol, state) or streaming(state))):
        return state._replace(servers=put(state, index, server._replace(renewal=Renewal(renewal.age, True))))
    return None


def renewal_is_lost(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """'s renewal, or the answer to it, is lost"""
    if server.renewal is None:
        return None
    return state._replace(servers=put(state, index, server._replace(renewal=None)))


def renewal_is_answered(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """gets the answer to its renewal and has a lease"""
    renewal = server.renewal
    if renewal is None or not renewal.confirmed:
        return None
    doubted = state.doubted
    if state.hole and protocol.asks and not server.moved and state.degrade is not Degrade.DONE:
        doubted = doubted or streaming(state)  # the server's word arrives at db2, or the renewal does not count
        if not doubted:
            return None
    age = renewal.age if protocol.from_sending else 0
    lease = max(server.lease, protocol.longest(index) - age)
    servers = put(state, index, server._replace(lease=lease, renewal=None))
    return state._replace(servers=servers, doubted=doubted)


def lease_is_given_up(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """is asked by the coordinator to let go of db1, and does"""
    if not protocol.waiting(state) or server.gave_up:
        return None
    kept = None if protocol.forgets else server.renewal
    return state._replace(servers=put(state, index, server._replace(lease=0, renewal=kept, gave_up=True)))


def server_moves(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """reads the ledger and attaches to db2"""
    if state.ledger < Ledger.CHANGED or server.moved:
        return None
    moved = server._replace(moved=True, lease=0, renewal=None, gave_up=False, request=None)
    return state._replace(servers=put(state, index, moved))


# A pool server: requests


def write_begins(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """has a lease and sends a write"""
    if server.request is not None or not server.writes or not server.lease:
        return None
    row = 1 << (index * ROWS_OF_ONE + server.writes - 1)
    request = Request(True, Stage.SENT, row, 0, False)
    return state._replace(servers=put(state, index, server._replace(request=request, writes=server.writes - 1)))


def read_begins(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """has a lease and sends a read"""
    if server.request is not None or not server.reads or not server.lease:
        return None
    request = Request(False, Stage.SENT, 0, state.acknowledged, False)
    return state._replace(servers=put(state, index, server._replace(request=request, reads=server.reads - 1)))


def statement_executes(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """'s statement is executed by the database"""
    request = server.request
    if request is None or request.stage is not Stage.SENT or (stopped(state) and not server.moved):
        return None
    late = not server.moved and protocol.over(state)
    if not request.writes:
        rows = state.secondary if server.moved else state.visible
        done = request._replace(stage=Stage.ANSWERED, rows=rows, late=late)
        return state._replace(servers=put(state, index, server._replace(request=done)))
    if server.moved:
        done = request._replace(stage=Stage.ANSWERED)
        servers = put(state, index, server._replace(request=done))
        return state._replace(servers=servers, secondary=state.secondary | request.rows)
    done = request._replace(stage=Stage.EXECUTED, late=late)
    servers = put(state, index, server._replace(request=done))
    return state._replace(servers=servers, log=(*state.log, request.rows))


def commit_is_confirmed(protocol: Protocol, state: State, index: int, _server: Server) -> State | None:
    """'s row becomes visible on db1, its commit confirmed"""
    if not works(state):
        return None
    safe = union(state.log) if confirms_alone(protocol, state) else union(state.log[: state.received])
    more = safe & rows_of(index) & ~state.visible
    return state._replace(visible=state.visible | more) if more else None


def commit_is_answered(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """hears that its commit is done"""
    request = server.request
    if request is None or request.stage is not Stage.EXECUTED or not request.rows & state.visible or not works(state):
        return None
    answered = request._replace(stage=Stage.ANSWERED)
    return state._replace(servers=put(state, index, server._replace(request=answered)))


def connection_breaks(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """loses its connection (or the fence shuts it): outcome unknown"""
    if server.request is None or server.request.stage >= Stage.ANSWERED:
        return None
    return state._replace(servers=put(state, index, server._replace(request=None)))


def commit_is_cancelled(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """cancels its commit, which makes the row visible on db1 alone"""
    request = server.request
    if protocol.never_cancels or request is None or request.stage is not Stage.EXECUTED:
        return None
    servers = put(state, index, server._replace(request=None))
    return state._replace(servers=servers, visible=state.visible | request.rows)


def answer_is_proved(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """'s database shows that it lived when it answered"""
    request = server.request
    if not protocol.proves or request is None or request.writes or request.stage is not Stage.ANSWERED:
        return None
    if not works(state) and not server.moved:
        return None
    return state._replace(servers=put(state, index, server._replace(request=request._replace(stage=Stage.PROVED))))


def answer_is_released(protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """looks again, has its lease, and answers the device"""
    request = server.request
    if request is None or (protocol.looks_again and not server.lease):
        return None
    if request.stage is not (Stage.PROVED if protocol.proves and not request.writes else Stage.ANSWERED):
        return None  # a commit's answer is proof enough: it came from the secondary
    after = state._replace(
        servers=put(state, index, server._replace(request=None)), late=state.late or request.late
    )
    if request.writes:
        return after._replace(acknowledged=state.acknowledged | request.rows)
    shown = 0 if server.moved else request.rows
    return after._replace(seen=state.seen | shown, stale=state.stale or bool(request.needs & ~request.rows))


def answer_is_discarded(_protocol: Protocol, state: State, index: int, server: Server) -> State | None:
    """looks again, has no lease, and throws the answer away"""
    if server.request is None or server.request.stage < Stage.ANSWERED or server.lease:
        return None
    return state._replace(servers=put(state, index, server._replace(request=None)))


# The coordinator, and somebody who degrades


def written(state: State, **changes: object) -> State:
    """The state after something was written into the ledger: what the guard read there is outdated."""
    return state._replace(fresh=False, **changes)  # type: ignore[arg-type]


def failover_allowed(protocol: Protocol, state: State) -> bool:
    """Whether the ledger lets a failover begin: nothing is under way, and db2 has every acknowledged row."""
    return (state.failover is Failover.NOT_BEGUN and state.ledger is Ledger.SYNC) or (
        not protocol.sync_only and _alone(state))


def degrade_allowed(_protocol: Protocol, state: State) -> bool:
    """Whether the ledger lets a degrade begin."""
    return state.failover is Failover.NOT_BEGUN and state.ledger is Ledger.SYNC


def protect_allowed(_protocol: Protocol, state: State) -> bool:
    """Whether the ledger lets a protect begin: the active database is alone, and the other one follows it."""
    return _alone(state) or (state.ledger is Ledger.CHANGED and state.rejoin is Rejoin.DONE)


def rejoin_allowed(_protocol: Protocol, state: State) -> bool:
    """Whether the ledger lets db1 be brought back."""
    return state.ledger is Ledger.CHANGED and state.rejoin is Rejoin.NOT_BEGUN


def _alone(state: State) -> bool:
    """Whether db1 is active alone, and nothing is under way."""
    at_rest = state.failover is Failover.NOT_BEGUN and state.protect is Protect.NOT_BEGUN
    return at_rest and state.ledger is Ledger.STALE and state.degrade is not Degrade.BEGUN


def _protect(state: State) -> State:
    if state.ledger is Ledger.CHANGED:  # db1 follows already, and waiting for it is one step
        return written(state, ledger=Ledger.WHOLE)
    return written(state, protect=Protect.INTENT)


# What the ledger asks for, and the state after the intent was written.
OPERATIONS: Mapping[Order, tuple[Callable[[Protocol, State], bool], Callable[[State], State]]] = {
    Order.FAILOVER: (failover_allowed, lambda state: written(state, failover=Failover.INTENT)),
    Order.DEGRADE: (degrade_allowed, lambda state: written(state, degrade=Degrade.BEGUN, ledger=Ledger.STALE)),
    Order.PROTECT: (protect_allowed, _protect),
    Order.REJOIN: (rejoin_allowed, lambda state: written(state, rejoin=Rejoin.INTENT)),
}


def failover_begins(protocol: Protocol, state: State) -> State | None:
    """coordinator: writes its intent to failover into the ledger"""
    return written(state, failover=Failover.INTENT) if failover_allowed(protocol, state) else None


def secondary_stops_receiving(_protocol: Protocol, state: State) -> State | None:
    """coordinator: makes db2 stop receiving: t0"""
    return state._replace(failover=Failover.CUT) if state.failover is Failover.INTENT else None


def secondary_is_promoted(protocol: Protocol, state: State) -> State | None:
    """coordinator: promotes db2, which has replayed all it received"""
    if state.failover is not Failover.CUT or not (protocol.promotes_first or protocol.nobody_is_left(state)):
        return None
    if state.doubted:
        return None  # not without the typed loss, and a fence that is known to have worked
    rows = union(state.log[: state.received])
    since = state.since_cut if protocol.promotes_first else 0
    return state._replace(failover=Failover.PROMOTED, since_cut=since, secondary=rows)


def ledger_names_secondary(protocol: Protocol, state: State) -> State | None:
    """coordinator: records epoch 2 on db2 in the ledger"""
    if state.failover is not Failover.PROMOTED or (protocol.promotes_first and not protocol.nobody_is_left(state)):
        return None
    return written(state, failover=Failover.RECORDED, ledger=Ledger.CHANGED, since_cut=0)


def degrade_is_recorded(protocol: Protocol, state: State) -> State | None:
    """degrade: db2 is out of reach; the ledger turns from SYNC to STALE"""
    free = degrade_allowed(protocol, state) and state.degrade is Degrade.NOT_BEGUN
    if protocol.by_ledger and free and state.link is Link.BROKEN:
        return written(state, degrade=Degrade.BEGUN, ledger=Ledger.STALE)
    return None


def degrade_begins_unrecorded(protocol: Protocol, state: State) -> State | None:
    """degrade: db2 is out of reach; begins without asking the ledger"""
    if protocol.by_ledger or state.link is not Link.BROKEN or state.degrade is not Degrade.NOT_BEGUN:
        return None
    return state._replace(degrade=Degrade.BEGUN)


def degrade_ends(_protocol: Protocol, state: State) -> State | None:
    """degrade: db1 confirms commits without db2 from now on"""
    return written(state, degrade=Degrade.DONE) if state.degrade is Degrade.BEGUN else None


# The guard: it reads the ledger, decides, may sleep for as long as one likes, and starts


def _decides(order: Order) -> PoolRule:
    allowed, _ = OPERATIONS[order]

    def decides(protocol: Protocol, state: State) -> State | None:
        if not protocol.guarded or state.order is not Order.NONE or not allowed(protocol, state):
            return None
        return state._replace(order=order, fresh=True)

    decides.__doc__ = f"guard: reads the ledger, and decides on {order.name.lower()}"
    return decides


def guard_starts(protocol: Protocol, state: State) -> State | None:
    """guard: writes its intent into the ledger"""
    if state.order is Order.NONE or (protocol.compares and not state.fresh):
        return None
    _, begin = OPERATIONS[state.order]
    return begin(state)._replace(order=Order.NONE)


def guard_is_refused(_protocol: Protocol, state: State) -> State | None:
    """guard: finds the ledger changed, and begins nothing"""
    if state.order is Order.NONE or state.fresh:
        return None
    return state._replace(order=Order.NONE)


def protect_sets(_protocol: Protocol, state: State) -> State | None:
    """protect: db1's commits wait for db2 again"""
    if state.protect is not Protect.INTENT:
        return None
    return state._replace(protect=Protect.SET, degrade=Degrade.NOT_BEGUN)


def protect_ends(protocol: Protocol, state: State) -> State | None:
    """protect: db2 has every row; the ledger turns from STALE to SYNC"""
    if state.protect is not Protect.SET:
        return None
    if protocol.catches_up and not (streaming(state) and state.received == len(state.log)):
        return None
    return written(state, protect=Protect.NOT_BEGUN, ledger=Ledger.SYNC)


def rejoin_ends(_protocol: Protocol, state: State) -> State | None:
    """rejoin: db1 follows db2"""
    return written(state, rejoin=Rejoin.DONE) if state.rejoin is Rejoin.INTENT else None


POOL_RULES: tuple[PoolRule, ...] = (
    time_passes, hole_opens, link_breaks, link_heals, primary_dies, row_arrives, failover_begins,
    secondary_stops_receiving, secondary_is_promoted, ledger_names_secondary, degrade_is_recorded,
    degrade_begins_unrecorded, degrade_ends, *map(_decides, OPERATIONS),
    guard_starts, guard_is_refused, protect_sets, protect_ends, rejoin_ends,
)
SERVER_RULES: tuple[ServerRule, ...] = (
    renewal_is_sent, renewal_is_confirmed, renewal_is_lost, renewal_is_answered, lease_is_given_up, server_moves,
    write_begins, read_begins, statement_executes, commit_is_confirmed, commit_is_answered, connection_breaks,
    commit_is_cancelled, answer_is_proved, answer_is_released, answer_is_discarded,
)

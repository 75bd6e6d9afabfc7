"""What a guard says of itself, and what is kept of it: orders, signs, what holds an order back, pause and acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class GuardOrder(StrEnum):
    """An order that a guard may give. Each is an operation of the catalogue, by the same name."""

    FAILOVER = "failover"
    DEGRADE = "degrade"
    REJOIN = "rejoin"
    PROTECT = "protect"


class GuardSign(StrEnum):
    """A part of the evidence for an order."""

    STEADY = "steady"  # the ledger can be read, and no change of roles is half done
    FREE = "free"  # no operation has the pool, or the one that has it gives way
    WHOLE = "whole"  # nobody uses another database than the ledger's
    SYNC = "sync"  # by ledger and databases the secondary has every acknowledged write
    STALE = "stale"  # the pool works without its secondary
    PRIMARY_GONE = "primary-gone"  # the guard cannot use the primary
    PRIMARY_ANSWERS = "primary-answers"  # the primary answers the guard, and takes writes
    SERVERS_AGREE = "servers-agree"  # every server that answers has tried the primary, and cannot use it
    SERVERS_REACH = "servers-reach"  # most of the pool's servers reach the primary
    SERVERS_SERVE = "servers-serve"  # most of the pool's servers have a lease on the primary
    MAJORITY = "majority"  # most of the pool's servers answer
    NO_LEASE = "no-lease"  # no server that answers has a lease
    SECONDARY_READY = "secondary-ready"  # the secondary answers, and is in recovery
    NOTHING_RECEIVED = "nothing-received"  # the secondary has received nothing since the last look
    NO_FOLLOWER = "no-follower"  # no synchronous secondary follows the primary
    COMMITS_WAIT = "commits-wait"  # commits on the primary wait for the secondary
    PARTNER_BACK = "partner-back"  # the other database answers, and does not follow
    STREAMS = "streams"  # the secondary follows the primary again


class GuardHold(StrEnum):
    """What keeps an order back although all evidence is there."""

    PAUSED = "paused"  # an operator paused the guard
    ACKNOWLEDGE = "acknowledge"  # a guard failed over not long ago, and no operator has acknowledged it
    REFUSED = "refused"  # a check stopped the plan, or the operation was refused
    STANDBY = "standby"  # another guard is the active one
    STORE = "store"  # the guard's record cannot be read or written


@dataclass(frozen=True, slots=True)
class StandingOrders:
    """The orders that the configuration gives, with the seconds that their evidence has to last."""

    after: Mapping[GuardOrder, float] = field(default_factory=dict)
    again: float = 3600.0  # seconds after a guard's failover without a second one


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that holds an order back, with its figures."""

    hold: GuardHold
    names: tuple[str, ...] = ()  # of checks, or the guard that is active
    seconds: float | None = None  # until it ends by itself; None: it does not, or nobody knows
    said: str = ""  # why, as the one who said it put it


@dataclass(frozen=True, slots=True)
class GuardOutlook:
    """One order for which there is reason: its evidence, how long it still waits, what holds it back."""

    order: GuardOrder
    active: str  # the pool's primary
    partner: str  # the other database: the operation is about it
    signs: tuple[GuardSign, ...]  # that are there
    missing: tuple[GuardSign, ...] = ()
    wait: float | None = None  # seconds; None: something is missing
    held: tuple[Held, ...] = ()
    servers: tuple[str, ...] = ()  # that a missing sign is about
    flaps: int = 0  # how often a guard degraded the pool of late: it waits longer for each

    @property
    def due(self) -> bool:
        """Whether the order is to be given now."""
        return self.wait == 0.0 and not self.held


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What the active guard says of itself with each look."""

    name: str
    host: str
    since: float  # unix seconds: it has been the active one
    orders: tuple[GuardOrder, ...]
    outlook: tuple[GuardOutlook, ...] = ()
    starts: GuardOrder | None = None  # the order that it is about to give


@dataclass(frozen=True, slots=True)
class GuardPause:
    """An operator's word that no guard may act for a while."""

    until: float  # unix seconds
    at: float
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GuardAct:
    """An order that a guard gave. It is written down before the operation begins."""

    order: GuardOrder
    at: float  # unix seconds
    by: str  # the guard's name
    epoch: int  # of the ledger before it


@dataclass(frozen=True, slots=True)
class GuardNotes:
    """What all guards of a pool share, and operators change: it outlives every guard."""

    pause: GuardPause | None = None
    acts: tuple[GuardAct, ...] = ()  # newest last; only so many
    acknowledged: float | None = None  # unix seconds: an operator has seen all acts before
    acknowledged_by: str = ""

    def paused(self, now: float) -> GuardPause | None:
        """The pause that holds now."""
        return self.pause if self.pause is not None and now < self.pause.until else None


MOST_ACTS = 20


@dataclass(frozen=True, slots=True)
class GuardRecord:
    """All that is kept of a pool's guards: the notes, and the word of the one that is active."""

    notes: GuardNotes = GuardNotes()
    report: GuardReport | None = None  # None: no guard is active

    @property
    def coming(self) -> GuardOutlook | None:
        """The order that is given when its time is over; None when nothing is."""
        outlook = () if self.report is None else self.report.outlook
        return next((one for one in outlook if one.wait is not None and not one.held), None)

    @property
    def to_acknowledge(self) -> bool:
        """Whether an order is held back until an operator acknowledges what a guard did."""
        return self.report is not None and any(
            held.hold is GuardHold.ACKNOWLEDGE for outlook in self.report.outlook for held in outlook.held)

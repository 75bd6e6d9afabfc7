"""Which order a guard gives, and when: pure functions of what it sees. Safety never rests on them.

A guard starts an operator's operation, with every check of it. What can go wrong here is to act needlessly, to flap, or
not to act. So each order needs evidence, all of it, in every look for as long as the order says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tuiha.model.databases.active import doubted
from tuiha.model.databases.durability import IN_STEP, gaps, same_name
from tuiha.model.databases.replication import Replication
from tuiha.model.facts import Look, Polled
from tuiha.model.guard.report import (
    GuardAct,
    GuardHold,
    GuardNotes,
    GuardOrder,
    GuardOutlook,
    GuardSign,
    Held,
    StandingOrders,
)
from tuiha.model.operations.intent import Intent, judged, parse, silence, takes_from
from tuiha.model.problems.causes import Cause
from tuiha.model.quotes import slot
from tuiha.model.reports import (
    STEADY,
    DatabaseReport,
    DatabaseRole,
    EpochState,
    LedgerRecord,
    ReplicationRow,
    ServerReport,
    ServerState,
    Standby,
)

REFUSED_SHARE = 1 / 3  # of an order's time, when the port of the lost database refuses: its host is there
LEAST_GAP = 0.5  # seconds without a look that break no evidence
RENEWALS = 2.0  # a lease that was not renewed for so many renewals says that commits wait
FLAPPING = 3600.0  # seconds in which a guard's degrades are counted
_DOUBLINGS = 6  # of the time that a database has to be back, at most


@dataclass(frozen=True, slots=True)
class GuardSight:
    """What a guard sees of the pool in one look."""

    at: float  # seconds, by a clock that is never set
    now: float  # unix seconds
    ledger: LedgerRecord
    current: bool  # the ledger was read in this look
    partner: str
    intent: Intent | None  # the operation that has the pool, with its condition now
    doubted: bool  # a database says that the secondary may lack acknowledged writes
    astray: tuple[str, ...]  # servers that use another physical database than the ledger's
    servers: tuple[str, ...]  # of the pool
    answering: frozenset[str]
    leased: frozenset[str]  # servers with a lease on the active database
    tried: Mapping[str, bool]  # servers that tried the active database for the guard: whether they reached it
    renewed: bool  # one of them renewed its lease a moment ago: commits are acknowledged
    primary: DatabaseReport | None  # None: the newest poll failed
    primary_refuses: bool  # its port does
    secondary: DatabaseReport | None
    secondary_refuses: bool

    @property
    def active(self) -> str:
        """The database that the ledger names."""
        return self.ledger.active

    @property
    def sync(self) -> bool:
        """Whether the secondary has every acknowledged write, by ledger and databases."""
        return self.ledger.standby is Standby.SYNC and not self.doubted

    @property
    def writable(self) -> bool:
        """Whether the active database answers as the pool's primary."""
        row = None if self.primary is None else self.primary.epoch
        return self.primary is not None and self.primary.writable and row is not None \
            and (row.epoch, row.active, row.state) == (self.ledger.epoch, self.active, EpochState.ACTIVE)

    @property
    def received(self) -> int | None:
        """How far the secondary has received the log; None when it does not answer, or is none."""
        return self.secondary.position if self.secondary is not None and self.in_recovery else None

    @property
    def in_recovery(self) -> bool:
        """Whether the partner answers, and is a secondary."""
        return self.secondary is not None and self.secondary.role is DatabaseRole.SECONDARY

    @property
    def streams(self) -> bool:
        """Whether the active database sends its log to the partner."""
        return any(row.state == Replication.STREAMING for row in self._rows())

    @property
    def follows(self) -> bool:
        """Whether a synchronous secondary confirms commits. A stopped one is listed for a while, and confirms none."""
        listed = any(row.sync_state in IN_STEP for row in self._rows())
        return listed and (self.secondary is not None or self.renewed)

    def _rows(self) -> Iterator[ReplicationRow]:
        return (row for row in (self.primary.replication if self.primary is not None else ())
                if same_name(row.name, self.partner))

    @property
    def waits(self) -> bool:
        """Whether commits on the active database wait for the partner, and nobody confirms them."""
        if self.primary is None or self.follows:
            return False
        found = gaps(self.primary.waits_for, self.partner, slot(self.partner), None)
        return bool(self.primary.synchronous_names) and not any(gap.hole for gap in found)

    def most(self, servers: Collection[str]) -> bool:
        """Whether these are more than half of the pool's servers."""
        return 2 * len(servers) > len(self.servers)


@dataclass(frozen=True, slots=True)
class GuardMemory:
    """What a guard keeps from look to look."""

    at: float | None = None  # of the last look
    received: int | None = None  # how far the secondary had received the log then
    since: Mapping[GuardOrder, float] = field(default_factory=dict)  # since when all evidence is there


def sight_of(look: Look, at: float, own: Collection[str], tried: Mapping[str, bool], lease: float) -> GuardSight | None:
    """What a look shows. None without a ledger or without a pair: then no order can be given.

    `own`: servers that have leases. `tried`: what they found when they tried the active database for the guard.
    `lease`: its length in seconds.
    """
    record = look.ledger.report if look.ledger is not None else None
    partners = [one for one in look.databases if record is not None and one.name != record.active]
    primary = next((one for one in look.databases if record is not None and one.name == record.active), None)
    if look.ledger is None or record is None or primary is None or len(partners) != 1:
        return None
    secondary = partners[0]
    left = {row.name for one in look.databases if one.report is not None
            for row in one.report.members if row.state is ServerState.LEFT}
    servers = [one for one in look.servers if one.name in own and one.name not in left]
    reports = {one.name: one.report for one in servers if one.fresh and one.report is not None}
    return GuardSight(
        at=at,
        now=look.at,
        ledger=record,
        current=look.ledger.fresh,
        partner=secondary.name,
        intent=_intent(record, look.at),
        doubted=doubted(look, record.epoch),
        astray=tuple(name for name, report in reports.items() if _elsewhere(report, record)),
        servers=tuple(one.name for one in servers),
        answering=frozenset(reports),
        leased=frozenset(name for name, report in reports.items() if report.lease_seconds),
        tried={name: reached for name, reached in tried.items() if name in reports},
        renewed=any(_renewed(report, lease) for report in reports.values()),
        primary=_newest(primary),
        primary_refuses=primary.error is not None and primary.cause is Cause.REFUSED,
        secondary=_newest(secondary),
        secondary_refuses=secondary.error is not None and secondary.cause is Cause.REFUSED,
    )


def _newest(polled: Polled[DatabaseReport]) -> DatabaseReport | None:
    return polled.report if polled.fresh else None


def _intent(record: LedgerRecord, at: float) -> Intent | None:
    found = parse(record.intent)
    return None if found is None else judged(found, silence(found, at, None))


def _elsewhere(report: ServerReport, record: LedgerRecord) -> bool:
    """Whether a server has a lease on another physical database than the ledger's, or knows of a copy."""
    system = report.system_identifier
    other = report.database != record.active or (system is not None and system != record.system_identifier)
    return bool(report.copy) or (bool(report.lease_seconds) and other)


def _renewed(report: ServerReport, lease: float) -> bool:
    return (report.lease_seconds or 0.0) > lease - RENEWALS * lease / 5


# The evidence

_SIGNS: Mapping[GuardSign, Callable[[GuardSight, GuardMemory], bool]] = {
    GuardSign.STEADY: lambda sight, _: sight.current and sight.ledger.phase == STEADY,
    GuardSign.WHOLE: lambda sight, _: not sight.astray,
    GuardSign.SYNC: lambda sight, _: sight.sync,
    GuardSign.STALE: lambda sight, _: sight.ledger.standby is Standby.STALE,
    GuardSign.PRIMARY_GONE: lambda sight, _: sight.primary is None,
    GuardSign.PRIMARY_ANSWERS: lambda sight, _: sight.writable,
    GuardSign.SERVERS_AGREE: lambda sight, _: all(sight.tried.get(name) is False for name in sight.answering),
    GuardSign.SERVERS_REACH: lambda sight, _: sight.most(_reaching(sight)),
    GuardSign.SERVERS_SERVE: lambda sight, _: sight.most(sight.leased),
    GuardSign.MAJORITY: lambda sight, _: sight.most(sight.answering),
    GuardSign.NO_LEASE: lambda sight, _: not sight.leased,
    GuardSign.SECONDARY_READY: lambda sight, _: sight.in_recovery,
    GuardSign.NOTHING_RECEIVED: lambda sight, memory: sight.received is not None and sight.received == memory.received,
    GuardSign.NO_FOLLOWER: lambda sight, _: sight.primary is not None and not sight.follows,
    GuardSign.COMMITS_WAIT: lambda sight, _: sight.waits,
    GuardSign.PARTNER_BACK: lambda sight, _: sight.secondary is not None and not sight.streams,
    GuardSign.STREAMS: lambda sight, _: sight.in_recovery and sight.streams,
}


def _reaching(sight: GuardSight) -> frozenset[str]:
    """Servers that reach the primary: they have a lease on it, or found it when they tried."""
    return sight.leased | {name for name, reached in sight.tried.items() if reached}


@dataclass(frozen=True, slots=True)
class GuardRule:
    """One row of the table: what makes an order thinkable, and all the evidence that it needs beside that."""

    reason: tuple[GuardSign, ...]
    evidence: tuple[GuardSign, ...]
    refuses: Callable[[GuardSight], bool]  # the lost database's port refuses: a third of the time is enough
    flaps: bool = False  # it waits longer when a guard degraded the pool of late

    @property
    def signs(self) -> tuple[GuardSign, ...]:
        """All of them."""
        return (*self.reason, *self.evidence)


RULES: Mapping[GuardOrder, GuardRule] = {
    GuardOrder.FAILOVER: GuardRule(
        (GuardSign.PRIMARY_GONE,),
        (GuardSign.STEADY, GuardSign.FREE, GuardSign.SYNC, GuardSign.WHOLE, GuardSign.MAJORITY, GuardSign.NO_LEASE,
         GuardSign.SERVERS_AGREE, GuardSign.SECONDARY_READY, GuardSign.NOTHING_RECEIVED),
        lambda sight: sight.primary_refuses),
    GuardOrder.DEGRADE: GuardRule(
        (GuardSign.SYNC, GuardSign.NO_FOLLOWER),
        (GuardSign.STEADY, GuardSign.FREE, GuardSign.WHOLE, GuardSign.PRIMARY_ANSWERS, GuardSign.SERVERS_REACH,
         GuardSign.COMMITS_WAIT),
        lambda sight: sight.secondary_refuses),
    GuardOrder.REJOIN: GuardRule(
        (GuardSign.STALE, GuardSign.PARTNER_BACK),
        (GuardSign.STEADY, GuardSign.FREE, GuardSign.WHOLE, GuardSign.PRIMARY_ANSWERS, GuardSign.SERVERS_SERVE),
        lambda sight: False, flaps=True),
    GuardOrder.PROTECT: GuardRule(
        (GuardSign.STALE, GuardSign.STREAMS),
        (GuardSign.STEADY, GuardSign.FREE, GuardSign.WHOLE, GuardSign.PRIMARY_ANSWERS, GuardSign.SERVERS_SERVE),
        lambda sight: False, flaps=True),
}


def _shows(sign: GuardSign, order: GuardOrder, sight: GuardSight, memory: GuardMemory) -> bool:
    if sign is GuardSign.FREE:  # the one sign that depends on the order
        return sight.intent is None or takes_from(order, sight.intent, sight.ledger.phase)
    return _SIGNS[sign](sight, memory)


def judge(
    orders: StandingOrders, sight: GuardSight | None, memory: GuardMemory, notes: GuardNotes
) -> tuple[GuardMemory, tuple[GuardOutlook, ...]]:
    """What to remember, and the outlook of each order for which there is reason, the ones to be given first."""
    if sight is None:
        return GuardMemory(), ()
    found: list[GuardOutlook] = []
    since: dict[GuardOrder, float] = {}
    for order, after in orders.after.items():
        rule = RULES[order]
        there = tuple(sign for sign in rule.signs if _shows(sign, order, sight, memory))
        if not set(rule.reason) <= set(there):
            continue
        missing = tuple(sign for sign in rule.signs if sign not in there)
        flaps = len(list(_degrades(notes, sight.now))) if rule.flaps else 0
        needed = after * (REFUSED_SHARE if rule.refuses(sight) else 1.0) * 2 ** min(_DOUBLINGS, max(0, flaps - 1))
        wait = None
        if not missing:
            since[order] = _unbroken(order, after, sight, memory)
            wait = max(0.0, needed - (sight.at - since[order]))
        found.append(GuardOutlook(
            order, sight.active, sight.partner, there, missing, wait, tuple(_held(orders, order, sight, notes)),
            _concerned(missing, sight), flaps))
    return GuardMemory(sight.at, sight.received, since), tuple(sorted(found, key=lambda one: one.wait is None))


def _unbroken(order: GuardOrder, after: float, sight: GuardSight, memory: GuardMemory) -> float:
    """Since when the evidence is there. What no look has seen for too long counts from now."""
    before = memory.since.get(order)
    seen = memory.at is not None and sight.at - memory.at <= max(LEAST_GAP, after / 2)
    return sight.at if before is None or not seen else before


def _held(orders: StandingOrders, order: GuardOrder, sight: GuardSight, notes: GuardNotes) -> Iterator[Held]:
    """What an operator's word, or a guard's own act of before, holds back."""
    if (pause := notes.paused(sight.now)) is not None:
        yield Held(GuardHold.PAUSED, (pause.by,), pause.until - sight.now, pause.reason)
    if order is GuardOrder.FAILOVER and (act := to_acknowledge(orders, notes, sight.ledger.epoch, sight.now)):
        yield Held(GuardHold.ACKNOWLEDGE, (act.by,), act.at + orders.again - sight.now)


def to_acknowledge(orders: StandingOrders, notes: GuardNotes, epoch: int, now: float) -> GuardAct | None:
    """The failover of a guard that keeps guards from the next one; None when none does.

    It is written down before it begins. So it counts only when the ledger has a later epoch than it had then.
    """
    seen = notes.acknowledged
    return next((act for act in reversed(notes.acts) if act.order is GuardOrder.FAILOVER and act.epoch < epoch
                 and now - act.at < orders.again and (seen is None or seen < act.at)), None)


def _degrades(notes: GuardNotes, now: float) -> Iterator[GuardAct]:
    seen = notes.acknowledged
    return (act for act in notes.acts if act.order is GuardOrder.DEGRADE and now - act.at < FLAPPING
            and (seen is None or seen < act.at))


def _concerned(missing: tuple[GuardSign, ...], sight: GuardSight) -> tuple[str, ...]:
    """The servers that the first missing sign about servers is about."""
    about: Mapping[GuardSign, Collection[str]] = {
        GuardSign.WHOLE: sight.astray,
        GuardSign.NO_LEASE: sight.leased,
        GuardSign.SERVERS_AGREE: {name for name in sight.answering if sight.tried.get(name) is not False},
        GuardSign.MAJORITY: set(sight.servers) - sight.answering,
        GuardSign.SERVERS_REACH: set(sight.servers) - _reaching(sight),
        GuardSign.SERVERS_SERVE: set(sight.servers) - sight.leased,
    }
    return next((tuple(sorted(about[sign])) for sign in missing if sign in about), ())

"""The snapshot: everything that one look at a pool found, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from tuiha.model.codes import NONE, EventKind, Facts, Next, ProblemCode, Turn
from tuiha.model.databases.backups import BackupFacts, BackupReport
from tuiha.model.guard.report import GuardRecord
from tuiha.model.problems.causes import Cause
from tuiha.model.problems.mail_trouble import WithoutMail
from tuiha.model.reports import (
    AddressRow,
    BackendState,
    DatabaseReport,
    DatabaseRole,
    DatabaseState,
    LedgerRecord,
    MailReport,
    MailState,
    Managed,
    ServerReport,
    ServerState,
    ServerTarget,
    SessionRow,
    SlotRow,
    SprayerReport,
    SprayerState,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Polled(Generic[R]):
    """The latest that polling one target brought: the last good report, and the present failure if any."""

    name: str
    address: str
    report: R | None = None
    seen_at: float | None = None  # unix seconds of the last good report
    error: str | None = None  # why the newest poll failed; None when it did not
    failing_since: float | None = None  # unix seconds of the first failure in a row
    failures: int = 0  # in a row
    duration_ms: float | None = None  # of the last good poll
    cause: Cause | None = None  # why the newest poll failed, as a code; None when it did not

    def age(self, now: float) -> float | None:
        """Seconds since the last good report; None when there never was one."""
        return None if self.seen_at is None else max(0.0, now - self.seen_at)

    @property
    def fresh(self) -> bool:
        """Whether the newest poll succeeded."""
        return self.report is not None and self.error is None


@dataclass(frozen=True, slots=True)
class PolledMail(Polled[MailReport]):
    """A mail server's poll, with the cluster it belongs to."""

    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the whole pool, before anything is concluded from it."""

    pool: str
    at: float  # unix seconds
    number: int  # counts looks since the watcher started
    servers: tuple[Polled[ServerReport], ...]
    databases: tuple[Polled[DatabaseReport], ...]
    sprayers: tuple[Polled[SprayerReport], ...]
    mail: tuple[PolledMail, ...]
    ledger: Polled[LedgerRecord] | None  # None: the configuration names no ledger
    interval: float = 1.0  # seconds between looks
    guard: Polled[GuardRecord] | None = None  # None: the configuration gives guards no orders
    backup: Polled[BackupReport] | None = None  # None: the configuration names no backup


class Verdict(StrEnum):
    """The pool in one word."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    DISPUTED = "DISPUTED"  # watchers and servers disagree on whether the active database is there
    SPLIT = "SPLIT"
    DOWN = "DOWN"


class Protection(StrEnum):
    """Whether losing a database would lose nothing."""

    PROTECTED = "protected"  # the secondary has every acknowledged write and may be promoted
    UNPROTECTED = "UNPROTECTED"


class Severity(StrEnum):
    """How much a problem matters."""

    BAD = "bad"
    WARNING = "warning"
    NOTE = "note"


class NodeKind(StrEnum):
    """The five kinds of node on the screen."""

    SERVER = "server"
    DATABASE = "database"
    SPRAYER = "sprayer"
    MAIL = "mail"
    LEDGER = "ledger"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an operator should know, as a code with its facts; `tuiha.words` has the sentences."""

    severity: Severity
    kind: NodeKind
    subject: str  # the node's or the pool's name
    code: ProblemCode
    facts: Facts = NONE
    since: float | None = None  # unix seconds
    at_least: bool = False  # it was there when this watcher began: `since` is that moment, and it may be older
    next: Next | None = None  # what the operator can do
    turn: Turn | None = None  # what comes after the operation that has the pool; `next` is about that operation then


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A pool server as concluded from its own report, the database's table and the sprayers."""

    name: str
    address: str
    state: ServerState
    target: ServerTarget
    alive: bool | None
    users: int | None
    devices: int | None
    availability_index: int | None
    database: str | None
    epoch: int | None
    lease_seconds: float | None
    requests_per_second: float | None
    latency_ms: float | None
    cpu_percent: float | None
    memory_bytes: int | None
    seen_at: float | None
    note: str  # why it is so, as the driver or the node said it; may be empty
    error: str | None = None
    system_identifier: str | None = None  # of the physical database that it is attached to
    queue: int | None = None  # requests that wait for the database: reads and writes that are held
    version: str | None = None
    started_at: float | None = None  # unix seconds
    host_cpu_percent: float | None = None
    host_memory_percent: float | None = None
    host_disk_percent: float | None = None
    host_load: float | None = None  # load average of the last minute
    host_processors: int | None = None
    full: float | None = None  # percent of its limit that its scarcest resource uses; over 100: it is overloaded
    limited_by: str | None = None  # that resource; None: not told


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A database of the pair."""

    name: str
    address: str
    state: DatabaseState
    role: DatabaseRole | None  # None when it was never reached
    expected: DatabaseRole | None  # the role that the ledger or the epoch row gives it
    reachable: bool
    writable: bool | None
    system_identifier: str | None
    timeline: int | None
    lag_bytes: int | None
    lag_seconds: float | None
    sync_state: str | None  # of the secondary: sync, async, ...; None on the primary
    pool_sessions: int | None
    transactions_per_second: float | None
    seen_at: float | None
    note: str
    error: str | None = None
    position: int | None = None  # where the WAL ends here: written by a primary, received by a secondary; bytes
    replayed: int | None = None  # of a secondary, bytes
    receiving: bool | None = None  # of a secondary: the stream is up
    synchronous_names: str | None = None  # what commits wait for, as the database is set
    version: str | None = None
    sessions: tuple[SessionRow, ...] = ()  # of each pool server
    slots: tuple[SlotRow, ...] = ()
    managed: Managed | None = None  # what Patroni says, when it manages the pair


@dataclass(frozen=True, slots=True)
class BackendFacts:
    """A pool server behind a sprayer."""

    server: str
    state: BackendState
    sessions: int
    queue: int = 0
    requests_per_second: float | None = None
    since_seconds: int | None = None  # since its state changed
    check: str | None = None  # the last health check in words


@dataclass(frozen=True, slots=True)
class SprayerFacts:
    """A sprayer."""

    name: str
    address: str
    state: SprayerState
    active: bool | None  # carries device connections right now
    sessions: int | None
    requests_per_second: float | None
    backends: tuple[BackendFacts, ...]
    seen_at: float | None
    note: str
    error: str | None = None
    version: str | None = None
    uptime_seconds: int | None = None
    learned: int | None = None  # users whose server it knows
    addresses: tuple[AddressRow, ...] | None = None  # virtual addresses, as keepalived says; None: not told
    process: int | None = None  # its process id


@dataclass(frozen=True, slots=True)
class MailFacts:
    """A mail server."""

    name: str
    cluster: str
    address: str
    state: MailState
    users: int | None
    latency_ms: float | None
    in_service: bool | None
    seen_at: float | None
    note: str
    error: str | None = None
    reason: str | None = None  # why an operator took it out of service
    changed_at: float | None = None  # unix seconds: taken out of service, or back in
    failing_since: float | None = None  # unix seconds of the first failed poll in a row
    closed: str | None = None  # why it lets nobody in, though it answers


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Facts and conclusions of one look; what screens, JSON, recordings and events are made from."""

    pool: str
    at: float
    number: int
    interval: float
    verdict: Verdict
    epoch: int | None
    active: str | None  # name of the active database
    protection: Protection | None  # None when unknown
    users: int | None
    problems: tuple[Problem, ...]
    servers: tuple[ServerFacts, ...]
    databases: tuple[DatabaseFacts, ...]
    sprayers: tuple[SprayerFacts, ...]
    mail: tuple[MailFacts, ...]
    intent: str | None = None
    intent_since: float | None = None  # when the watcher saw it change, by its own clock; None: it has not changed yet
    intent_seen_at: float | None = None  # when the ledger was read the last time
    manager: str | None = None  # who decides which database is active; None: this project's operations
    without_mail: tuple[WithoutMail, ...] = ()  # by mail cluster, as the pool servers report it
    unserved_since: float | None = None  # since when no server has had a lease; None: one has
    backup: BackupFacts | None = None  # of the pair; None: the configuration names none
    held_by: str | None = None  # the operation that lets all requests wait meanwhile
    guard: GuardRecord | None = None  # None: guards have no orders, or it could not be read yet


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed between two snapshots, or that a server recorded."""

    at: float
    severity: Severity
    subject: str
    kind: EventKind
    facts: Facts = NONE

"""What a driver saw in one poll: one frozen report per kind of node.

A value that the node did not tell is None: unknown is never invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tuiha.model.databases.durability import Durability, LogReceiver
from tuiha.model.problems.mail_trouble import ClusterReport, MailSight


class ServerState(StrEnum):
    """What a pool server says that it is doing."""

    UP = "UP"  # has a lease and takes users
    WAITING = "WAITING"  # its requests wait for the database
    CUT_OFF = "CUT OFF"  # no lease: it answers 503 and touches no database
    OVERLOADED = "OVERLOADED"  # takes no new users, and gives some away
    DRAINING = "DRAINING"  # told to take nobody; serves only the users it still has
    DRAINED = "DRAINED"  # and it has none left (derived by the watcher, never said by the server)
    LEFT = "LEFT"  # handed over and gone
    DOWN = "DOWN"  # does not answer (derived by the watcher, never said by the server)
    UNKNOWN = "UNKNOWN"  # not polled yet

    @classmethod
    def _missing_(cls, value: object) -> ServerState | None:
        """The state that a program of the version before, or a recording of its time, calls by another word."""
        return next((state for state, word in _ON_THE_WIRE.items() if word == value), None)

    @property
    def wire(self) -> str:
        """The word that one program of the pool sends to another: one that the version before reads as well."""
        return _ON_THE_WIRE.get(self, self.value)


_ON_THE_WIRE: Mapping[ServerState, str] = {
    ServerState.WAITING: "HELD",
    ServerState.CUT_OFF: "FENCED",
    ServerState.OVERLOADED: "CONSTRAINED",
    ServerState.DRAINING: "WITHDRAWN",
    ServerState.DRAINED: "WITHDRAWN",
}


class ServerTarget(StrEnum):
    """What a pool server was told to be."""

    UP = "UP"
    DRAIN = "DRAIN"
    UNKNOWN = "UNKNOWN"  # not polled yet (never said by the server)


class DatabaseState(StrEnum):
    """How a database of the pair is, as the watcher concludes."""

    UP = "UP"
    DOWN = "DOWN"
    ROGUE_PRIMARY = "ROGUE PRIMARY"  # writable though it is not the active one
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> DatabaseState | None:
        """The word for a rogue primary in recordings of the version before."""
        return cls.ROGUE_PRIMARY if value == "STRAY" else None


class SprayerState(StrEnum):
    """How a sprayer is, as the watcher concludes."""

    UP = "UP"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


class MailState(StrEnum):
    """How a mail server is, as the watcher concludes."""

    UP = "UP"
    DOWN = "DOWN"
    OUT = "OUT"  # taken out of service by an operator
    UNKNOWN = "UNKNOWN"


MAIL_AWAY = frozenset({MailState.DOWN, MailState.OUT})  # its users are elsewhere
NodeState = ServerState | DatabaseState | SprayerState | MailState


class DatabaseRole(StrEnum):
    """The role that a PostgreSQL node plays right now."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"


class EpochState(StrEnum):
    """The state of the one row of `pool_epoch`."""

    ACTIVE = "ACTIVE"
    FENCED = "FENCED"


class Standby(StrEnum):
    """What the ledger knows of the secondary: may it be promoted without losing an acknowledged write?"""

    SYNC = "SYNC"
    STALE = "STALE"


STEADY = "STEADY"  # the ledger's phase while nothing of the databases' roles is half changed
LEADERLESS = "LEADERLESS"  # the ledger's phase while the manager has no leader
PROMOTABLE = frozenset({"sync_standby", "quorum_standby"})  # Patroni's roles of one that has every acknowledged write


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One pool server's own view (`GET /control/status`)."""

    name: str
    pool: str
    version: str
    state: ServerState
    target: ServerTarget
    users: int | None = None  # users whose mail is monitored here
    devices: int | None = None  # devices of those users seen in the last 15 minutes
    availability_index: int | None = None  # 0..100, -100..-1 overloaded, -200 draining
    database: str | None = None  # name of the physical database it is attached to
    epoch: int | None = None
    system_identifier: str | None = None
    lease_seconds: float | None = None  # what is left of the lease; 0 when there is none
    requests_per_second: float | None = None
    latency_ms: float | None = None  # 95th percentile of the last seconds, long polls' waiting left out
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    queue: int | None = None  # requests that wait for the database
    started_at: float | None = None  # unix seconds
    reason: str | None = None  # why it is overloaded, cut off, draining or waiting
    host_cpu_percent: float | None = None  # of the whole machine, all its processors
    host_memory_percent: float | None = None
    host_disk_percent: float | None = None  # of the file system that the server runs on
    host_load: float | None = None  # load average of the last minute
    host_processors: int | None = None
    clock: float | None = None  # unix seconds by its host's clock when it answered
    mail: tuple[ClusterReport, ...] | None = None  # users with and without mail; None: a version that does not say
    mail_servers: tuple[MailSight, ...] | None = None  # what its probes see; None: a version that does not say
    spelling: str | None = None  # the rule of users' names that it goes by, in words
    unleased_seconds: float | None = None  # for how long it has had no lease; None: it has one, or does not say
    full: float | None = None  # percent of its limit that its scarcest resource uses
    limited_by: str | None = None  # that resource
    copy: str | None = None  # it reaches a copy of the active database, and takes no lease there: how it knows

    @property
    def wire(self) -> dict[str, Any]:
        """The report as this server sends it to other programs of the pool."""
        return {**asdict(self), "state": self.state.wire}


SERVER_FIGURES = (
    "users", "devices", "full", "requests_per_second", "latency_ms", "cpu_percent", "memory_bytes", "queue",
    "host_cpu_percent", "host_memory_percent", "host_disk_percent", "host_load",
)
"""The figures of a report that a server remembers, and that screens plot."""


@dataclass(frozen=True, slots=True)
class PastFigures:
    """What a server's own figures were in the last minutes (`GET /control/past`)."""

    server: str
    step: float  # seconds from value to value
    age: float  # seconds since the newest value was so
    figures: Mapping[str, tuple[float | None, ...]]  # by the names of ServerReport, oldest first; None: not known


@dataclass(frozen=True, slots=True)
class ReplicationRow:
    """One row of pg_stat_replication on the primary."""

    name: str  # application_name: the secondary's name
    state: str  # streaming, catchup, ...
    sync_state: str  # sync, async, quorum, potential
    lag_bytes: int | None
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A replication slot of a database."""

    name: str
    kind: str  # physical or logical
    active: bool
    kept_bytes: int | None  # WAL that is kept for it
    state: str | None  # reserved, extended, unreserved, lost; None when it keeps nothing yet


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of a client that is open."""

    process: int  # process id of its session
    seconds: float  # since it began
    application: str


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What a change of the pair's roles can stumble over, as far as the watcher's role sees it."""

    paused: bool = False  # the replay of a secondary was paused by hand
    prepared: tuple[str, ...] = ()  # names of prepared transactions, the oldest first; not all when there are many
    long: tuple[Transaction, ...] = ()  # the oldest of those that are open for more than a second
    backups: int = 0  # base backups that are being sent


@dataclass(frozen=True, slots=True)
class EpochRow:
    """The one row of `pool_epoch` as this database holds it."""

    pool: str
    epoch: int
    active: str
    state: EpochState
    standby: str | None = None  # SYNC, STALE or DOUBTED; None: not said, or a schema of before

    @property
    def doubted(self) -> bool:
        """Whether the secondary may lack acknowledged writes, whatever the ledger says."""
        return self.standby in ("STALE", "DOUBTED")


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One row of the `server` table: how the database sees a pool server."""

    name: str
    address: str
    state: ServerState
    target: ServerTarget
    availability_index: int
    epoch: int
    heartbeat_age: float  # seconds, by the database's clock
    alive: bool  # heartbeat_age is inside the heartbeat window, or it holds a lease
    users: int  # unexpired bindings to it
    leased: bool = False  # it renewed its lease less than a lease ago: its process lives, however busy it is


@dataclass(frozen=True, slots=True)
class MailRow:
    """One row of `mail_server`, with the users monitored through it."""

    name: str
    cluster: str
    in_service: bool
    users: int
    reason: str | None = None  # why an operator took it out of service
    changed_at: float | None = None  # unix seconds: taken out, or back in


@dataclass(frozen=True, slots=True)
class SessionRow:
    """How many sessions one pool server has on a database (pg_stat_activity, by application_name)."""

    server: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Managed:
    """What Patroni says of one node of the pair, and of the pair as this node sees it."""

    role: str | None = None  # leader, sync_standby, quorum_standby, replica
    state: str | None = None  # running, streaming, stopped, start failed, ...
    leader: str | None = None  # whom its store names; None: nobody has the lock
    timeline: int | None = None
    lag_bytes: int | None = None  # of a secondary, behind what the leader told last
    pending_restart: bool = False
    paused: bool = False  # maintenance mode: nothing is done without being asked
    scheduled: str | None = None  # a switchover that is to come, in words
    synchronous: bool | None = None  # synchronous_mode; None: not told
    strict: bool | None = None  # synchronous_mode_strict
    version: str | None = None  # Patroni's
    error: str | None = None  # why it could not be asked; then nothing else is known

    @property
    def in_step(self) -> bool:
        """Whether Patroni may promote it without losing an acknowledged write."""
        return self.role in PROMOTABLE


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """One PostgreSQL node, asked directly."""

    role: DatabaseRole
    writable: bool
    system_identifier: str
    timeline: int
    version: str
    position: int  # primary: current WAL position; secondary: last position received; bytes
    replayed: int | None = None  # secondary: last position replayed, bytes
    receiving: bool | None = None  # secondary: a WAL receiver is streaming
    replay_lag_seconds: float | None = None
    synchronous_names: str | None = None  # synchronous_standby_names
    replication: tuple[ReplicationRow, ...] = ()
    sessions: tuple[SessionRow, ...] = ()
    slots: tuple[SlotRow, ...] = ()
    transactions: int | None = None  # xact_commit + xact_rollback, a counter
    epoch: EpochRow | None = None
    members: tuple[MemberRow, ...] = ()
    mail: tuple[MailRow, ...] = ()
    users: int | None = None  # rows of app_user, None where not readable
    managed: Managed | None = None  # under Patroni, what that says
    obstacles: Obstacles | None = None
    durability: Durability | None = None  # what its commits wait for; None: a recording of before

    @property
    def waits_for(self) -> Durability:
        """What its commits wait for; by the names and the followers alone where nothing else was asked."""
        return self.durability or Durability(
            self.synchronous_names or "", tuple(LogReceiver(r.name, r.state, r.sync_state) for r in self.replication))


class BackendState(StrEnum):
    """A pool server as a sprayer sees it."""

    UP = "UP"
    DOWN = "DOWN"
    DRAIN = "DRAIN"
    MAINT = "MAINT"


@dataclass(frozen=True, slots=True)
class BackendReport:
    """One backend of a sprayer."""

    server: str
    state: BackendState
    sessions: int
    queue: int
    requests: int  # a counter
    since_seconds: int | None = None  # since the last change of state
    check: str | None = None  # the last health check's verdict
    checked: bool = True  # its health is checked


@dataclass(frozen=True, slots=True)
class AddressRow:
    """A virtual address of the sprayers, as keepalived on one sprayer's host sees it."""

    address: str
    state: str  # MASTER: it is here; BACKUP, FAULT, STOP

    @property
    def held(self) -> bool:
        """Whether this sprayer has it."""
        return self.state == "MASTER"


@dataclass(frozen=True, slots=True)
class SprayerReport:
    """One sprayer's runtime view."""

    version: str
    sessions: int
    backends: tuple[BackendReport, ...]
    uptime_seconds: int | None = None
    learned: int | None = None  # users in its user -> server map
    requests: int | None = None  # a counter
    addresses: tuple[AddressRow, ...] | None = None  # what keepalived says; None: it was not asked, or says nothing
    process: int | None = None  # its process id: another one, and it has started anew
    maps: tuple[str, ...] = ()  # paths of the maps that it has, as far as they were asked for
    lacking: tuple[str, ...] = ()  # maps of our configuration that it does not have


@dataclass(frozen=True, slots=True)
class MailReport:
    """One mail server: a probe user logged in and selected its INBOX."""

    latency_ms: float
    greeting: str


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """The pool's record of who is active; changed only by compare-and-set on `revision`."""

    pool: str
    epoch: int
    active: str
    standby: Standby
    system_identifier: str
    timeline: int
    phase: str = STEADY  # STEADY, SWITCHING, FAILOVER
    intent: str | None = None  # id, kind, owner and step of the running operation, as JSON
    revision: int = 0

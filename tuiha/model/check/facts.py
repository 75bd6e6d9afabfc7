"""The findings that `tuiha check` can have: codes and typed facts. No sentence is in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tuiha.model.check.inspection import Default
from tuiha.model.codes import Obstacle, ObstacleKind, Oddity
from tuiha.model.databases.durability import Durability, Gap
from tuiha.model.facts import Problem
from tuiha.model.problems.causes import Cause
from tuiha.model.problems.mail_trouble import TroubleReport


class FindingCode(StrEnum):
    """Each thing that a finding can be about. Some are found right as well as wrong: the level says which."""

    # Tokens
    SAME_TOKENS = "same-tokens"
    NO_OPERATOR_TOKEN = "no-operator-token"
    OPERATOR_TOKEN = "operator-token"
    # Databases
    DATABASE = "database"  # it can be asked, and is as it should be
    DATABASE_UNREACHABLE = "database-unreachable"
    DATABASE_OF_OTHER_POOL = "database-of-other-pool"
    DATABASE_VERSIONS = "database-versions"
    ROLE_LOG_IN = "role-log-in"
    NO_AGENT = "no-agent"
    NO_ACTIVE_DATABASE = "no-active-database"
    NO_EPOCH_ROW = "no-epoch-row"
    OTHER_SYSTEM = "other-system"
    NOT_WRITABLE = "not-writable"
    ROGUE_PRIMARY = "rogue-primary"  # writable, though another one is active
    UNPROTECTED = "unprotected"
    ENDLESS_WAIT = "endless-wait"
    DOUBTED = "doubted"
    NOT_SYNCHRONOUS = "not-synchronous"
    LAG = "lag"
    # What is in the way of a change of roles
    REPLAY_PAUSED = "replay-paused"
    PREPARED_TRANSACTIONS = "prepared-transactions"
    LONG_TRANSACTIONS = "long-transactions"
    BACKUP_RUNNING = "backup-running"
    SLOT = "slot"
    UNLOGGED_TABLES = "unlogged-tables"
    NO_FREE_SLOT = "no-free-slot"
    REHEARSAL = "rehearsal"
    WAY_BACK_IDENTITY = "way-back-identity"
    WAY_BACK_REPLICATION = "way-back-replication"
    WAY_BACK_SLOT = "way-back-slot"
    WAY_BACK_RECOVERY = "way-back-recovery"
    WAY_BACK_REWIND = "way-back-rewind"
    WAY_BACK_COPY = "way-back-copy"
    # Settings of PostgreSQL
    SETTING = "setting"
    SETTINGS = "settings"
    SIZES_DIFFER = "sizes-differ"
    NOT_REWINDABLE = "not-rewindable"
    SSL_OFF = "ssl-off"
    MAX_CONNECTIONS = "max-connections"
    NAMES_IN_FILE = "names-in-file"
    DEFAULT_OF_SESSIONS = "default-of-sessions"
    DEFAULT_IN_FILE = "default-in-file"
    COLLATION_CHANGED = "collation-changed"
    COLLATIONS_DIFFER = "collations-differ"
    LEASE_SECONDS = "lease-seconds"
    # Roles, and who gets in
    RIGHTS = "rights"
    NO_ROLE = "no-role"
    ROLE_POWERS = "role-powers"
    ROLE_WRITES = "role-writes"
    ROLE_READS_HASHES = "role-reads-hashes"
    ROLE_OWNS_TABLES = "role-owns-tables"
    ROLE_MAKES_NO_SLOT = "role-makes-no-slot"
    ROLE_SETS_TOO_LITTLE = "role-sets-too-little"
    ROLE_READS_TOO_LITTLE = "role-reads-too-little"
    ROLE_WRITES_TOO_LITTLE = "role-writes-too-little"
    ROLE_SEES_NO_FOLLOWERS = "role-sees-no-followers"
    ROLE_MONITORS_NOTHING = "role-monitors-nothing"
    ROLE_MEMBERSHIP = "role-membership"
    ROLE_TABLES = "role-tables"
    ROLE_COLUMN = "role-column"
    ROLE_FUNCTIONS = "role-functions"
    ROLE_PARAMETERS = "role-parameters"
    ROLE_CREATES = "role-creates"
    ROLE_LEASES = "role-leases"
    ROLE_NO_LOGIN = "role-no-login"
    ROLE_PASSWORD_EXPIRES = "role-password-expires"
    ROLE_CONNECTION_LIMIT = "role-connection-limit"
    DATABASE_CONNECTION_LIMIT = "database-connection-limit"
    ACCESS_HIDDEN = "access-hidden"
    ACCESS_RULE_BROKEN = "access-rule-broken"
    ACCESS_UNPROVEN = "access-unproven"
    ACCESS_PLAIN_TEXT = "access-plain-text"
    ACCESS_EVERYWHERE = "access-everywhere"
    # A manager of the pair
    MANAGED = "managed"
    MANAGER_UNREACHABLE = "manager-unreachable"
    MANAGER_TELLS_NO_ROLE = "manager-tells-no-role"
    MANAGER_LEADER = "manager-leader"
    MANAGER_SYNCHRONOUS = "manager-synchronous"
    MANAGER_PAUSED = "manager-paused"
    MANAGER_BEHIND = "manager-behind"
    PENDING_RESTART = "pending-restart"
    UNKNOWN_MEMBER = "unknown-member"
    # The ledger
    LEDGER = "ledger"
    NO_LEDGER = "no-ledger"
    LEDGER_UNREADABLE = "ledger-unreadable"
    LEDGER_OF_OTHER_POOL = "ledger-of-other-pool"
    LEDGER_DISAGREES = "ledger-disagrees"
    LEDGER_TIMELINE = "ledger-timeline"
    OPERATION = "operation"
    STALE = "stale"
    # Guards
    GUARD = "guard"
    GUARD_OFF = "guard-off"
    GUARD_SHORT = "guard-short"
    GUARD_ONE_HOST = "guard-one-host"
    # Pool servers
    SERVER = "server"
    NO_SERVER = "no-server"
    FOREIGN_SERVER = "foreign-server"
    SERVER_FROM_DATABASE = "server-from-database"
    SERVER_UNREACHABLE = "server-unreachable"
    SERVER_OF_OTHER_POOL = "server-of-other-pool"
    SERVER_ATTACHED_ELSEWHERE = "server-attached-elsewhere"
    SERVER_ON_OTHER_SYSTEM = "server-on-other-system"
    SERVER_IN_OTHER_EPOCH = "server-in-other-epoch"
    SERVER_NOT_JOINED = "server-not-joined"
    NO_LEASE = "no-lease"
    VERSIONS = "versions"
    VERSIONS_APART = "versions-apart"
    CAPACITY = "capacity"
    # Sprayers
    SPRAYER = "sprayer"
    SPRAYER_UNREACHABLE = "sprayer-unreachable"
    SPRAYER_STEERING = "sprayer-steering"
    SPRAYER_ODDITY = "sprayer-oddity"
    ONLY_SPRAYER = "only-sprayer"
    BACKEND_MISSING = "backend-missing"
    BACKEND_UNKNOWN = "backend-unknown"
    FRONT_UNREACHABLE = "front-unreachable"
    FRONT_PLAIN_TEXT = "front-plain-text"
    FRONT_CERTIFICATE = "front-certificate"
    FRONT_NAME = "front-name"
    # Mail
    MAIL = "mail"
    MAIL_UNUSABLE = "mail-unusable"
    MAIL_ALONE = "mail-alone"
    MAIL_NOT_USED = "mail-not-used"
    MAIL_LATE = "mail-late"
    MONITOR_LOG_IN = "monitor-log-in"
    WITHOUT_MAIL = "without-mail"
    # Users
    SAME_MAILBOX = "same-mailbox"
    MORE_SAME_MAILBOXES = "more-same-mailboxes"
    NAMES_CHANGE = "names-change"
    ONE_NAME = "one-name"
    NAME_RULES_DIFFER = "name-rules-differ"
    # Hosts and the configuration
    CLOCK = "clock"
    CLOCKS = "clocks"
    CERTIFICATE = "certificate"
    CERTIFICATES = "certificates"
    UNVERIFIED = "unverified"
    OPEN_FILE = "open-file"
    OPEN_LOCK = "open-lock"
    BACKUP = "backup"
    ALERT_RECEIVER = "alert-receiver"
    TRACE_RECEIVER = "trace-receiver"


OBSTACLES: Mapping[ObstacleKind, FindingCode] = {
    ObstacleKind.REPLAY: FindingCode.REPLAY_PAUSED,
    ObstacleKind.PREPARED: FindingCode.PREPARED_TRANSACTIONS,
    ObstacleKind.LONG: FindingCode.LONG_TRANSACTIONS,
    ObstacleKind.BACKUP: FindingCode.BACKUP_RUNNING,
    ObstacleKind.SLOT: FindingCode.SLOT,
}


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """The facts of a finding beside its code and subject; each kind has a class of its own."""


NONE: Final = FindingFacts()


@dataclass(frozen=True, slots=True)
class NamedFact(FindingFacts):
    """Names of things."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number(FindingFacts):
    """How many there are."""

    number: int


@dataclass(frozen=True, slots=True)
class GuardFact(FindingFacts):
    """The active guard, with its orders."""

    guard: str
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderFact(FindingFacts):
    """A standing order whose time is too short for what was measured. Seconds."""

    order: str
    after: float
    least: float
    slowest: float  # of the answers of databases and servers


@dataclass(frozen=True, slots=True)
class Mismatch(FindingFacts):
    """A value, and the value that it should be."""

    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class PerNode(FindingFacts):
    """A value on each of several nodes."""

    values: tuple[tuple[str, str], ...]  # node, value


@dataclass(frozen=True, slots=True)
class Versions(FindingFacts):
    """Versions that differ, each with the nodes that have it."""

    nodes: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class UnreachableFact(FindingFacts):
    """A node that cannot be asked."""

    address: str
    error: str
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class UnreachableDatabase(UnreachableFact):
    """A database that the watcher cannot ask."""

    role: str
    database: str
    secure: bool


# ---------------------------------------------------------------------------- attempts


@dataclass(frozen=True, slots=True)
class Tried(FindingFacts):
    """Something that was tried beside the watcher's own log-ins."""

    error: str | None  # None: it went well
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class RoleLogIn(Tried):
    """The log-in of a database role."""

    task: str
    role: str
    database: str
    secure: bool


@dataclass(frozen=True, slots=True)
class MonitorLogIn(Tried):
    """The log-in of the monitor, which acted for the probe's user."""

    monitor: str
    user: str
    master: bool  # as a master user; else with an authorization identity


@dataclass(frozen=True, slots=True)
class OfReceiver(Tried):
    """A system that alerts are sent to."""

    name: str
    refused: bool = False  # it answers, and does not accept the log-in


@dataclass(frozen=True, slots=True)
class Steering(Tried):
    """The right to steer a sprayer."""

    field: str  # of the configuration, that names the socket


# ---------------------------------------------------------------------------- databases


@dataclass(frozen=True, slots=True)
class Described(FindingFacts):
    """A database that is as it should be."""

    role: str
    writable: bool
    timeline: int
    system: str
    version: str


class Source(StrEnum):
    """Where it is said which system the pool's database is."""

    CONFIGURATION = "configuration"
    LEDGER = "ledger"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class OtherSystem(FindingFacts):
    """A database of another system."""

    system: str
    source: Source
    expected: str


class RemedyWay(StrEnum):
    """How commits come to wait for the secondary again."""

    MANAGER = "manager"  # it has them wait
    MANAGER_COUNTS = "manager-counts"  # it counts on the secondary again
    BRING_BACK = "bring-back"
    REJOIN = "rejoin"
    PROTECT = "protect"


@dataclass(frozen=True, slots=True)
class BackFact:
    """How a database protects the pool again."""

    way: RemedyWay
    database: str = ""
    manager: str = ""
    counted: bool = False  # the ledger still counts on it: the pool gives it up first
    waits: bool = False  # commits wait for it until the pool gives it up
    called: tuple[str, ...] = ()  # names under which it may follow now


@dataclass(frozen=True, slots=True)
class Stray(FindingFacts):
    """A database that is writable, though another one is active."""

    active: str
    manager: str | None
    counted: bool


@dataclass(frozen=True, slots=True)
class CommitsFact(FindingFacts):
    """The settings that commits wait by, where they do not wait for the secondary alone."""

    partner: str
    commits: Durability
    gaps: frozenset[Gap]
    back: BackFact


@dataclass(frozen=True, slots=True)
class Unsure(FindingFacts):
    """A secondary that may lack acknowledged writes."""

    partner: str
    back: BackFact


@dataclass(frozen=True, slots=True)
class ReplicatesFact(FindingFacts):
    """How a secondary follows that should follow synchronously."""

    partner: str
    streaming: bool
    sync_state: str
    back: BackFact


@dataclass(frozen=True, slots=True)
class Lag(FindingFacts):
    """How far a secondary is behind."""

    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class InTheWay(FindingFacts):
    """An obstacle to a change of roles."""

    obstacle: Obstacle


@dataclass(frozen=True, slots=True)
class Rehearsed(FindingFacts):
    """How an agent's rehearsal of the way back went."""

    partner: str
    error: str | None = None  # why it could not be
    command: bool = False  # the agent is a program, which a person can run as well


@dataclass(frozen=True, slots=True)
class WayBack(FindingFacts):
    """Something in the way back to a partner."""

    partner: str
    value: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SettingFact(FindingFacts):
    """A setting of PostgreSQL, and the file that it is written in."""

    name: str
    value: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class LimitFact(FindingFacts):
    """Connections that are allowed, and those that may be wanted. `name`: of the role or the database."""

    name: str
    limit: int
    wanted: int


@dataclass(frozen=True, slots=True)
class OfSessions(FindingFacts):
    """A default of sessions."""

    default: Default
    kept: bool = False  # no session can undo it


@dataclass(frozen=True, slots=True)
class Collated(FindingFacts):
    """A collation whose version is another one than when indexes were made."""

    collation: str  # empty: the database's own
    database: str
    recorded: str
    actual: str


@dataclass(frozen=True, slots=True)
class CollationOnHosts(FindingFacts):
    """A collation of different versions on the hosts."""

    collation: str
    versions: tuple[tuple[str, str], ...]  # database, version


@dataclass(frozen=True, slots=True)
class Seconds(FindingFacts):
    """A number of seconds; `expected` is what they should be, where one value is right."""

    seconds: float
    expected: float = 0.0


# ---------------------------------------------------------------------------- roles


@dataclass(frozen=True, slots=True)
class RoleFact(FindingFacts):
    """A database role, the task that it is for, and the items that it has or lacks."""

    role: str
    task: str
    items: tuple[str, ...] = ()
    right: str = ""  # on these items


@dataclass(frozen=True, slots=True)
class ColumnFact(FindingFacts):
    """A right on a single column."""

    role: str
    task: str
    right: str
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Validity(FindingFacts):
    """How long a role's password is valid."""

    role: str
    task: str
    days: float


@dataclass(frozen=True, slots=True)
class Rule(FindingFacts):
    """A line of pg_hba.conf."""

    line: int
    roles: tuple[str, ...] = ()
    method: str = ""
    error: str = ""


# ---------------------------------------------------------------------------- a manager of the pair


@dataclass(frozen=True, slots=True)
class ManagerFact(FindingFacts):
    """Something about the manager of the pair."""

    manager: str
    error: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True)
class ManagedNode(FindingFacts):
    """The manager's report of a node that is well."""

    manager: str
    version: str | None
    role: str
    state: str | None


@dataclass(frozen=True, slots=True)
class Synchronous(FindingFacts):
    """How commits wait under the manager."""

    on: bool
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Behind(FindingFacts):
    """A leader whose timeline is before the pool's epoch."""

    timeline: int
    epoch: int


# ---------------------------------------------------------------------------- the ledger


@dataclass(frozen=True, slots=True)
class RecordFact(FindingFacts):
    """The ledger's record."""

    epoch: int
    active: str
    standby: str


@dataclass(frozen=True, slots=True)
class TwoRecordsFact(FindingFacts):
    """The ledger and the database's own row, which differ."""

    epoch: int
    active: str
    row_epoch: int
    row_active: str


@dataclass(frozen=True, slots=True)
class Timelines(FindingFacts):
    """The ledger's timeline, and the active database's."""

    active: str
    recorded: int
    actual: int


@dataclass(frozen=True, slots=True)
class OfOperation(FindingFacts):
    """The operation that has the pool."""

    problem: Problem


# ---------------------------------------------------------------------------- servers, sprayers, mail, users


@dataclass(frozen=True, slots=True)
class Attached(FindingFacts):
    """A pool server that is as it should be."""

    state: str
    version: str
    database: str | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Leaseless(FindingFacts):
    """A pool server without a lease."""

    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class RoomFact(FindingFacts):
    """Users, and the room for users with one server less."""

    users: int
    left: int


@dataclass(frozen=True, slots=True)
class Sprays(FindingFacts):
    """A sprayer that is as it should be."""

    version: str
    backends: int
    sessions: int


@dataclass(frozen=True, slots=True)
class OddFact(FindingFacts):
    """Something odd in how a sprayer sees the servers."""

    oddity: Oddity


@dataclass(frozen=True, slots=True)
class FrontFact(FindingFacts):
    """A sprayer's port for devices."""

    address: str
    error: str = ""
    days: float = 0.0


@dataclass(frozen=True, slots=True)
class OfCluster(FindingFacts):
    """A mail server of a cluster."""

    cluster: str


@dataclass(frozen=True, slots=True)
class Unusable(UnreachableFact):
    """A mail server that the probe cannot use."""

    cluster: str


@dataclass(frozen=True, slots=True)
class NotUsed(FindingFacts):
    """A mail server that a pool server does not use."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class NoMailFact(FindingFacts):
    """Users without mail, for one reason."""

    trouble: TroubleReport


@dataclass(frozen=True, slots=True)
class TwoUsers(FindingFacts):
    """Two users that are one, or that have one name."""

    user: str
    stays: str
    cluster: str = ""
    stays_cluster: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Renamed(FindingFacts):
    """Names that change."""

    number: int
    pairs: tuple[tuple[str, str], ...]  # before, after


@dataclass(frozen=True, slots=True)
class Spellings(FindingFacts):
    """The rule of users' names here, and those that servers go by."""

    here: str
    others: tuple[str, ...]


# ---------------------------------------------------------------------------- hosts


@dataclass(frozen=True, slots=True)
class Expires(FindingFacts):
    """A certificate that expires."""

    address: str
    days: float


@dataclass(frozen=True, slots=True)
class Soonest(FindingFacts):
    """Certificates, and the first of them to expire."""

    number: int
    subject: str
    days: float


@dataclass(frozen=True, slots=True)
class OpenPath(FindingFacts):
    """A file that others can change or hold."""

    path: str
    mode: int

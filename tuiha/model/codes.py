"""Codes with typed facts: the problems that a pool can have, and the events in it. No sentence is in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tuiha.model.databases.durability import BY_HAND, Durability, Gap
from tuiha.model.operations.intent import IntentWay
from tuiha.model.problems.mail_trouble import TroubleReport
from tuiha.model.reports import Managed, Transaction


class ProblemCode(StrEnum):
    """Each problem that there is."""

    # Of the pool
    SPLIT = "split"
    DISPUTED = "disputed"
    UNVERIFIED = "unverified"
    NO_SERVER = "no-server"
    MANAGER_PAUSED = "manager-paused"
    OPERATION_RUNNING = "operation-running"
    OPERATION_INTERRUPTED = "operation-interrupted"
    OPERATION_HALF_WAY = "operation-half-way"
    OPERATION_UNKNOWN = "operation-unknown"
    GUARD_OFF = "guard-off"  # guards have orders, and none is active
    GUARD_PAUSED = "guard-paused"
    GUARD_HELD = "guard-held"  # a guard failed over: the next time an operator has to acknowledge it first
    BACKUP_OLD = "backup-old"
    BACKUP_FAILED = "backup-failed"
    BACKUP_FOREIGN = "backup-foreign"  # it is of another system than the pool's
    BACKUP_UNREADABLE = "backup-unreadable"
    # Of a database
    DATABASE_DOWN = "database-down"
    DATABASE_UNREACHABLE = "database-unreachable"  # servers reach it, the watcher does not
    NOT_WRITABLE = "not-writable"
    NO_EPOCH_ROW = "no-epoch-row"
    EPOCH_CUT_OFF = "epoch-cut-off"
    ROGUE_PRIMARY = "rogue-primary"  # writable, though another one is active
    NOT_STREAMING = "not-streaming"
    NOT_SYNCHRONOUS = "not-synchronous"
    UNPROTECTED = "unprotected"  # commits are acknowledged that the secondary may not have
    ENDLESS_WAIT = "endless-wait"  # commits wait for more than there can be
    STALE = "stale"
    UNMANAGED = "unmanaged"
    PENDING_RESTART = "pending-restart"
    DATABASE_OF_OTHER_POOL = "database-of-other-pool"
    FOREIGN = "foreign"  # of another system than the pool's
    REPLAY_PAUSED = "replay-paused"
    PREPARED_TRANSACTIONS = "prepared-transactions"
    LONG_TRANSACTIONS = "long-transactions"
    BACKUP_RUNNING = "backup-running"
    SLOT_UNUSED = "slot-unused"
    SLOT_LOST = "slot-lost"
    SLOT_KEEPS = "slot-keeps"
    # Of a pool server
    SERVER_OF_OTHER_POOL = "server-of-other-pool"
    SERVER_UNREACHABLE = "server-unreachable"  # it lives, and the watcher cannot ask it
    SERVER_DOWN = "server-down"
    SERVER_CUT_OFF = "server-cut-off"
    SERVER_WAITING = "server-waiting"
    SERVER_OVERLOADED = "server-overloaded"
    SERVER_DRAINING = "server-draining"
    SERVER_UNKNOWN = "server-unknown"
    SERVER_LEFT = "server-left"
    SERVER_SILENT = "server-silent"
    # Of a sprayer
    SPRAYER_DOWN = "sprayer-down"
    CUT_OFF = "cut-off"
    DIFFERS = "differs"
    UNCHECKED = "unchecked"
    NO_MAP = "no-map"
    # Of a mail server or cluster
    MAIL_DOWN = "mail-down"
    MAIL_CLOSED = "mail-closed"
    MAIL_OUT = "mail-out"
    MAIL_LATE = "mail-late"
    WITHOUT_MAIL = "without-mail"
    # Of the ledger
    LEDGER_UNREADABLE = "ledger-unreadable"
    NO_LEADER = "no-leader"
    FOLLOWING = "following"
    DISAGREES = "disagrees"
    # Of a recording that a version without codes wrote
    RECORDED = "recorded"


class Action(StrEnum):
    """A kind of step that an operator can take next."""

    PLAN = "plan"  # an operation
    CHECK = "check"
    STATUS = "status"
    SERVE = "serve"  # start a pool server
    GUARD = "guard"  # start a guard
    SHOW = "show"  # an operation that runs
    RESUME = "resume"
    UNDO = "undo"
    CANCEL = "cancel"
    USERS_WITHOUT_MAIL = "users-without-mail"
    MANAGER_RESUME = "manager-resume"
    MANAGER_RESTART = "manager-restart"
    MEND = "mend"  # a setting or a program, by hand
    RECORDED = "recorded"  # a command that a version without codes wrote


@dataclass(frozen=True, slots=True)
class ByHand:
    """Why commits do not wait for the partner, which a person has to mend."""

    gap: Gap
    partner: str
    commits: Durability


@dataclass(frozen=True, slots=True)
class Next:
    """The step that comes next, with its target."""

    action: Action
    targets: tuple[str, ...] = ()
    operation: str = ""  # the kind of operation to plan
    mend: ByHand | None = None


CHECK, STATUS = Next(Action.CHECK), Next(Action.STATUS)


def plan(operation: str, *targets: str) -> Next:
    """To plan an operation."""
    return Next(Action.PLAN, targets, operation)


def serve(*servers: str) -> Next:
    """To start a pool server; a new one when none is named."""
    return Next(Action.SERVE, servers)


def mend(found: Durability, partner: str, all_gaps: frozenset[Gap]) -> Next:
    """To mend the first gap that no operation mends by itself; without one, to protect the pool."""
    first = next((gap for gap in Gap if gap in all_gaps and gap in BY_HAND), None)
    return plan("protect") if first is None else Next(Action.MEND, mend=ByHand(first, partner, found))


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a problem or an event beside its code; each kind has a class of its own."""


NONE = Facts()


@dataclass(frozen=True, slots=True)
class Reason(Facts):
    """Why, as a driver or a node said it."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Named(Facts):
    """Names, or one."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded(Facts):
    """A text as it was recorded: by a pool server, or by a version that wrote no codes."""

    text: str
    state: str = ""
    means: str = ""
    names: tuple[str, ...] = ()  # of nodes


# Of the pool


class Evidence(StrEnum):
    """By what a split was seen."""

    COPY = "copy"  # a server reaches a copy of the active database
    CLAIMS = "claims"  # servers or databases use different physical databases as the pool's
    UNHEARD = "unheard"  # leases are held that the database knows nothing of
    SESSIONS = "sessions"  # servers have sessions on two databases that are both written to


@dataclass(frozen=True, slots=True)
class Place:
    """Servers that use a database; `system` where names do not tell databases apart."""

    database: str
    servers: tuple[str, ...]
    system: str | None = None
    reason: str = ""  # how a server knows that it is on a copy


@dataclass(frozen=True, slots=True)
class Split(Facts):
    """How the pool is split."""

    evidence: Evidence
    places: tuple[Place, ...]
    writable: tuple[str, ...] = ()  # databases that are ACTIVE and take writes


@dataclass(frozen=True, slots=True)
class Dispute(Facts):
    """Watcher and servers disagree on whether a database is there."""

    database: str
    servers: tuple[str, ...]
    renewed: bool  # the servers renewed leases that the watcher cannot see; else they cannot use what it reaches


@dataclass(frozen=True, slots=True)
class OperationFacts(Facts):
    """The operation that has the pool."""

    id: str
    kind: str
    owner: str
    host: str
    step: int
    action: str  # what the step does, as its runner wrote it
    targets: tuple[str, ...] = ()  # nodes that it is about
    silent: float | None = None  # seconds; None: its runner lives, or gives no sign of life
    ways: tuple[IntentWay, ...] = ()


@dataclass(frozen=True, slots=True)
class PausedGuard(Facts):
    """A pause that an operator ordered."""

    until: float  # unix seconds
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """The step that a problem needs, and the kind of operation that has the pool until then."""

    next: Next
    operation: str


@dataclass(frozen=True, slots=True)
class OldBackup(Facts):
    """A backup that is too old, or none at all."""

    newest: float | None  # unix seconds; None: there is no backup
    older: float  # seconds that it may be old


# Of a database


class Effect(StrEnum):
    """The effect of a database that is lost, or follows no more."""

    UNDECIDED = "undecided"  # nobody says which database is active
    NOTHING_LEFT = "nothing-left"  # no database can be reached
    MANAGER_PROMOTES = "manager-promotes"
    FAILS_OVER = "fails-over"  # servers hold requests until the pool fails over
    NO_TAKEOVER = "no-takeover"  # the active one is lost too
    MANAGER_GOES_ON = "manager-goes-on"
    WITHHELD = "withheld"  # servers take no lease, because the ledger counts on it
    OTHERS_CONFIRM = "others-confirm"
    STOPS = "stops"  # commits wait for it
    ALONE = "alone"
    SPARE = "spare"  # nothing waits for it


@dataclass(frozen=True, slots=True)
class Lost(Facts):
    """A database that is down, or that follows no more."""

    effect: Effect
    reason: str | None = None  # the driver's
    active: str | None = None
    partner: str = ""  # of the pair
    manager: str | None = None
    stale: bool = False  # the partner may lack acknowledged writes
    commits: Durability | None = None


@dataclass(frozen=True, slots=True)
class Commits(Facts):
    """The settings that commits wait by, and why they do not wait for the partner alone."""

    active: str
    partner: str
    commits: Durability | None
    gaps: tuple[Gap, ...]
    stalled: bool = False  # servers take no lease for it


@dataclass(frozen=True, slots=True)
class Recovering(Facts):
    """Whether the active database is in recovery; else it is read-only."""

    recovering: bool


@dataclass(frozen=True, slots=True)
class Replicates(Facts):
    """How a secondary follows that should follow synchronously."""

    active: str
    sync_state: str | None


@dataclass(frozen=True, slots=True)
class OfManager(Facts):
    """Something that the manager of the pair says."""

    manager: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Foreign(Facts):
    """A database of another system."""

    system: str
    expected: str | None


@dataclass(frozen=True, slots=True)
class Obstacle(Facts):
    """An obstacle to a change of the pair's roles, on one database."""

    code: ProblemCode
    database: str
    serious: bool = True  # a change of roles would fail or lose something; else it only takes longer, or costs room
    prepared: tuple[str, ...] = ()  # names of prepared transactions
    open: tuple[Transaction, ...] = ()
    backups: int = 0
    slot: str = ""
    kept: int | None = None  # bytes

    @property
    def kind(self) -> ObstacleKind:
        """How a plan's check of it is called."""
        return _KINDS[self.code]


class ObstacleKind(StrEnum):
    """A kind of obstacle. Checks of plans are called so."""

    BACKUP = "backup"
    PREPARED = "prepared"
    LONG = "long-transaction"
    REPLAY = "replay"
    SLOT = "slot"


_KINDS: Mapping[ProblemCode, ObstacleKind] = {
    ProblemCode.REPLAY_PAUSED: ObstacleKind.REPLAY,
    ProblemCode.PREPARED_TRANSACTIONS: ObstacleKind.PREPARED,
    ProblemCode.LONG_TRANSACTIONS: ObstacleKind.LONG,
    ProblemCode.BACKUP_RUNNING: ObstacleKind.BACKUP,
    ProblemCode.SLOT_UNUSED: ObstacleKind.SLOT,
    ProblemCode.SLOT_LOST: ObstacleKind.SLOT,
    ProblemCode.SLOT_KEEPS: ObstacleKind.SLOT,
}


# Of a pool server


class Fate(StrEnum):
    """The fate of the users of a server that is down."""

    TAKEN = "taken"
    STRANDED = "stranded"  # no other server has room
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class LostServer(Facts):
    """A server that is down."""

    reason: str
    fate: Fate
    users: int = 0


@dataclass(frozen=True, slots=True)
class Unasked(Facts):
    """A server that lives, though the watcher cannot ask it."""

    reason: str | None
    late: bool  # its heartbeat is: only its lease says that it lives


class Relief(StrEnum):
    """The help that an overloaded server needs."""

    REBALANCE = "rebalance"
    ENABLE = "enable"  # a server that is drained
    START = "start"  # a server that does not run
    ADD = "add"


@dataclass(frozen=True, slots=True)
class Overload(Facts):
    """An overloaded server, and what would help it."""

    reason: str
    relief: Relief
    helper: str = ""


# Of a sprayer


@dataclass(frozen=True, slots=True)
class LostSprayer(Facts):
    """A sprayer that is down."""

    reason: str | None
    others: bool  # another one is there


@dataclass(frozen=True, slots=True)
class Away:
    """A server that a sprayer does not reach, with its last check."""

    server: str
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Oddity(Facts):
    """Something odd in how one sprayer sees the pool servers."""

    code: ProblemCode
    sprayer: str
    servers: tuple[str, ...] = ()
    away: tuple[Away, ...] = ()
    lacking: tuple[str, ...] = ()  # maps of our configuration that it does not have
    maps: tuple[str, ...] = ()  # those that it has
    serious: bool = True
    lasts: int | None = None  # seconds, as far as the sprayer tells


# Of mail


@dataclass(frozen=True, slots=True)
class LostMail(Facts):
    """A mail server that is down, out of service or closed."""

    cluster: str
    partners: tuple[str, ...]
    reason: str | None = None
    users: int | None = None
    in_service: bool | None = None


@dataclass(frozen=True, slots=True)
class Ahead(Facts):
    """Mailboxes with mail of which the mail servers had not told."""

    mailboxes: int


@dataclass(frozen=True, slots=True)
class NoMail(Facts):
    """Users of a cluster that have no mail for one reason."""

    trouble: TroubleReport


# Of the ledger


@dataclass(frozen=True, slots=True)
class TwoRecords(Facts):
    """The ledger and the active database's own row do not say the same."""

    epoch: int
    active: str
    row_epoch: int
    row_active: str
    manager: str | None = None


# Of events


class EventKind(StrEnum):
    """Each kind of event that there is."""

    VERDICT = "verdict"
    EPOCH = "epoch"
    ACTIVE_DATABASE = "active-database"
    PROTECTION = "protection"
    JOINED = "joined"
    LEFT = "left"
    STATE = "state"
    ROLE = "role"
    REPLICATION = "replication"
    TARGET = "target"
    RESTARTED = "restarted"
    USERS_MOVED = "users-moved"
    WITHOUT_MAIL = "without-mail"
    WITH_MAIL_AGAIN = "with-mail-again"
    WATCHER_FAILED = "watcher-failed"
    WATCHER_REPLACED = "watcher-replaced"
    RECORDED = "recorded"  # what a pool server recorded, in its words


@dataclass(frozen=True, slots=True)
class Change(Facts):
    """A value that is another one now."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class StateChange(Facts):
    """A node's state that is another one now; after `out_of_service` why, as far as that is known."""

    before: str
    after: str
    working: bool  # it is as it should be: no reason is said
    reason: str = ""  # as the node or its driver said it
    out_of_service: bool = False
    managed: Managed | None = None


@dataclass(frozen=True, slots=True)
class Came(Facts):
    """A node that joined or left."""

    kind: str  # a NodeKind
    state: str = ""


@dataclass(frozen=True, slots=True)
class Restart(Facts):
    """A sprayer that is another process now."""

    knew: int | None  # users, before
    knows: int | None


@dataclass(frozen=True, slots=True)
class Move(Facts):
    """Users that are on other nodes now."""

    users: int
    losers: tuple[str, ...]
    winners: tuple[str, ...]


class WatcherEnding(StrEnum):
    """How the process that watches ended."""

    SIGNAL = "signal"
    CODE = "code"
    SILENT = "silent"  # for too long: it was ended
    NO_PIPE = "no-pipe"
    NO_START = "no-start"
    REFUSED = "refused"  # its configuration


@dataclass(frozen=True, slots=True)
class Ended(Facts):
    """How the process that watches ended; the number is a signal, an exit code or seconds."""

    ending: WatcherEnding
    number: float = 0.0
    reason: str = ""

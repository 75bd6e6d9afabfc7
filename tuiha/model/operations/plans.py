"""What plans and operations are made of: verdicts, checks, states, and what can be lost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tuiha.model.operations.statements import Statement


class CheckVerdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"  # shown, does not stop
    BAD = "bad"  # stops, unless it is overridden by name and with a reason
    NEVER = "never"  # stops, and cannot be overridden: going on would break the pool


class CheckId(StrEnum):
    """The checks of plans, by the name that an override types."""

    ACCEPTING = "accepting"
    ACKNOWLEDGED = "acknowledged"
    AGENT = "agent"
    ANSWERS = "answers"
    ATTACHED = "attached"
    BACKUP = "backup"
    BALANCE = "balance"
    CANDIDATE = "candidate"
    CAPACITY = "capacity"
    CHECKPOINT = "checkpoint"
    CONFIGURED = "configured"
    OVERLOADED = "overloaded"
    COPY = "copy"
    DISK = "disk"
    DISPUTED = "disputed"
    EPOCH = "epoch"
    FOLLOWS = "follows"
    GONE = "gone"
    HOST = "host"
    IDENTITY = "identity"
    JOURNAL = "journal"
    LAG = "lag"
    LAST = "last"
    LEASE = "lease"
    LOCKS = "locks"
    LOG_INS = "log-ins"
    LONG = "long-transaction"
    MAINTENANCE = "maintenance"
    MOVES = "moves"
    OPERATION = "operation"
    PARTNER = "partner"
    PASSWORD = "password"
    PATRONI = "patroni"
    PENDING_RESTART = "pending-restart"
    PHASE = "phase"
    PINNED = "pinned"
    POOL = "pool"
    PREPARED = "prepared"
    PROMOTION = "promotion"
    PROTECTION = "protection"
    REACHED = "reached"
    RECEIVING = "receiving"
    RECOVERY = "recovery"
    REHEARSAL = "rehearsal"
    REPLAY = "replay"
    REPLICATION = "replication"
    RETURNS = "returns"
    REWIND = "rewind"
    RIGHTS = "rights"
    ROOM = "room"
    RUNNER = "runner"
    SCHEDULED = "scheduled"
    SERVER = "server"
    SERVERS = "servers"
    SETTINGS = "settings"
    SLOT = "slot"
    SLOTS = "slots"
    SLOW = "slow"
    SPLIT = "split"
    SPRAYER = "sprayer"
    SPRAYERS = "sprayers"
    STATE_FOLDER = "state-folder"
    STEERABLE = "steerable"
    ROGUE_PRIMARY = "rogue-primary"
    SYNCHRONOUS = "synchronous"
    SYNCHRONOUS_MODE = "synchronous-mode"
    TAKERS = "takers"
    UNLOGGED = "unlogged"
    USER = "user"
    USERS = "users"
    VERSION = "version"
    WAY_BACK = "way-back"
    WITHOUT = "without"


class OperationStatus(StrEnum):
    """How an operation is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its runner died before it came to a result

    @classmethod
    def _missing_(cls, value: object) -> OperationStatus:
        """A word of a later version."""
        return cls.UNKNOWN


class StepStatus(StrEnum):
    """How a step of an operation is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # it certainly did not happen
    UNKNOWN = "unknown"
    STOPPED = "stopped"  # an operator stopped the operation inside it
    UNDONE = "undone"


class Moment(StrEnum):
    """Figures of evidence that are moments (unix seconds): an operation's times are counted from them."""

    BEGUN = "begun_at"  # the first step
    HELD = "held_at"  # the first server held its requests
    RENEWED = "renewed_at"  # the last lease before the outage
    SERVED = "served_at"  # the last server has its lease on the new primary


class Uncounted(StrEnum):
    """Why the requests of a server cannot be counted for an operation."""

    RESTARTED = "restarted"  # its counters began again
    SILENT_BEFORE = "silent-before"
    SILENT_AFTER = "silent-after"


class ServerPart(StrEnum):
    """What a server may do while users move: the worst first."""

    GIVES = "gives"  # dead or draining: all its users move
    APART = "apart"  # lives, but cannot be asked from here: it is left alone
    KEEPS = "keeps"  # overloaded: gives what it has too much, takes nobody
    TAKES = "takes"  # lives, accepts: gives and takes

    def betters(self, before: ServerPart) -> bool:
        """Whether a server that was `before` so can only make a move of users easier."""
        order = tuple(ServerPart)
        return order.index(self) > order.index(before)


class Extent(StrEnum):
    """How much an operation may lose."""

    NONE = "none"
    UP_TO = "up to"  # an amount that the plan knows
    UNKNOWN = "unknown"


class Unit(StrEnum):
    """What an amount of loss counts."""

    SECONDS = "seconds"
    BYTES = "bytes"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Loss:
    """What an operation may lose."""

    extent: Extent
    says: Statement
    amount: int | None = None  # of UP_TO
    unit: Unit | None = None

    @property
    def kind(self) -> tuple[object, ...]:
        """What an operator decides on: equal for losses that differ in figures which move by themselves."""
        return self.extent, self.says.code, self.unit, self.says.figures.get("gaps")

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"extent": str(self.extent), "amount": self.amount, "unit": self.unit and str(self.unit),
                **self.says.document()}


def nothing(says: Statement) -> Loss:
    """No loss, and why there is none."""
    return Loss(Extent.NONE, says)


def something(says: Statement) -> Loss:
    """A loss whose size nobody knows."""
    return Loss(Extent.UNKNOWN, says)


def loss_of(document: Mapping[str, Any], says: Statement) -> Loss:
    """The loss in a JSON document. Raises KeyError or ValueError for another document."""
    unit = document["unit"]
    return Loss(Extent(document["extent"]), says, document["amount"], None if unit is None else Unit(unit))

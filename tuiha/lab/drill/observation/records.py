"""What a drill recorded from outside: what servers and databases said of themselves, what devices were answered.

All times are unix seconds of this machine's clock, which is the databases' clock as well. What was asked was true at
some moment between `sent` and `received`; the checker concludes nothing finer than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Status:
    """A pool server's own view, from GET /control/status."""

    server: str
    sent: float
    received: float
    database: str | None
    epoch: int | None
    lease_seconds: float | None
    held: bool = False  # it lets nothing through, and nothing is in flight

    @property
    def using(self) -> bool:
        """Whether it said that it may use a database, and lets requests through to it."""
        return self.leased and not self.held

    @property
    def leased(self) -> bool:
        """Whether it said that it may use a database."""
        return self.database is not None and self.epoch is not None and (self.lease_seconds or 0.0) > 0.0


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """One row of the table `lease`."""

    server: str
    epoch: int
    renewed_at: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One look into a database."""

    database: str
    sent: float
    received: float
    writable: bool  # it is no secondary
    epoch: int
    active: str  # the database that is active, by this one's epoch row
    state: str  # ACTIVE or FENCED
    changed_at: float  # of the epoch row
    leases: tuple[LeaseRow, ...]
    sessions: Mapping[str, int]  # server -> its sessions in pg_stat_activity
    followers: tuple[str, ...] = ()  # databases that every commit waits for: rows of pg_stat_replication that are sync
    waits: bool = False  # commits wait for some secondary, by its settings

    @property
    def acknowledges(self) -> bool:
        """Whether a commit could be acknowledged there."""
        return self.writable and (bool(self.followers) or not self.waits)


@dataclass(frozen=True, slots=True)
class Ack:
    """A write that a server acknowledged: a device was registered."""

    server: str
    user: str
    device: str
    sent: float
    received: float


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """A write that no server acknowledged: refused, cut off or never answered. It may be done all the same."""

    server: str
    user: str
    device: str
    sent: float


@dataclass(frozen=True, slots=True)
class Read:
    """A read that a server answered: the user's devices."""

    server: str
    user: str
    devices: frozenset[str]
    sent: float
    received: float


@dataclass(slots=True)
class DrillRecording:
    """Everything, each list in the order of `received`."""

    statuses: list[Status] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    attempts: list[Unacknowledged] = field(default_factory=list)  # in the order in which they were given up
    reads: list[Read] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)  # (end, seconds): the recorder itself did not run

"""The protocols that drivers speak, and the errors they raise.

A driver asks one real system and answers with a frozen report. `poll` has no deadline of its own: the caller sets
one (`asyncio.timeout`), and a driver must survive being cancelled there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuiha.model.problems.causes import Cause
from tuiha.model.reports import (
    DatabaseReport,
    LedgerRecord,
    MailReport,
    PastFigures,
    ServerReport,
    SprayerReport,
)


class DriverError(Exception):
    """A target could not be asked, or answered nonsense. The text is short and fit for a screen, without secrets."""

    def __init__(self, text: str = "", cause: Cause = Cause.OTHER) -> None:
        super().__init__(text)
        self.cause = cause  # what a remedy is chosen by


class Conflict(Exception):
    """A compare-and-set found another revision: somebody else changed the ledger first."""


class AgentError(Exception):
    """An agent could not do what it was told, or not in time. The text is for people."""


class ServerDriver(Protocol):
    """A pool server."""

    capabilities: frozenset[str]

    async def poll(self) -> ServerReport:
        """Ask the server for its own view. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


@runtime_checkable
class RememberingServer(ServerDriver, Protocol):
    """A pool server that knows what its figures were."""

    async def past(self) -> PastFigures:
        """Ask the server for its figures of the last minutes. Raises DriverError."""


class DatabaseDriver(Protocol):
    """One node of the database pair."""

    capabilities: frozenset[str]

    async def poll(self) -> DatabaseReport:
        """Ask the node for role, identity, positions and what the pool's tables say. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


class SprayerDriver(Protocol):
    """An IP sprayer."""

    capabilities: frozenset[str]

    async def poll(self) -> SprayerReport:
        """Ask for sessions and backends. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


class MailDriver(Protocol):
    """A mail server."""

    capabilities: frozenset[str]

    async def poll(self) -> MailReport:
        """Log a probe user in and select its INBOX. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


class LedgerDriver(Protocol):
    """The pool's record. Changed by compare-and-set only."""

    capabilities: frozenset[str]

    async def poll(self) -> LedgerRecord:
        """Read the record. Raises DriverError when it is missing or damaged."""

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Write the first record. Raises Conflict when there is one already."""

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Write `new` if the stored revision is still `old.revision`; returns it with its revision. Raises Conflict."""

    async def close(self) -> None:
        """Drop what is open."""


@runtime_checkable
class LeasedLedger(LedgerDriver, Protocol):
    """A ledger that knows whether the operation in it still has a living host."""

    async def holder(self) -> str | None:
        """The host that holds the intent; None when there is none, or its lease has ended. Raises DriverError."""


@dataclass(frozen=True, slots=True)
class GuardTexts:
    """What a ledger keeps for guards, as texts that only guards and operators understand."""

    notes: str | None = None  # what guards share; None: nothing yet
    revision: int = 0  # of the notes
    report: str | None = None  # what the active guard said last; None: no guard is active


@runtime_checkable
class GuardLedger(LedgerDriver, Protocol):
    """A ledger that keeps guards apart: one of them is the active one, and what they share outlives all of them."""

    async def guard_texts(self) -> GuardTexts:
        """Read both. Raises DriverError."""

    async def note_guard(self, revision: int, notes: str) -> int:
        """Write the notes if they still have that revision; returns the new one. Raises Conflict, DriverError."""

    async def hold_guard(self, report: str) -> bool:
        """Be the active guard, or stay it, and say so; False while another one is. Raises DriverError."""

    async def drop_guard(self) -> None:
        """Be the active guard no more. Raises DriverError."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where a stopped database ends."""

    clean: bool  # it wrote a shutdown checkpoint, and has sent all of it to whoever followed
    position: int  # a byte of its last record: whoever has replayed as far has replayed everything
    timeline: int


class Agent(Protocol):
    """Stops, starts, fences, rewinds and copies one database, on its own host. Every action can be repeated.

    All of them raise AgentError when they fail or pass their time limit.
    """

    async def stop(self, mode: str = "fast") -> Stopped:
        """Stop it: `fast` is clean, `immediate` is at once."""

    async def start(self) -> None:
        """Start it as what it was; returns before it answers."""

    async def position(self) -> Stopped:
        """Where it ends, while it is stopped."""

    async def fence(self) -> bool:
        """See that it does not run and will not start by itself; whether it ran before."""

    async def rewind(self, source: str) -> str:
        """Rewind it, stopped, to where `source` left its history; what the program said last."""

    async def base_backup(self, source: str) -> None:
        """Replace it, stopped, by a fresh copy of `source`; the old data folder is kept beside it."""

    async def follow(self, source: str) -> None:
        """Have it start as the secondary of `source`."""

"""The five protocols that drivers speak, and the one error they raise.

A driver asks one real system and answers with a frozen report. `poll` has no deadline of its own: the caller sets
one (`asyncio.timeout`), and a driver must survive being cancelled there.
"""

from __future__ import annotations

from typing import Protocol

from tuiha.model.reports import (
    DatabaseReport,
    LedgerRecord,
    MailReport,
    ServerReport,
    SprayerReport,
)


class DriverError(Exception):
    """A target could not be asked, or answered nonsense. The text is short and fit for a screen, without secrets."""


class Conflict(Exception):
    """A compare-and-set found another revision: somebody else changed the ledger first."""


class ServerDriver(Protocol):
    """A pool server."""

    capabilities: frozenset[str]

    async def poll(self) -> ServerReport:
        """Ask the server for its own view. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


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

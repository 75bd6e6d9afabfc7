"""A double of a ledger: one record in memory, compared and set as the real ones do.

The real file has no moment at which it is silent in the middle of a step. Patroni's record follows its leader, and a
test cannot set it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tuiha.drivers.protocols import Conflict, DriverError
from tuiha.model.reports import LedgerRecord


@dataclass
class MemoryLedger:
    """The record, which may be out of reach, and what was written."""

    record: LedgerRecord | None = None
    silent: bool = False
    why: str = "the ledger does not answer"
    said: list[str] = field(default_factory=list)
    capabilities: frozenset[str] = frozenset({"poll", "create", "replace"})

    async def poll(self) -> LedgerRecord:
        """The record. Raises DriverError."""
        if self.silent or self.record is None:
            raise DriverError(self.why)
        return self.record

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Write the first record. Raises Conflict, DriverError."""
        if self.silent:
            raise DriverError(self.why)
        if self.record is not None:
            raise Conflict("there is a record")
        self.record = replace(record, revision=1)
        return self.record

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Write the next record. Raises Conflict, DriverError."""
        if (await self.poll()).revision != old.revision:
            raise Conflict("somebody else was first")
        self.record = replace(new, revision=old.revision + 1)
        self.said.append(f"ledger {new.standby}")
        return self.record

    async def close(self) -> None:
        """Nothing is open."""

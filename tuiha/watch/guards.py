"""What is kept of a pool's guards, read from its ledger: by every dashboard, and by the guards themselves."""

from __future__ import annotations

import json
from typing import TypeVar

from tuiha.drivers.protocols import DriverError, GuardLedger, GuardTexts
from tuiha.model.guard.report import GuardNotes, GuardRecord, GuardReport
from tuiha.model.problems.causes import Cause
from tuiha.watch.recording.codec import DecodeError, pack, unpack

T = TypeVar("T")


class GuardReader:
    """Reads the guards' record; the ledger's connections are not its own."""

    def __init__(self, ledger: GuardLedger) -> None:
        self._ledger = ledger

    async def poll(self) -> GuardRecord:
        """Notes, and the word of the active guard. Raises DriverError."""
        return record_of(await self._ledger.guard_texts())

    async def close(self) -> None:
        """Nothing is open."""


def record_of(texts: GuardTexts) -> GuardRecord:
    """The typed record. Raises DriverError for notes that cannot be read: a pause may be in them."""
    notes = GuardNotes() if texts.notes is None else _read(GuardNotes, texts.notes)
    report = None if texts.report is None else _read(GuardReport, texts.report)
    return GuardRecord(notes, report)


def text_of(value: GuardNotes | GuardReport) -> str:
    """As the ledger keeps it."""
    return json.dumps(pack(value), ensure_ascii=False)


def _read(kind: type[T], text: str) -> T:
    try:
        return unpack(kind, json.loads(text))
    except (ValueError, RecursionError, DecodeError) as error:
        raise DriverError(f"what the ledger keeps of guards cannot be read: {error}", Cause.DAMAGED) from None

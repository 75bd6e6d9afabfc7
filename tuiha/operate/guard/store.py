"""The guards' record in the ledger, as guards and operators change it: by compare-and-set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from tuiha.drivers.protocols import Conflict, DriverError, GuardLedger, LedgerDriver
from tuiha.model.guard.report import MOST_ACTS, GuardAct, GuardNotes, GuardRecord, GuardReport
from tuiha.model.operations.refusals import Refused
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.watch.guards import record_of, text_of

_TRIES = 10
_PAUSE = 0.02  # seconds between two tries
Change = Callable[[GuardNotes], GuardNotes]


class GuardStore:
    """Reads and changes what a pool's ledger keeps of guards."""

    def __init__(self, ledger: GuardLedger) -> None:
        self._ledger = ledger

    async def read(self) -> GuardRecord:
        """Notes, and the word of the active guard. Raises DriverError."""
        return record_of(await self._ledger.guard_texts())

    async def change(self, change: Change) -> GuardNotes:
        """Change the notes, whatever they are by now; returns them as written. Raises DriverError."""
        for _ in range(_TRIES):
            texts = await self._ledger.guard_texts()
            notes = change(record_of(texts).notes)
            try:
                await self._ledger.note_guard(texts.revision, text_of(notes))
                return notes
            except Conflict:
                await asyncio.sleep(_PAUSE)
        raise DriverError("the guards' notes are changed by others all the time")

    async def hold(self, report: GuardReport) -> bool:
        """Be the active guard, or stay it; False while another one is. Raises DriverError."""
        return await self._ledger.hold_guard(text_of(report))

    async def drop(self) -> None:
        """Be the active guard no more. Raises DriverError."""
        await self._ledger.drop_guard()


def store_in(ledger: LedgerDriver | None) -> GuardStore:
    """The record in that ledger. Raises OperationRefused for a ledger that keeps none."""
    if not isinstance(ledger, GuardLedger):
        raise OperationRefused(Refused.NO_GUARD_LEDGER())
    return GuardStore(ledger)


def begun(act: GuardAct) -> Change:
    """The notes with an act that is about to begin. Raises OperationRefused while an operator has paused guards."""
    def change(notes: GuardNotes) -> GuardNotes:
        if (pause := notes.paused(act.at)) is not None:
            raise OperationRefused(Refused.GUARD_PAUSED(by=pause.by, seconds=pause.until - act.at))
        return replace(notes, acts=(*notes.acts, act)[-MOST_ACTS:])

    return change


def never_began(act: GuardAct) -> Change:
    """The notes without an act that was refused."""
    return lambda notes: replace(notes, acts=tuple(one for one in notes.acts if one != act))

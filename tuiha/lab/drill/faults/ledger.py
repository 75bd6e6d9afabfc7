"""Faults of the file that is the ledger, and of the journal of an operation."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass

from tuiha.lab.drill.stage import NotReached, Stage
from tuiha.operate.records.journal import read_records


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """Something that becomes of the ledger's file."""

    text: str
    happen: Callable[[Stage], None]
    marks: bool = True

    async def do(self, stage: Stage) -> None:
        """Let it happen."""
        if self.marks:
            stage.mark()
        self.happen(stage)


def _away(stage: Stage) -> None:
    stage.ledger_text = _taken(stage)


def _damaged(stage: Stage) -> None:
    stage.ledger_text = _taken(stage)
    if not stage.layout.ledger.exists():
        stage.layout.ledger.write_text(_half(stage.ledger_text), encoding="utf-8")


def _taken(stage: Stage) -> str:
    """The text of the ledger, which is moved away in one step: the operation that runs may write it at any moment."""
    moved = stage.layout.ledger.with_suffix(".taken")
    stage.layout.ledger.rename(moved)
    text = moved.read_text(encoding="utf-8")
    moved.unlink()
    return text


def _half(text: str) -> str:
    return text[:len(text) // 2]


def _unwritable(stage: Stage) -> None:
    """Nobody can take its lock any more: also not root, for whom no file is read-only."""
    lock = stage.layout.ledger.with_name(f"{stage.layout.ledger.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


def _writable(stage: Stage) -> None:
    stage.layout.ledger.with_name(f"{stage.layout.ledger.name}.lock").rmdir()


def _back(stage: Stage) -> None:
    """Restore what was taken, unless the operation has written a newer one meanwhile."""
    if stage.ledger_text is None:
        raise NotReached("the ledger was not taken away")
    path = stage.layout.ledger
    if path.exists() and path.read_text(encoding="utf-8") != _half(stage.ledger_text):
        return
    draft = path.with_suffix(".restored")
    draft.write_text(stage.ledger_text, encoding="utf-8")
    draft.rename(path)


@dataclass(frozen=True, slots=True)
class JournalFull:
    """No byte more can be written to the journal of the operation that runs: its runner's files may not grow."""

    text: str = "there is no room for the journal any more"

    async def do(self, stage: Stage) -> None:
        """Limit the size of the runner's files to what the journal has. Raises NotReached when it has ended."""
        stage.mark()
        folder = stage.operator.store.find(stage.operating or "")
        pids = [record["pid"] for record in read_records(folder.journal) if record.get("pid")]
        if not pids or not folder.alive():
            raise NotReached("the runner had ended before its journal was full")
        most = folder.journal.stat().st_size
        resource.prlimit(pids[-1], resource.RLIMIT_FSIZE, (most, most))


LEDGER_LOST = LedgerFault("the ledger's file is gone", _away)
LEDGER_DAMAGED = LedgerFault("the ledger's file is cut in half", _damaged)
LEDGER_UNWRITABLE = LedgerFault("the ledger cannot be written", _unwritable)
LEDGER_WRITABLE = LedgerFault("the ledger can be written again", _writable, marks=False)
LEDGER_RESTORED = LedgerFault("the ledger is restored from a copy of the moment", _back, marks=False)

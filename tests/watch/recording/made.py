"""Made-up snapshots, a second apart, of which something can be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.tui.play import at_time, busy
from tests.tui.samples import AT, degraded, healthy
from tuiha.model.facts import Snapshot
from tuiha.watch.recording.writer import Keep, Writer

KEEP = Keep(seconds=7 * 86400.0, bytes=100_000_000)
TROUBLE = range(100, 130)  # the turns in which mail2 is down


def at_turn(turn: int) -> Snapshot:
    """The pool in its so many-th second: busy, and degraded for half a minute."""
    base = degraded() if turn in TROUBLE else healthy()
    return replace(busy(at_time(base, AT + turn), turn), number=turn)


def recorded(path: Path, turns: Sequence[int], keep: Keep = KEEP) -> Path:
    """A recording of these seconds."""
    writer = Writer(path, at_turn(0).pool, keep)
    for turn in turns:
        writer.write(at_turn(turn))
    writer.close()
    return path

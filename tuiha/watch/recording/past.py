"""What a recording knows of the time before a screen began: so that its plots and its day are not empty at first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tuiha.watch.child.messages import KnownFigures, KnownPast, KnownVerdict
from tuiha.watch.history import SPAN, figures_of
from tuiha.watch.recording.reader import Recording
from tuiha.watch.recording.store import Block, RecordingError

DAY = 86_400.0  # seconds
MOST = 180  # snapshots of the last quarter of an hour: one every five seconds
ENOUGH = 1.0  # seconds of work: of a large pool a part has to do


def past_of(path: Path, now: float) -> KnownPast | None:
    """The figures of the last 15 minutes and the verdicts of the last day; None when nothing is recorded."""
    try:
        recording = Recording(path)
    except RecordingError:
        return None
    try:
        return KnownPast(tuple(_figures(recording, now)), tuple(_verdicts(recording.blocks, now)))
    except RecordingError:
        return None
    finally:
        recording.close()


def _verdicts(blocks: tuple[Block, ...], now: float) -> Iterator[KnownVerdict]:
    """The worst verdict of each stretch, oldest first; equal ones that follow each other are one."""
    begin, end, verdict = 0.0, 0.0, ""
    for block in blocks:
        if block.last_at < now - DAY or block.first_at > now:
            continue
        if block.verdict == verdict and block.first_at - end < 2 * (block.last_at - block.first_at + 1.0):
            end = block.last_at
            continue
        if verdict:
            yield KnownVerdict(begin, end, verdict)
        begin, end, verdict = block.first_at, block.last_at, block.verdict
    if verdict:
        yield KnownVerdict(begin, end, verdict)


def _figures(recording: Recording, now: float) -> Iterator[KnownFigures]:
    """Figures of snapshots that are evenly spaced, the newest first, as many as can be read quickly."""
    began, after = time.monotonic(), now
    numbers = [number for block in reversed(recording.blocks) if now - SPAN <= block.last_at and block.first_at <= now
               for number in range(block.last, block.number - 1, -1)]
    stride = max(1, -(-len(numbers) // MOST))
    for number in numbers[::stride]:
        if time.monotonic() - began > ENOUGH:
            return
        with suppress(RecordingError):  # one that cannot be read leaves a gap
            snapshot = recording.snapshot(number)
            if now - SPAN <= snapshot.at < after:
                until = min(after, snapshot.at + 2.0 * stride * snapshot.interval)
                yield KnownFigures(snapshot.at, until, tuple(figures_of(snapshot)))
                after = snapshot.at

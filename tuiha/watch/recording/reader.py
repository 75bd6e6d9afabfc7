"""Reading a recording: frames by number, by time, and from one change to the next."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from tuiha.config.errors import ConfigProblem
from tuiha.model.events import changes_state, events
from tuiha.model.facts import Event, Snapshot
from tuiha.watch.recording import store
from tuiha.watch.recording.codec import DecodeError, Json, unpack
from tuiha.watch.recording.store import Block, RecordingError

CACHED = 4  # blocks


class Recording:
    """A recording that is read; another process may be writing it. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises RecordingError."""
        self.path = path
        self._connection = store.open_for_reading(path)
        self._trees: OrderedDict[tuple[int, int], list[Json]] = OrderedDict()
        self._blocks: tuple[Block, ...] = ()
        try:
            self.pool = store.pool_of(self._connection)
            self.refresh()
        except sqlite3.Error as error:
            raise store.unusable(path, error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks, as of the last refresh; at least one."""
        return self._blocks

    def refresh(self) -> None:
        """Notice what was recorded, or forgotten, meanwhile. Raises RecordingError when there is no frame at all."""
        try:
            self._connection.execute("BEGIN")
            self._blocks = store.blocks(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):  # the first failure is the one that is told
                self._connection.execute("ROLLBACK")
            raise store.unusable(self.path, error) from None
        except (TypeError, ValueError):  # a file from elsewhere, with texts where numbers should be
            problem = ConfigProblem("its list of blocks is damaged", "name another file", file=self.path)
            raise RecordingError(problem) from None
        if not self._blocks:
            raise RecordingError(
                ConfigProblem("nothing is recorded yet", "wait for the first snapshot", file=self.path)
            )

    @property
    def first(self) -> int:
        """The number of the first frame."""
        return self._blocks[0].number

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self._blocks[-1].last

    def block_of(self, number: int) -> Block:
        """The block with that frame, or the nearest one."""
        place = bisect_right(self._blocks, number, key=lambda block: block.number)
        return self._blocks[max(0, place - 1)]

    def number_at(self, at: float) -> int:
        """The newest frame that is not younger than `at` (unix seconds); the first one when all are younger."""
        for block in reversed(self._blocks):
            if block.first_at <= at:
                times = [tree["at"] for tree in self._frames(block)]
                return block.number + max(0, bisect_right(times, at) - 1)
        return self.first

    def snapshot(self, number: int) -> Snapshot:
        """A frame. Raises RecordingError when it is not there any more or cannot be read."""
        block = self.block_of(number)
        frames = self._frames(block)
        place = number - block.number
        if not 0 <= place < len(frames):
            raise RecordingError(
                ConfigProblem("that moment is not in it any more", "go to another one", file=self.path)
            )
        try:
            return unpack(Snapshot, frames[place])
        except DecodeError as error:
            raise RecordingError(ConfigProblem(f"a snapshot cannot be read: {error}", "go to another moment",
                                               file=self.path)) from None

    def _frames(self, block: Block) -> list[Json]:
        key = (block.number, block.frames)
        frames = self._trees.get(key)
        if frames is None:
            try:
                frames = store.trees(self._connection, block)
            except (DecodeError, sqlite3.Error) as error:
                raise RecordingError(ConfigProblem(f"a part of it cannot be read: {error}", "go to another moment",
                                                   file=self.path)) from None
            if frames is None or not all(isinstance(frame, dict) and isinstance(frame.get("at"), (int, float))
                                         for frame in frames):
                raise RecordingError(ConfigProblem("that moment is not in it any more", "go to another one",
                                                   file=self.path))
            self._trees[key] = frames
            if len(self._trees) > CACHED:
                self._trees.popitem(last=False)
        return frames

    def step_events(self, number: int) -> tuple[Event, ...]:
        """What changed from the frame before to this one."""
        return events(self.snapshot(number - 1), self.snapshot(number)) if number > self.first else ()

    def change(self, number: int, forward: bool) -> int | None:
        """The nearest frame after (or before) this one in which a state changed; None when there is none."""
        for block in self._blocks if forward else reversed(self._blocks):
            inside = range(max(block.number, self.first + 1), block.last + 1)
            beyond = [n for n in inside if (n > number if forward else n < number)]
            if not beyond or not block.changes:
                continue
            for candidate in beyond if forward else reversed(beyond):
                if any(map(changes_state, self.step_events(candidate))):
                    return candidate
        return None

    def since(self, number: int, seconds: float) -> int:
        """The frame with which the last seconds before a frame begin."""
        return min(number, self.number_at(self.snapshot(number).at - seconds))

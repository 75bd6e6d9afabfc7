"""Replay: a recording as a feed, moved by whoever looks at it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tuiha.model.events import events
from tuiha.model.facts import Event, Snapshot
from tuiha.watch.feed import Subscribers
from tuiha.watch.history import SPAN, History
from tuiha.watch.recording.reader import Recording
from tuiha.watch.recording.store import Block, RecordingError

SETTLE = 0.15  # seconds without a move until history and older events are put together
NODES = 20_000  # that are read for it, at most: a large pool's history is coarser
KEPT = 1000  # events
STOP = 3.0  # seconds that the thread gets to end
_log = logging.getLogger(__name__)

Move = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a recording."""

    number: int
    first: int
    last: int
    before: Snapshot | None  # the frame before this one
    here: tuple[Event, ...]  # what changed since the frame before
    blocks: tuple[Block, ...]
    remark: str = ""  # why a move did not go where it should


class Replay:
    """Offers a `Feed` of the past. Moves are carried out on a thread of its own; none waits."""

    def __init__(self, path: Path, at: float | None = None) -> None:
        """Open the recording at a moment (unix seconds), or at its end. Reads the file. Raises RecordingError."""
        self._recording = Recording(path)
        self.pool = self._recording.pool
        number = self._recording.last if at is None else self._recording.number_at(at)
        self._latest: Snapshot = self._recording.snapshot(number)
        self._where = self._place(number, "")
        self._history = History(self._latest.interval)
        self._events: tuple[Event, ...] = self._where.here[::-1]
        self._subscribers = Subscribers()
        self._moves: list[Move] = []
        self._settled = False
        self._condition = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="tuiha-replay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and let go of the file."""
        with self._condition:
            self._ending = True
            self._condition.notify()
        self._thread.join(STOP)

    # The feed

    def latest(self) -> Snapshot:
        """The snapshot of the moment that is looked at."""
        return self._latest

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have `call` called after each move, on the thread of the replay. Returns what ends it."""
        return self._subscribers.add(call)

    def events(self) -> tuple[Event, ...]:
        """What had changed up to that moment, newest first; found again from pairs of snapshots."""
        return self._events

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """The 15 minutes before that moment."""
        return self._history.read(node, metric)

    def poll_now(self) -> None:
        """The past brings nothing new."""

    # Moving

    @property
    def where(self) -> Where:
        """The place that is looked at."""
        return self._where

    def step(self, frames: int) -> None:
        """Go on, or back, by so many snapshots."""
        self._move(lambda number: number + frames)

    def jump(self, at: float) -> None:
        """Go to a moment (unix seconds)."""
        self._move(lambda _: self._recording.number_at(at))

    def change(self, forward: bool) -> None:
        """Go to the next snapshot, or back to the last one, in which a state changed."""
        self._move(lambda number: self._recording.change(number, forward))

    def _move(self, move: Move) -> None:
        with self._condition:
            self._moves.append(move)
            self._condition.notify()

    # On the replay's thread

    def _work(self) -> None:
        try:
            while (moves := self._next()) is not None:
                try:
                    if moves:
                        self._go(moves)
                    else:
                        self._settle()
                except Exception as error:  # noqa: BLE001 - a file from elsewhere may hold anything
                    _log.warning("a move in a recording failed", exc_info=True)
                    self._where = self._place_of_failure(f"unexpected {type(error).__name__}: go to another moment")
                    self._settled = True
                    self._subscribers.tell(self._latest)
        finally:
            self._recording.close()

    def _next(self) -> list[Move] | None:
        """The moves to be made; none when there is time for the history; None at the end."""
        with self._condition:
            self._condition.wait_for(self._called, None if self._settled else SETTLE)
            moves, self._moves = self._moves, []
            return None if self._ending else moves

    def _called(self) -> bool:
        return bool(self._moves) or self._ending

    def _go(self, moves: list[Move]) -> None:
        number, remark = self._where.number, ""
        try:
            self._recording.refresh()
            for move in moves:
                target = move(number)
                if target is None:
                    remark = "no state changes beyond this moment"
                elif not self._recording.first <= target <= self._recording.last:
                    remark = "the recording ends here" if target > number else "the recording begins here"
                number = number if target is None else target
                number = max(self._recording.first, min(number, self._recording.last))
            found = self._recording.snapshot(number)
            self._where, self._latest = self._place(number, remark), found
        except RecordingError as error:
            self._where = self._place_of_failure(str(error))
        known = [event for event in self._events if event.at < self._latest.at]
        self._events = (*self._where.here[::-1], *known)[:KEPT]
        self._settled = False
        self._subscribers.tell(self._latest)

    def _place(self, number: int, remark: str) -> Where:
        recording = self._recording
        before = recording.snapshot(number - 1) if number > recording.first else None
        here = tuple(events(before, recording.snapshot(number))) if before is not None else ()
        return Where(number, recording.first, recording.last, before, here, recording.blocks, remark)

    def _place_of_failure(self, remark: str) -> Where:
        was = self._where
        return Where(was.number, was.first, was.last, was.before, was.here, was.blocks, remark)

    def _settle(self) -> None:
        """Put the history and the older events together, unless there is a move to be made."""
        self._settled = True
        history, found = History(self._latest.interval), list[Event]()
        before: Snapshot | None = None
        try:
            number = self._where.number
            first = self._recording.since(number, SPAN)
            every = max(1, (number - first) * _nodes(self._latest) // NODES)
            for past in reversed(range(number, first - 1, -every)):
                if self._called():
                    self._settled = False
                    return
                snapshot = self._recording.snapshot(past)
                history.record(snapshot)
                if before is not None:
                    found += events(before, snapshot)
                before = snapshot
        except RecordingError as error:
            _log.warning("the history of a replay is not whole: %s", error)
        self._history, self._events = history, tuple(reversed(found))[:KEPT]
        self._subscribers.tell(self._latest)


def _nodes(snapshot: Snapshot) -> int:
    return len(snapshot.servers) + len(snapshot.databases) + len(snapshot.sprayers) + len(snapshot.mail)

"""A day of polls at virtual time: `python -m tests.benchmarks.day [--polls 86400]`. Prints one JSON object.

The watcher, its history and events, the writer of the recording and the dashboard are the real ones; only the polls
are made up, and come as fast as they are taken. Something changes with every third of them. Once an hour the dashboard
is looked at: its plots must say what was polled.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from tests.doubles.drivers import settings
from tests.tui.play import at_time, busy
from tests.tui.samples import AT, degraded, healthy, server
from tests.tui.test_app import text
from tests.until import until
from tuiha.model.events import events
from tuiha.model.facts import Event, Snapshot
from tuiha.tui.app import Dashboard
from tuiha.tui.draw.figures import count
from tuiha.tui.theme import load_theme
from tuiha.watch.history import History
from tuiha.watch.poller import Poller
from tuiha.watch.recording.reader import Recording
from tuiha.watch.recording.writer import Keep, Writer
from tuiha.watch.watcher import EVENTS, Watcher

DAY, HOUR = 86_400, 3600
KEEP = Keep(seconds=6 * HOUR, bytes=2_000_000)  # so little that a day is more
SPARE = 1_200_000  # bytes: SQLite's log beside the file, and a block that is being made
PATIENCE = 300.0  # seconds that an hour of polls may take


def at_second(second: float, turn: int) -> Snapshot:
    """The pool so many seconds into the day: busy, in trouble now and then, with a server that is there for an hour."""
    base = degraded() if turn % 6 < 3 else healthy()
    guest = server(f"guest{int(second // HOUR)}", 10)
    pool = replace(base, servers=(*base.servers, guest))
    return replace(busy(at_time(pool, AT + second), turn), number=turn, users=users_at(turn))


def users_at(turn: int) -> int:
    """How many users the pool has in that poll."""
    return 2000 + turn % 777


class Polls:
    """In place of the poller: publishes the next of the day's snapshots whenever it is told to look."""

    def __init__(self, step: float, at_once: int) -> None:
        self._step, self._at_once = step, at_once

    async def run(self, publish: Callable[[Snapshot, tuple[Event, ...]], None], wake: asyncio.Event) -> None:
        """Until cancelled."""
        before, turns = None, itertools.count()
        while await wake.wait():
            wake.clear()
            for turn in itertools.islice(turns, self._at_once):
                snapshot = at_second(turn * self._step, turn)
                publish(snapshot, events(before, snapshot) if before is not None else ())
                before = snapshot


@dataclass
class Found:
    """What a day left behind."""

    polls: int
    seconds: float  # that the day took here
    events: int  # kept
    file_bytes: int  # of the recording and its log, the most there ever was
    frames: int  # that can still be replayed
    memory_mb: float  # resident, at the end
    grown_mb: float  # since the first hour was over
    looks: int  # at plots that said what was polled


def resident() -> float:
    """Megabytes of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def size_of(path: Path) -> int:
    """Bytes of a recording with SQLite's log."""
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))


async def day(polls: int, path: Path) -> Found:
    """Live through it. Raises AssertionError when a plot, the recording or the events say what was not."""
    begun, step, hourly = time.monotonic(), DAY / polls, polls // 24
    pool, poller = settings(interval=step, timeout=step), cast(Poller, Polls(step, hourly))
    watcher = Watcher(pool, path.parent, lambda _, __: poller, History(step))
    writer: list[Writer] = []  # it belongs to the watcher's thread, and is made there
    most, early, looks = 0, 0.0, 0

    def record(snapshot: Snapshot) -> None:
        if not writer:
            writer.append(Writer(path, snapshot.pool, KEEP))
        writer[0].write(snapshot)

    watcher.subscribe(record)
    watcher.start()
    app = Dashboard(watcher, "corp-east", load_theme("dark"), now=lambda: _now(watcher))
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press("0")
            for hour in range(24):
                watcher.poll_now()
                await _reached(watcher, (hour + 1) * hourly - 1)
                await pilot.pause()
                app.paint()
                _look(watcher, text(pilot), step)
                looks, most = looks + 1, max(most, size_of(path))
                early = early or resident()
        kept = watcher.events()
        assert list(kept) == sorted(kept, key=lambda event: -event.at)
    finally:
        watcher.stop()
    recording = Recording(path)
    assert recording.snapshot(recording.last) == watcher.latest()
    frames = recording.last - recording.first + 1
    recording.close()
    return Found(polls, round(time.monotonic() - begun, 1), len(kept), most, frames, round(resident(), 1),
                 round(resident() - early, 1), looks)


def _now(watcher: Watcher) -> float:
    snapshot = watcher.latest()
    return AT if snapshot is None else snapshot.at


def _number(watcher: Watcher) -> int:
    snapshot = watcher.latest()
    return -1 if snapshot is None else snapshot.number


async def _reached(watcher: Watcher, number: int) -> None:
    await until(lambda: _number(watcher) == number, seconds=PATIENCE, pause=0.01)


def _look(watcher: Watcher, shown: str, step: float) -> None:
    """The history is what was polled in the last 15 minutes, the plot says so, and of former guests nothing is left."""
    last = _number(watcher)
    users = watcher.history("corp-east", "users")
    expected = [users_at(turn) for turn in range(max(0, last + 1 - len(users)), last + 1)]
    assert list(users)[-len(expected) :] == expected
    assert f"USERS  now {count(expected[-1])}  peak {count(max(expected))}" in shown, shown
    guests = [hour for hour in range(24) if watcher.history(f"guest{hour}", "users")]
    assert guests == [int(last * step // HOUR)]


def check(found: Found) -> None:
    """What must hold of a day. Raises AssertionError."""
    assert found.events == EVENTS, "a day has more events than are kept"
    assert found.file_bytes < KEEP.bytes + SPARE
    assert 0 < found.frames < found.polls, "the oldest have gone"
    assert found.grown_mb < 8, "what an hour does not need, a day must not keep"


def main() -> None:
    """A whole day."""
    parser = argparse.ArgumentParser(description="Drive the dashboard with a day of polls at virtual time.")
    parser.add_argument("--polls", type=int, default=DAY, help="evenly over the day (default: one a second)")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(day(parser.parse_args().polls, Path(folder) / "day.sqlite"))
    sys.stdout.write(json.dumps({"schema": 1, **asdict(found)}, indent=2) + "\n")
    check(found)


if __name__ == "__main__":
    main()

"""The recorder: takes snapshots from a feed and writes them on a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tuiha.config.errors import ConfigError
from tuiha.model.facts import Snapshot
from tuiha.watch.feed import Feed
from tuiha.watch.recording.writer import Keep, RecordingTaken, Writer

SHARE = 50  # a frame that cost t seconds of CPU is followed by the next no sooner than SHARE * t later
AGAIN = 10.0  # seconds until a file that could not be had is tried again
STOP = 3.0  # seconds that the thread gets to end
_log = logging.getLogger(__name__)


class Recorder:
    """Records what a feed brings. A recorder that falls behind leaves snapshots out; the feed never waits for it."""

    def __init__(self, path: Path, pool: str, keep: Keep, *, again: float = AGAIN) -> None:
        self.path = path
        self._pool, self._keep, self._again = pool, keep, again
        self._waiting: Snapshot | None = None
        self._condition = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._trouble: str | None = None
        self.elsewhere = False  # another process has the file, and records this pool
        self._verdict: str | None = None
        self._not_before = 0.0
        self.written = 0  # frames, since the start

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded here at this moment; None when all is well."""
        return self._trouble

    def start(self, feed: Feed) -> None:
        """Record from now on."""
        self._thread = threading.Thread(target=self._work, name="tuiha-record", daemon=True)
        self._thread.start()
        self._unsubscribe = feed.subscribe(self.take)

    def stop(self) -> None:
        """Write what has come and end; returns when done, or after three seconds."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        with self._condition:
            self._ending = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(STOP)

    def take(self, snapshot: Snapshot) -> None:
        """Have a snapshot recorded. Never waits."""
        with self._condition:
            self._waiting = snapshot
            self._condition.notify()

    # On the recorder's thread

    def _work(self) -> None:
        while not self._ended():
            try:
                writer = Writer(self.path, self._pool, self._keep)
            except (RecordingTaken, ConfigError, OSError, sqlite3.Error) as error:
                self.elsewhere = isinstance(error, RecordingTaken)
                self._in_trouble(str(error), quiet=self.elsewhere)
                self._rest()
                continue
            self.elsewhere = False
            try:
                self._write_with(writer)
            except (OSError, sqlite3.Error) as error:
                self._in_trouble(f"{self.path}: {error}")
                self._rest()
            except Exception as error:  # noqa: BLE001 - watching goes on, and its terminal is not written to
                _log.warning("a snapshot could not be recorded", exc_info=True)
                self._in_trouble(f"unexpected {type(error).__name__} while recording")
                self._rest()

    def _write_with(self, writer: Writer) -> None:
        try:
            while (snapshot := self._next()) is not None:
                began = time.thread_time()
                writer.write(snapshot)
                self.written += 1
                self._trouble = None
                self._verdict = snapshot.verdict
                self._not_before = time.monotonic() + SHARE * (time.thread_time() - began)
        finally:
            writer.close()

    def _next(self) -> Snapshot | None:
        """The next snapshot to be written; None at the end. A change of the verdict is never left out."""
        while True:
            with self._condition:
                while self._waiting is None and not self._ending:
                    self._condition.wait()
                snapshot, self._waiting = self._waiting, None
            if snapshot is None:
                return None
            if snapshot.verdict != self._verdict or time.monotonic() >= self._not_before:
                return snapshot

    def _rest(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._ending, self._again)

    def _ended(self) -> bool:
        with self._condition:
            return self._ending

    def _in_trouble(self, text: str, *, quiet: bool = False) -> None:
        if self._trouble != text:
            _log.log(logging.DEBUG if quiet else logging.WARNING, "nothing is recorded: %s", text)
        self._trouble = text

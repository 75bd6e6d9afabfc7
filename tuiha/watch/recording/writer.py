"""Writing a recording: frame after frame, blocks when they are full, and no more than what is to be kept."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from tuiha.model.events import events
from tuiha.model.facts import Snapshot
from tuiha.watch.recording import store
from tuiha.watch.recording.codec import SAME, Json, difference, pack
from tuiha.watch.recording.store import BLOCK, Frame, transaction


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept: what is older, and the oldest of what is more, goes."""

    seconds: float
    bytes: int


class RecordingTaken(Exception):
    """Another process is recording into that file."""


class Writer:
    """The one writer of a recording. Belongs to the thread that made it."""

    def __init__(self, path: Path, pool: str, keep: Keep) -> None:
        """Take the file. Raises Taken, RecordingError, OSError, sqlite3.Error; a damaged file is put aside first."""
        self._keep = keep
        self._tree: Json = None
        self._last: Snapshot | None = None
        self._in_block = 0
        self._lock = _locked(path.with_name(path.name + ".lock"))
        try:
            self._connection = _sound(path, pool)
        except BaseException:
            os.close(self._lock)
            raise
        self._next = self._first_free()
        with transaction(self._connection):
            self._seal()  # what a killed process left

    def close(self) -> None:
        """Seal what there is and let go of the file."""
        try:
            if self._in_block:
                with transaction(self._connection):
                    self._seal()
                self._give_back()
            self._connection.close()
        finally:
            os.close(self._lock)

    def write(self, snapshot: Snapshot) -> None:
        """Record a snapshot; when this returns, it survives the end of the process. Raises sqlite3.Error."""
        tree = pack(snapshot)
        frame = self._frame(snapshot, tree)
        full = self._in_block + 1 >= BLOCK
        with transaction(self._connection):
            self._connection.execute("INSERT INTO frame VALUES (?, ?, ?, ?, ?, ?)",
                                     (self._next, frame.at, frame.verdict, frame.changes, frame.whole, frame.text))
            if full:
                self._seal()
                self._forget(snapshot.at)
        self._next += 1
        self._in_block = 0 if full else self._in_block + 1
        self._tree, self._last = tree, snapshot
        if full:
            self._give_back()

    def _frame(self, snapshot: Snapshot, tree: Json) -> Frame:
        whole = self._in_block == 0
        change = tree if whole else difference(self._tree, tree)
        text = json.dumps({} if change is SAME else change, separators=(",", ":"), allow_nan=False)
        changes = len(events(self._last, snapshot)) if self._last is not None else 0
        return Frame(snapshot.at, snapshot.verdict.value, changes, whole, text)

    def _first_free(self) -> int:
        return int(self._connection.execute(
            "SELECT max(coalesce((SELECT max(number + frames) FROM block), 1),"
            " coalesce((SELECT max(number) + 1 FROM frame), 1))").fetchone()[0])

    def _seal(self) -> None:
        """Make blocks of the tail."""
        for block in store.blocks(self._connection):
            if block.sealed:
                continue
            lines = [text for (text,) in self._connection.execute(
                "SELECT data FROM frame WHERE number BETWEEN ? AND ? ORDER BY number", (block.number, block.last))]
            self._connection.execute(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                (block.number, block.frames, block.first_at, block.last_at, block.verdict, block.changes,
                 store.sealed(lines)))
        self._connection.execute("DELETE FROM frame")

    def _forget(self, now: float) -> None:
        """Delete blocks that are too old, and the oldest while all of them are too large."""
        self._connection.execute("DELETE FROM block WHERE last_at < ?", (now - self._keep.seconds,))
        spare = self._used() - self._keep.bytes
        if spare <= 0:
            return
        for number, size in self._connection.execute(
                "SELECT number, length(data) FROM block ORDER BY number").fetchall()[:-1]:
            self._connection.execute("DELETE FROM block WHERE number = ?", (number,))
            spare -= size
            if spare <= 0:
                break

    def _give_back(self) -> None:
        """Make the file as small as what is in it."""
        self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` would give one page back

    def _used(self) -> int:
        """Bytes of the file that hold something."""
        def pragma(name: str) -> int:
            return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

        return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")


def _locked(path: Path) -> int:
    """Hold the lock beside the recording; the system lets go of it when the process ends, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise RecordingTaken(f"another process records into {path.stem}") from None
        raise
    return descriptor


def _sound(path: Path, pool: str) -> sqlite3.Connection:
    """The file, opened; one that is damaged is put aside and a new one begun."""
    try:
        connection = store.open_for_writing(path, pool)
        try:
            unclean = connection.execute("SELECT count(*) FROM frame").fetchone()[0]
            if not unclean or connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise store.unusable(path, error) from None
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:  # a full disk, for instance: not the file's fault
            raise
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.rename(path.with_name(f"{path.stem}.damaged-{moment}{path.suffix}"))
    return store.open_for_writing(path, pool)

"""The file of a recording: SQLite with write-ahead logging, sealed blocks and a tail of single frames.

A frame is one snapshot. The tail has a row for each frame, written as it comes, so that a killed process loses
nothing; the first frame of a block is whole, the others are differences from the one before. A full block is put
together and compressed into one row. Frames are numbered on and on; a clock that jumps puts them in no other order.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuiha.config.errors import ConfigError, ConfigProblem
from tuiha.watch.recording.codec import DecodeError, Json, applied

VERSION = 1  # of the schema; a file of a higher one is not touched
APPLICATION = 0x74756861  # "tuha": what marks the file as ours
BLOCK = 60  # frames
MOST = 256 * 1024 * 1024  # bytes that a block may have when it is not compressed: a file may come from anywhere
_BUSY = 5.0  # seconds that another process is waited for

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE block (
    number   INTEGER PRIMARY KEY,  -- of its first frame
    frames   INTEGER NOT NULL,
    first_at REAL NOT NULL,        -- unix seconds
    last_at  REAL NOT NULL,
    verdict  TEXT NOT NULL,        -- the worst in it
    changes  INTEGER NOT NULL,     -- events in it
    data     BLOB NOT NULL         -- zlib: a line of JSON for each frame
);
CREATE INDEX block_span ON block (number, frames, first_at, last_at, verdict, changes);
CREATE TABLE frame (
    number  INTEGER PRIMARY KEY,
    at      REAL NOT NULL,
    verdict TEXT NOT NULL,
    changes INTEGER NOT NULL,
    whole   INTEGER NOT NULL,      -- 1: not a difference
    data    TEXT NOT NULL          -- JSON
);
"""


class RecordingError(ConfigError):
    """A recording cannot be used; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A snapshot as it is stored."""

    at: float
    verdict: str
    changes: int
    whole: bool
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Frames that are stored together."""

    number: int  # of the first frame
    frames: int
    first_at: float
    last_at: float
    verdict: str
    changes: int
    sealed: int  # 0: its frames are single rows

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.number + self.frames - 1


def open_for_writing(path: Path, pool: str) -> sqlite3.Connection:
    """The recording at that place, created with mode 0600 when absent.

    Raises RecordingError when it is another pool's or a newer version's, sqlite3.DatabaseError when it is damaged.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        new = not _checked(connection, path)
        if new:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 100")
        connection.execute("PRAGMA journal_size_limit = 1000000")
        if new:
            _create(connection, pool)
        found = pool_of(connection)
        if found != pool:
            raise RecordingError(ConfigProblem(f"it is a recording of pool {found}, not of {pool}",
                                               "name another file", file=path))
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, pool: str) -> None:
    with transaction(connection):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('pool', ?)", (pool,))
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """The recording at that place, to be read only, from any thread. Raises RecordingError."""
    if not path.is_file():
        raise RecordingError(
            ConfigProblem(
                "there is no recording",
                "`tuiha record` makes one, and so does the dashboard unless recording.enabled is false",
                file=path,
            )
        )
    problem: Exception | None = None
    for options in ("mode=ro", "mode=ro&immutable=1"):  # the second for a folder that may not be written to
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=_BUSY,
                                     isolation_level=None, check_same_thread=False)
        try:
            if _checked(connection, path):
                return connection
            problem = RecordingError(ConfigProblem("nothing is recorded yet", "wait for the first snapshot", file=path))
        except sqlite3.DatabaseError as error:
            problem = unusable(path, error)
        except RecordingError as error:
            problem = error
        connection.close()
        if isinstance(problem, RecordingError) and not isinstance(problem.__cause__, sqlite3.OperationalError):
            break
    assert problem is not None
    raise problem


def unusable(path: Path, error: sqlite3.Error) -> RecordingError:
    """What a failure of SQLite means."""
    found = RecordingError(
        ConfigProblem(f"it cannot be read as a recording: {error}", "name a file that `tuiha record` made", file=path)
    )
    found.__cause__ = error
    return found


def _checked(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether there is a recording in it; False: it is empty. Raises RecordingError when it is something else."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if not version and not application and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return False
    if application != APPLICATION:
        raise RecordingError(ConfigProblem("it is not a recording", "name a file that `tuiha record` made", file=path))
    if version > VERSION:
        raise RecordingError(ConfigProblem(f"a newer tuiha made it (version {version}, this one reads {VERSION})",
                                           "update tuiha", file=path))
    return True


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the write lock at once: it never fails half-way for another writer's sake."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # SQLite has ended it itself when the disk is full
            connection.execute("ROLLBACK")


def pool_of(connection: sqlite3.Connection) -> str:
    """The pool that was recorded."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'pool'").fetchone()
    return str(row[0]) if row else ""


def blocks(connection: sqlite3.Connection) -> tuple[Block, ...]:
    """All blocks in their order; the tail is one or several that are not sealed."""
    sealed_ones = connection.execute(
        "SELECT number, frames, first_at, last_at, verdict, changes FROM block ORDER BY number")
    found = [Block(int(row[0]), int(row[1]), float(row[2]), float(row[3]), str(row[4]), int(row[5]), 1)
             for row in sealed_ones]
    rows = connection.execute("SELECT number, at, verdict, changes, whole FROM frame ORDER BY number").fetchall()
    for run in _runs(rows):
        found.append(Block(run[0][0], len(run), run[0][1], run[-1][1], worst(row[2] for row in run),
                           sum(row[3] for row in run), 0))
    return tuple(found)


def _runs(rows: Sequence[tuple[int, float, str, int, int]]) -> Iterator[list[tuple[int, float, str, int, int]]]:
    """The rows of the tail, divided where a whole frame begins."""
    run: list[tuple[int, float, str, int, int]] = []
    for row in rows:
        if row[4] and run:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


_ORDER = ("HEALTHY", "DEGRADED", "DISPUTED", "DOWN", "SPLIT")


def worst(verdicts: Iterator[str] | Sequence[str]) -> str:
    """The worst of these verdicts; one that is not known here is taken for the worst."""
    return max(verdicts, key=lambda verdict: _ORDER.index(verdict) if verdict in _ORDER else len(_ORDER))


def trees(connection: sqlite3.Connection, block: Block) -> list[Json] | None:
    """The frames of a block as JSON values; None when it is not there any more. Raises DecodeError."""
    row = connection.execute("SELECT data FROM block WHERE number = ?", (block.number,)).fetchone()
    if row is not None:
        lines = _inflated(row[0]).split("\n")
    else:
        lines = [text for (text,) in connection.execute(
            "SELECT data FROM frame WHERE number BETWEEN ? AND ? ORDER BY number", (block.number, block.last))]
    made: list[Json] = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise DecodeError(f"frame {block.number + len(made)} is not JSON") from None
        made.append(applied(made[-1], value) if made else value)
    return made or None


def sealed(lines: Sequence[str]) -> bytes:
    """The frames of a block as they are stored."""
    return zlib.compress("\n".join(lines).encode(), 6)


def _inflated(data: object) -> str:
    if not isinstance(data, bytes):
        raise DecodeError("a block has no data")
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(data, MOST)
        if not inflate.eof:
            raise DecodeError("a block is cut off, or larger than any can be")
        return text.decode()
    except (zlib.error, UnicodeDecodeError):
        raise DecodeError("a block is damaged") from None

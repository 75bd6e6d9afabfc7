"""The journal of an operation: one JSON object a line, on the disk before anything rests on it.

Each record carries its number and a checksum that covers the record before it. So a record that is damaged, missing or
out of its place shows, and with it that nothing is known of what came after. Only one process writes at a time (the
operation's lock says which); everybody may read meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SUM = b', "sum": "'
_DIGITS = 32  # of a checksum, hexadecimal


@dataclass(frozen=True, slots=True)
class JournalReading:
    """What a journal holds: all records up to the first one that is not as it was written."""

    records: tuple[dict[str, Any], ...] = ()
    damage: str = ""  # which line is not a record in its place, and why; nothing behind it counts
    torn: bool = False  # the last line has no end: its writer died in it, or is writing it now
    numbered: bool = True  # no record is of an earlier version, which wrote no numbers
    size: int = 0  # bytes that these records take
    head: str = ""  # the checksum that the next record covers

    @property
    def unknown(self) -> str:
        """Why the end of a journal that nobody writes is not known; empty when it is whole."""
        return self.damage or (f"record {len(self.records) + 1} is incomplete" if self.torn else "")


def read_journal(path: Path) -> JournalReading:
    """All records that are as they were written, oldest first; none when there is no file."""
    head = _digest("", f"journal of {path.parent.name}".encode())
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return JournalReading(head=head)
    *lines, rest = raw.split(b"\n")
    records: list[dict[str, Any]] = []
    size, numbered, chained = 0, True, False
    for number, line in enumerate(lines, start=1):
        record, sealed, body = _parsed(line)
        why = _wrong(record, sealed, number, head, body, chained) or _foreign(record, number, path.parent.name)
        if record is None or why:
            return JournalReading(tuple(records), f"{path}:{number} {why}", bool(rest), numbered, size, head)
        head = _digest(head, body)
        size += len(line) + 1
        chained, numbered = chained or sealed, numbered and sealed
        records.append(record)
    return JournalReading(tuple(records), "", bool(rest), numbered, size, head)


def read_records(path: Path) -> list[dict[str, Any]]:
    """All records that are as they were written, oldest first; none when there is no file."""
    return list(read_journal(path).records)


def _parsed(line: bytes) -> tuple[dict[str, Any] | None, bool, bytes]:
    """The record in a line, whether it is a numbered one, and the bytes that its checksum covers."""
    try:
        record = json.loads(line)
    except ValueError:
        return None, False, line
    if not isinstance(record, dict) or not isinstance(record.get("at"), int | float) or "record" not in record:
        return None, False, line
    sealed = "n" in record or "sum" in record
    return record, sealed, line[:line.rfind(_SUM)] if sealed else line


def _wrong(
    record: Mapping[str, Any] | None, sealed: bool, number: int, head: str, body: bytes, chained: bool
) -> str:
    """Why a line is not the record that was written there; empty when it is."""
    if record is None:
        return "is not a record of a journal"
    if not sealed:
        return "has no checksum, and the one before it has" if chained else ""
    if record.get("n") != number:
        return f"has the number {record.get('n')}"
    return "" if record.get("sum") == _digest(head, body) else "does not fit its checksum"


def _foreign(record: Mapping[str, Any] | None, number: int, operation: str) -> str:
    """Why a first record is not of this operation; empty when it is. A checksum shows it without that."""
    other = record.get("id", operation) if record is not None and number == 1 else operation
    return "" if other == operation else f"is of operation {other}"


def _digest(head: str, body: bytes) -> str:
    return hashlib.sha256(head.encode() + body).hexdigest()[:_DIGITS]


def _sealed(record: Mapping[str, Any], number: int, head: str) -> tuple[bytes, str]:
    """A record as a line of the journal, and its checksum."""
    body = json.dumps({"n": number, **record}, ensure_ascii=False).encode()[:-1]
    total = _digest(head, body)
    return body + _SUM + total.encode() + b'"}\n', total


class Journal:
    """Writes records, each flushed to the disk, in order, outside the event loop."""

    def __init__(self, path: Path) -> None:
        """Open it to go on behind its last record. Of what is not a record a copy is kept beside it, and a record
        `damage` takes its place: that something is not known is never forgotten. Raises OSError.
        """
        self.path = path
        reading = read_journal(path)
        self._number, self._head = len(reading.records), reading.head
        if reading.unknown:
            self._mend(reading)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._broken: OSError | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def put(self, record: str, **fields: Any) -> Future[None]:
        """Hand over a record; the future is done when it is on the disk."""
        return self._thread.submit(self._append, {"at": time.time(), "record": record, **fields})

    async def write(self, record: str, **fields: Any) -> None:
        """Write a record; returns when it and all that were put before are on the disk. Raises OSError."""
        await asyncio.wrap_future(self.put(record, **fields))

    async def flush(self) -> None:
        """Returns when all that was put is on the disk. Raises OSError."""
        await asyncio.wrap_future(self._thread.submit(self._check))

    def close(self) -> None:
        """Write what was handed over, and close."""
        self._thread.shutdown()
        os.close(self._descriptor)

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _append(self, record: Mapping[str, Any]) -> None:
        self._check()  # after one lost record none may follow
        line, head = _sealed(record, self._number + 1, self._head)
        size = os.fstat(self._descriptor).st_size
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest):]
            os.fsync(self._descriptor)
        except OSError as error:
            self._broken = error
            os.ftruncate(self._descriptor, size)
            raise
        self._number, self._head = self._number + 1, head

    def _mend(self, reading: JournalReading) -> None:
        """The whole records and one of the damage, in one step; the file as it was stays beside it."""
        raw = self.path.read_bytes()
        number = 1 + len(list(self.path.parent.glob(f"{self.path.name}.damaged-*")))
        kept = self.path.with_name(f"{self.path.name}.damaged-{number}")
        _put_down(kept, raw)
        record = {"at": time.time(), "record": "damage", "text": reading.unknown, "kept": kept.name}
        line, head = _sealed(record, self._number + 1, self._head)
        draft = self.path.with_name(f".{self.path.name}.new")
        _put_down(draft, raw[:reading.size] + line)
        draft.rename(self.path)
        self._number, self._head = self._number + 1, head


def _put_down(path: Path, content: bytes) -> None:
    """A whole file, on the disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

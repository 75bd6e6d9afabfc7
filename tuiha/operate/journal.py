"""The journal of an operation: one JSON object a line, on the disk before anything rests on it.

Only one process writes at a time (the operation's lock says which); everybody may read meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any


class JournalDamaged(Exception):
    """A journal holds something else than its records; the text names the file and the line."""


def read_records(path: Path) -> list[dict[str, Any]]:
    """All whole records, oldest first; none when there is no file.

    A last line without its end was never confirmed: its writer died in it, or is writing it now. It is left out.
    Raises JournalDamaged for anything else that is no record.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    records = []
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("at"), int | float) or "record" not in record:
            raise JournalDamaged(f"{path}:{number} is not a record of a journal: its disk is damaged, or somebody "
                                 "edited it. It is not used: restore the file, then resume or take back; without a "
                                 "copy, docs/operations.md (A damaged journal) says how to go on")
        records.append(record)
    return records


class Journal:
    """Writes records, each flushed to the disk, in order, outside the event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._drop_torn_line()
        self._broken: OSError | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def put(self, record: str, **fields: Any) -> Future[None]:
        """Hand over a record; the future is done when it is on the disk."""
        line = json.dumps({"at": time.time(), "record": record, **fields}, ensure_ascii=False) + "\n"
        return self._thread.submit(self._append, line.encode())

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

    def _append(self, line: bytes) -> None:
        self._check()  # after one lost record none may follow
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

    def _drop_torn_line(self) -> None:
        """Cut off a last line that its writer died in, so that the next record begins a line of its own."""
        size = os.fstat(self._descriptor).st_size
        whole = os.pread(self._descriptor, size, 0).rfind(b"\n") + 1
        if whole != size:
            os.ftruncate(self._descriptor, whole)
            os.fsync(self._descriptor)

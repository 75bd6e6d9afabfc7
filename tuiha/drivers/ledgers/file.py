"""The ledger as a file on one coordinating host: a lock, a new file for every change, fsync before it counts."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.drivers.ledgers.record import SIZE_LIMIT, parse, written
from tuiha.drivers.protocols import Conflict, DriverError
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import LedgerRecord

if TYPE_CHECKING:
    from tuiha.config.parts import Ledger
    from tuiha.drivers.site import Site

_LOCK_SECONDS = 5.0


class FileLedger:
    """The pool's record in one file. Every change is atomic: a reader sees the old record or the new one.

    Changes of several processes are kept apart by a lock on `PATH.lock` beside it. A call of `create` or `replace`
    that is cancelled may still take effect, as the work is done in a thread: read again to know.
    """

    capabilities: frozenset[str] = frozenset({"poll", "create", "replace"})

    def __init__(self, path: Path, pool: str) -> None:
        self.path = path
        self._pool = pool
        self._seen: tuple[tuple[int, int, int], LedgerRecord] | None = None

    async def poll(self) -> LedgerRecord:
        """The record. Raises DriverError when it is missing or damaged."""
        return await asyncio.to_thread(self._read)

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Write the first record. Raises Conflict when there is a ledger already, even a damaged one."""
        return await asyncio.to_thread(self._create, record)

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Write `new` if the stored revision is still that of `old`. Raises Conflict, DriverError."""
        return await asyncio.to_thread(self._replace, old, new)

    async def close(self) -> None:
        """Nothing is kept open."""

    # What follows runs in a thread.

    def _read(self) -> LedgerRecord:
        try:
            facts = self.path.stat()
            mark = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if self._seen is not None and self._seen[0] == mark:
                return self._seen[1]
            if facts.st_size > SIZE_LIMIT:
                raise DriverError(self._damaged("it is too large"), Cause.DAMAGED)
            record = parse(self.path.read_bytes())
        except FileNotFoundError:
            raise DriverError(f"ledger {self.path} does not exist; it is created with the pool",
                              Cause.MISSING) from None
        except OSError as error:
            raise DriverError(f"ledger {self.path} cannot be read: {error.strerror or error}",
                              Cause.FORBIDDEN) from None
        except ValueError as error:
            raise DriverError(self._damaged(str(error)), Cause.DAMAGED) from None
        if record.pool != self._pool:
            raise DriverError(f"ledger {self.path} belongs to pool {record.pool}, not to {self._pool}; correct "
                              "ledger.path, or `pool`, in the configuration", Cause.OTHER_NODE)
        self._seen = (mark, record)
        return record

    def _damaged(self, why: str) -> str:
        return f"ledger {self.path} is damaged ({why}); restore it from a backup, or create it again"

    def _refuse_other(self, record: LedgerRecord) -> None:
        if record.pool != self._pool:
            raise DriverError(f"ledger {self.path} belongs to pool {self._pool}, not to {record.pool}")

    def _create(self, record: LedgerRecord) -> LedgerRecord:
        self._refuse_other(record)
        with self._locked():
            if self.path.exists():
                raise Conflict(f"there is a ledger at {self.path} already")
            return self._write(replace(record, revision=1))

    def _replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        self._refuse_other(new)
        with self._locked():
            self._seen = None  # never trust a time stamp before a write
            stored = self._read()
            if stored.revision != old.revision:
                raise Conflict(f"the ledger is at revision {stored.revision}, not {old.revision}")
            return self._write(replace(new, revision=stored.revision + 1))

    def _write(self, record: LedgerRecord) -> LedgerRecord:
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        raw = written(record)
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.rename(draft, self.path)
            self._sync_folder()
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise DriverError(f"ledger {self.path} cannot be written: {error.strerror or error}") from None
        return record

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = lock_of(self.path)
        try:
            descriptor = _open_lock(lock)
        except OSError as error:
            raise DriverError(f"ledger lock {lock} cannot be opened: {error.strerror or error}") from None
        try:
            _flock(descriptor, lock)
            yield
        finally:
            os.close(descriptor)  # and with it the lock


def lock_of(ledger: Path) -> Path:
    """The file whose lock keeps changes of a ledger apart."""
    return ledger.with_name(f"{ledger.name}.lock")


def _open_lock(lock: Path) -> int:
    """Open the lock, made if it is not there. Raises OSError.

    Who can open it, if only to read, can lock it and so stop every change: operators and their group, nobody else.
    One that an earlier version made for everybody is closed by its owner.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    about = os.fstat(descriptor)
    if stat.S_IMODE(about.st_mode) != 0o660 and os.geteuid() in (about.st_uid, 0):
        os.fchmod(descriptor, 0o660)
    return descriptor


def _flock(descriptor: int, lock: Path) -> None:
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise DriverError(f"ledger is locked by another process; "
                                  f"`fuser {shlex.quote(str(lock))}` names it") from None
            time.sleep(0.01)
        except OSError as error:
            raise DriverError(f"ledger lock {lock} cannot be taken: {error.strerror or error}") from None


def open_file_ledger(ledger: Ledger, site: Site) -> FileLedger:
    """The ledger in a file."""
    assert ledger.path is not None  # the settings are validated
    return FileLedger(site.base / ledger.path.expanduser(), site.pool.pool)

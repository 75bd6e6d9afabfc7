"""The ledger as a file on one coordinating host: a lock, a new file for every change, fsync before it counts."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shlex
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.drivers.ledgers.record import SIZE_LIMIT, parse, written
from tuiha.drivers.protocols import Conflict, DriverError, GuardTexts
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import LedgerRecord

if TYPE_CHECKING:
    from tuiha.config.parts import Ledger
    from tuiha.drivers.site import Site

_LOCK_SECONDS = 5.0
GUARD_SECONDS = 5.0  # how long the word of a guard counts: it gives it with each look


class FileLedger:
    """The pool's record in one file. Every change is atomic: a reader sees the old record or the new one.

    Changes of several processes are kept apart by a lock on `PATH.lock` beside it. A call of `create` or `replace`
    that is cancelled may still take effect, as the work is done in a thread: read again to know.

    For guards there are two more files: `PATH.guard` has their notes, `PATH.guard.report` the word of the active one. A
    guard is the active one as long as that file is new, and renews it with each look.
    """

    capabilities: frozenset[str] = frozenset({"poll", "create", "replace", "guard"})

    def __init__(self, path: Path, pool: str) -> None:
        self.path = path
        self._pool = pool
        self._seen: tuple[tuple[int, int, int], LedgerRecord] | None = None
        self._mark = uuid.uuid4().hex  # of this guard

    async def poll(self) -> LedgerRecord:
        """The record. Raises DriverError when it is missing or damaged."""
        return await asyncio.to_thread(self._read)

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Write the first record. Raises Conflict when there is a ledger already, even a damaged one."""
        return await asyncio.to_thread(self._create, record)

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Write `new` if the stored revision is still that of `old`. Raises Conflict, DriverError."""
        return await asyncio.to_thread(self._replace, old, new)

    async def guard_texts(self) -> GuardTexts:
        """What guards share, and the word of the active one. Raises DriverError."""
        return await asyncio.to_thread(self._guard_texts)

    async def note_guard(self, revision: int, notes: str) -> int:
        """Write the notes if they still have that revision; returns the new one. Raises Conflict, DriverError."""
        return await asyncio.to_thread(self._note_guard, revision, notes)

    async def hold_guard(self, report: str) -> bool:
        """Be the active guard of this host, or stay it; False while another process is. Raises DriverError."""
        return await asyncio.to_thread(self._hold_guard, report)

    async def drop_guard(self) -> None:
        """Be the active guard no more. Raises DriverError."""
        await asyncio.to_thread(self._drop_guard)

    async def close(self) -> None:
        """Nothing is kept open."""

    # What follows runs in a thread.

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")

    def _guard_texts(self) -> GuardTexts:
        notes, revision = self._guard_notes()
        active = self._active_guard()
        return GuardTexts(notes, revision, None if active is None else active[1])

    def _active_guard(self) -> tuple[str, str] | None:
        """The mark and the word of the active guard; None when there is none."""
        path = self._beside("guard.report")
        try:
            age = time.time() - path.stat().st_mtime
            found = json.loads(path.read_bytes()[:SIZE_LIMIT])
            return (str(found["mark"]), str(found["report"])) if 0.0 <= age < GUARD_SECONDS else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DriverError(f"{path} cannot be read: {error.strerror or error}", Cause.FORBIDDEN) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def _guard_notes(self) -> tuple[str | None, int]:
        path = self._beside("guard")
        try:
            found = json.loads(path.read_bytes()[:SIZE_LIMIT])
            return str(found["notes"]), int(found["revision"])
        except FileNotFoundError:
            return None, 0
        except OSError as error:
            raise DriverError(f"{path} cannot be read: {error.strerror or error}", Cause.FORBIDDEN) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DriverError(f"{path} is damaged; remove it: guards begin new notes", Cause.DAMAGED) from None

    def _note_guard(self, revision: int, notes: str) -> int:
        with self._locked():
            _, stored = self._guard_notes()
            if stored != revision:
                raise Conflict(f"the guards' notes are at revision {stored}, not {revision}")
            _replace(self._beside("guard"), json.dumps({"revision": stored + 1, "notes": notes}).encode(), lasting=True)
            return stored + 1

    def _hold_guard(self, report: str) -> bool:
        with self._locked():
            active = self._active_guard()
            if active is not None and active[0] != self._mark:
                return False
            raw = json.dumps({"mark": self._mark, "report": report}).encode()
            _replace(self._beside("guard.report"), raw, lasting=False)
            return True

    def _drop_guard(self) -> None:
        with self._locked():
            active = self._active_guard()
            if active is not None and active[0] == self._mark:
                self._beside("guard.report").unlink(missing_ok=True)

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
        _replace(self.path, written(record), lasting=True)
        return record

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


def _replace(path: Path, raw: bytes, *, lasting: bool) -> None:
    """Put a new file in the place of the old one; `lasting`: the disk has it then. Raises DriverError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.rename(draft, path)
        if lasting:
            _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise DriverError(f"ledger {path} cannot be written: {error.strerror or error}") from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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

"""Where plans and operations are kept: one folder each, beside the ledger when that is a file.

    operations/plans/PLAN.json    plans that `tuiha plan` made
               ID/plan.json       the plan as it was applied
                  journal.jsonl   what happened
                  lock            held by the living runner
                  cancel, undo    what operators asked of the living runner
                  runner.log      what the runner printed
                  kept.json       its record in the history in the database, and the digest of it
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuiha.config import places
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.journal import JournalReading, read_journal
from tuiha.operate.records.state import OperationState, from_document, read_state

if TYPE_CHECKING:  # a dashboard that only reads journals does without
    from tuiha.config.settings import Pool

PLANS_KEPT = 100


class NotThere(Exception):
    """There is no such plan or operation here; the text says which, and what to do."""


class NotKept(Exception):
    """Something cannot be written down on this host, so it was not begun; the text says where, why, and what to do."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Raises NotKept for what the file system refuses inside."""
    try:
        yield
    except OSError as error:
        raise NotKept(f"{place} cannot be written ({error.strerror or error}): nothing was begun. Make room or mend "
                      "its rights, or name another folder by $TUIHA_STATE") from None


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one operation."""

    path: Path

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.path / "journal.jsonl"

    @property
    def log(self) -> Path:
        """What its runner printed: faults of tuiha itself, normally nothing."""
        return self.path / "runner.log"

    def plan(self) -> Plan:
        """The plan as it was applied. Raises NotThere."""
        return _read_plan(self.path / "plan.json", f"operation {self.id} has no readable plan in {self.path}")

    def lock(self) -> int | None:
        """Become the one that runs this operation: a descriptor to keep open. None when another has it.

        Looking whether it is locked takes it for a moment, so one look is not enough to be refused.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        for pause in (0.02, 0.05, 0.1, 0.0):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                time.sleep(pause)
        os.close(descriptor)
        return None

    def alive(self) -> bool:
        """Whether a process of this host runs the operation now."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def ask(self, what: str, who: str) -> None:
        """Leave a request ("cancel" or "undo") for the living runner. Raises NotKept."""
        with writing(self.path):
            _write(self.path / what, {"at": time.time(), "who": who})

    def asked(self, what: str) -> str | None:
        """Who asked for it; None when nobody did."""
        try:
            return str(json.loads((self.path / what).read_text(encoding="utf-8"))["who"])
        except FileNotFoundError:
            return None

    def forget_requests(self) -> None:
        """Requests of the past are not meant for a new run."""
        for what in ("cancel", "undo"):
            (self.path / what).unlink(missing_ok=True)

    def note(self, number: int, digest: str) -> None:
        """Note which record of the history in the database this operation is, and its digest. Raises OSError."""
        _write(self.path / "kept.json", {"number": number, "digest": digest})

    def anchor(self) -> tuple[int, str] | None:
        """What was noted of its record in the history; None when nothing was, or it cannot be read."""
        try:
            found = json.loads((self.path / "kept.json").read_text(encoding="utf-8"))
            return int(found["number"]), str(found["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def state(self) -> OperationState:
        """What the journal says now. Raises NotThere."""
        alive = self.alive()  # first: a runner that ends in between has written its result by then
        reading = self.reading()
        unknown = reading.damage if alive else reading.unknown  # a living runner may be writing its last line
        return read_state(self.id, self.plan(), reading.records, alive, unknown)

    def reading(self) -> JournalReading:
        """What the journal holds now."""
        return read_journal(self.journal)


class Store:
    """Plans and operations on this host: of one pool, although others may share the folder, or of whatever pool."""

    def __init__(self, root: Path, pool: str | None = None) -> None:
        self.root = root
        self._pool = pool

    def save_plan(self, plan: Plan) -> Path:
        """Keep a plan for `apply`; the oldest beyond a hundred are dropped. Raises NotKept."""
        folder = self.root / "plans"
        path = folder / f"{plan.id}.json"
        with writing(folder):
            _write(_made(folder) / path.name, plan.document())
        kept = sorted(folder.glob("*.json"), key=_written, reverse=True)
        for old in kept[PLANS_KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def plans(self) -> list[str]:
        """The ids of the plans that are kept, newest first."""
        return [path.stem for path in sorted((self.root / "plans").glob("*.json"), key=_written, reverse=True)]

    def load_plan(self, plan: str) -> Plan:
        """A plan by its id, or by the beginning of its id when only one begins so. Raises NotThere."""
        found = _matching(self.root / "plans", plan, ".json")
        if len(found) != 1:
            raise NotThere(_which("plan", plan, found, "`tuiha plan KIND` makes one"))
        return self._ours(_read_plan(found[0], f"plan {plan} cannot be read; make it again"), f"plan {plan}")

    def create(self, plan: Plan) -> Folder:
        """A new operation's folder, with its plan and nothing else in it. Raises NotKept."""
        with writing(self.root):
            return self._created(plan)

    def _created(self, plan: Plan) -> Folder:
        parent = _made(self.root)
        stem = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{plan.id[:4]}"
        for number in range(1, 100):
            path = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir(mode=0o750)
            except FileExistsError:
                continue
            folder = Folder(path)
            try:
                _write(path / "plan.json", plan.document())
                _sync(parent)
            except OSError:
                self.discard(folder)
                raise
            return folder
        raise FileExistsError(f"{parent / stem} and 98 like it are there already")

    def discard(self, folder: Folder) -> None:
        """Remove an operation that never began."""
        for file in folder.path.iterdir():
            file.unlink()
        folder.path.rmdir()

    def find(self, operation: str) -> Folder:
        """An operation by its id, or by a beginning or end of it that only one has. Raises NotThere."""
        found = [path for path in _matching(self.root, operation, "") if (path / "plan.json").is_file()]
        if len(found) != 1:
            raise NotThere(_which("operation", operation, found, "`tuiha operations` lists them"))
        folder = Folder(found[0])
        self._ours(folder.plan(), f"operation {folder.id}")
        return folder

    def ours(self, folder: Folder) -> bool:
        """Whether an operation is of this pool; one whose plan cannot be read may be."""
        try:
            return self._pool in (None, folder.plan().pool)
        except NotThere:
            return True

    def _ours(self, plan: Plan, what: str) -> Plan:
        if self._pool not in (None, plan.pool):
            raise NotThere(f"{what} is of the pool {plan.pool}, and the configuration of {self._pool}; "
                           "name the right one with --config")
        return plan

    def folders(self) -> list[Folder]:
        """All operations, newest first; those of other pools that share the folder among them."""
        if not self.root.is_dir():
            return []
        return [Folder(path) for path in sorted(self.root.iterdir(), reverse=True) if (path / "plan.json").is_file()]

    def states(self, limit: int | None = None) -> list[OperationState]:
        """What the journals say, newest first; another pool's are left out."""
        found: list[OperationState] = []
        for folder in self.folders():
            try:
                state = folder.state()
            except NotThere:
                continue
            if self._pool in (None, state.plan.pool):
                found.append(state)
            if len(found) == limit:
                break
        return found

    def damaged(self) -> list[str]:
        """Which operations of this pool have a journal whose end is not known, and why. Newest first."""
        found = [(folder, folder.reading()) for folder in filter(self.ours, self.folders())]
        return [f"operation {folder.id}: {reading.damage}. What came after it is not known: `tuiha resume {folder.id}` "
                f"and `tuiha undo {folder.id}` ask the ledger and the databases"
                for folder, reading in found if reading.damage]


def store_of(pool: Pool, base: Path) -> Store:
    """The pool's store. Raises ConfigError when the state folder cannot be used. Creates nothing else."""
    return store_at(pool.pool, None if pool.ledger is None else pool.ledger.path, base)


def store_at(pool: str, ledger: Path | None, base: Path) -> Store:
    """The store of a pool by its name and its ledger's file: $TUIHA_STATE, else beside the ledger's file, else in the
    user's state folder. Raises ConfigError when that cannot be used.
    """
    told = os.environ.get("TUIHA_STATE")
    if told:
        return Store(Path(told), pool)
    if ledger is not None:
        return Store((base / ledger.expanduser()).resolve().parent / "operations", pool)
    return Store(places.state_folder() / "operations" / pool, pool)


def _matching(folder: Path, name: str, suffix: str) -> list[Path]:
    if not name or "/" in name or not folder.is_dir():
        return []
    exact = folder / f"{name}{suffix}"
    if exact.exists():
        return [exact]
    there = {path.name.removesuffix(suffix): path for path in folder.iterdir() if path.name.endswith(suffix)}
    return sorted(path for stem, path in there.items()
                  if not stem.startswith(".") and (stem.startswith(name) or stem.endswith(name)))


def _which(sort: str, name: str, found: list[Path], remedy: str) -> str:
    if found:
        return f"'{name}' is the {sort} {' or '.join(path.stem for path in found[:5])}; write more of it"
    return f"there is no {sort} '{name}' here; {remedy}"


def _read_plan(path: Path, otherwise: str) -> Plan:
    try:
        return from_document(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        raise NotThere(otherwise) from None


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    return folder


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process dropped it
        return 0.0


def _write(path: Path, document: dict[str, Any]) -> None:
    """A whole file or none, on the disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

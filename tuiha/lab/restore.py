"""Rehearsing a restore: a backup is started in a folder of its own, read, and removed. The pair is not touched.

The copy listens on a socket in a private folder and on no port. It archives nothing, follows nothing, and loads no
library: what the backup's own configuration says of these is overruled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuiha.lab.pool.account import Account, unprivileged
from tuiha.model.databases.restores import (
    RestoredPool,
    RestoreFault,
    RestoreReport,
    RestoreStage,
    StageDone,
    StageResult,
)
from tuiha.pooldb.statements.restores import ACCEPTS_WRITES, BEGIN_RESTORED, BEGUN_AGAIN, RESTORED

_SAID = 300  # characters of what a program printed
_PORT = "5432"  # the socket's name has it; no port is opened
_PAUSE = 0.1  # seconds between two looks
_STOP = 60.0  # seconds for the copy to stop
_NEEDED = ("postgres", "pg_verifybackup", "psql")
_OWN = """\
hba_file = '{folder}/pg_hba.conf'
"""
_OVERRULED: Mapping[str, str] = {
    "listen_addresses": "", "port": _PORT, "unix_socket_permissions": "0700", "external_pid_file": "",
    "archive_mode": "off", "archive_cleanup_command": "", "recovery_end_command": "", "primary_conninfo": "",
    "primary_slot_name": "", "synchronous_standby_names": "", "shared_preload_libraries": "",
    "session_preload_libraries": "", "local_preload_libraries": "", "max_logical_replication_workers": "0",
    "hot_standby": "off", "recovery_target_action": "promote", "ssl": "off", "logging_collector": "off",
    "log_destination": "stderr", "max_connections": "20", "max_prepared_transactions": "200",
    "max_replication_slots": "200", "autovacuum": "off", "jit": "off", "huge_pages": "off",
    "dynamic_shared_memory_type": "mmap", "lc_messages": "C", "cluster_name": "rehearsal",
}


class NotRehearsed(Exception):
    """A rehearsal cannot begin. The text is for people."""


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """What is rehearsed, and how."""

    backup: Path | None  # the folder of a base backup; None: one is taken
    source: str | None  # where it is taken from, as a connection string
    programs: Path | None  # the folder with postgres, psql and pg_verifybackup; None: found
    folder: Path | None  # below which the copy is made; None: the system's folder for such things
    database: str  # PostgreSQL's name of the pool's database
    superuser: str
    archive: str  # restore_command: fetches WAL that the backup lacks
    seconds: float  # for the recovery, and for each of the other stages
    pool: str | None = None  # the pool that it should be of
    system_identifier: str | None = None  # the system that it should be of


class _StageFailed(Exception):
    """A stage ends the rehearsal."""

    def __init__(self, fault: RestoreFault, detail: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.detail = detail


class _Skipped(_StageFailed):
    """A stage cannot be done, and the rehearsal continues."""


@dataclass
class _Copy:
    """A copy of a backup, in a folder of its own."""

    wanted: RestoreOrder
    programs: Path
    folder: Path
    account: Account | None
    process: subprocess.Popen[bytes] | None = None
    found: RestoredPool | None = None
    stages: list[StageDone] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The data folder of the copy."""
        return self.folder / "data"

    @property
    def backup(self) -> Path:
        """The backup: the given one, or the one that was taken."""
        return self.wanted.backup or self.data

    @property
    def log(self) -> Path:
        """What the copy's PostgreSQL prints."""
        return self.folder / "postgresql.log"

    def take(self) -> None:
        """Take a base backup, with the operator's own means to log in."""
        assert self.wanted.source is not None
        self._run([self._program("pg_basebackup"), "-D", str(self.data), "-X", "stream", "-c", "fast", "-w",
                   "-d", self.wanted.source], os.environ, own=True)
        self.programs = _programs(self.wanted, self.data)

    def room(self) -> None:
        """See that it is a base backup, at rest, and that there is room for a copy."""
        backup = self.backup
        if (backup / "postmaster.pid").exists():
            raise _StageFailed(RestoreFault.RUNNING)
        if not (backup / "backup_label").is_file():
            raise _StageFailed(RestoreFault.NO_BACKUP)
        spaces = backup / "pg_tblspc"
        if (backup / "tablespace_map").exists() or (spaces.is_dir() and any(spaces.iterdir())):
            raise _StageFailed(RestoreFault.TABLESPACES)
        if self.wanted.backup is not None:
            size, free = _size(backup), shutil.disk_usage(self.folder).free
            if size * 1.1 > free:
                raise _StageFailed(RestoreFault.NO_ROOM, f"{size:,} bytes, {free:,} are free")

    def verify(self) -> None:
        """Compare every file with the manifest."""
        if not (self.backup / "backup_manifest").is_file():
            raise _Skipped(RestoreFault.NO_MANIFEST)
        self._run([self._program("pg_verifybackup"), "-q", str(self.backup)], _clean(), own=True)

    def copy(self) -> None:
        """Copy the backup, and make the copy one that recovers on its own."""
        if self.wanted.backup is not None:
            shutil.copytree(self.wanted.backup, self.data)
        (self.data / "standby.signal").unlink(missing_ok=True)
        (self.data / "recovery.signal").touch()
        (self.folder / "postgresql.conf").write_text(_OWN.format(folder=self.folder))
        (self.folder / "pg_hba.conf").write_text("local all all trust\n")
        if self.account is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)
        self.data.chmod(0o700)

    def recover(self) -> None:
        """Start it, and wait until it accepts writes."""
        overruled = {**_OVERRULED, "unix_socket_directories": str(self.folder),
                     "restore_command": self.wanted.archive, "config_file": str(self.folder / "postgresql.conf")}
        words = [self._program("postgres"), "-D", str(self.data)]
        for name, value in overruled.items():
            words += ["-c", f"{name}={value}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            env=_clean(), start_new_session=True, **self._as())
        ends = time.monotonic() + self.wanted.seconds
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise _StageFailed(RestoreFault.PROGRAM, _last(self.log.read_text(errors="replace")))
            try:
                if self._ask(ACCEPTS_WRITES) == "t":
                    return
            except _StageFailed:
                pass  # it is starting
            time.sleep(_PAUSE)
        raise _StageFailed(RestoreFault.PROGRAM, f"it did not accept writes within {self.wanted.seconds:g} s")

    def read(self) -> None:
        """Read what it holds, and compare pool and system with what they should be."""
        try:
            self.found = RestoredPool(**json.loads(self._ask(RESTORED)))
        except (ValueError, TypeError):
            raise _StageFailed(RestoreFault.OTHER_POOL, "it has no row in pool_epoch") from None
        for value, expected, what in ((self.found.pool, self.wanted.pool, RestoreFault.OTHER_POOL),
                                      (self.found.system_identifier, self.wanted.system_identifier,
                                       RestoreFault.OTHER_SYSTEM)):
            if expected is not None and value != expected:
                raise _StageFailed(what, f"{value}, expected {expected}")

    def begin(self) -> None:
        """Do in the copy what a restore has to do before servers may use it."""
        assert self.found is not None
        variables = {"epoch": str(self.found.epoch + 1), "active": self.found.active}
        self._ask(BEGIN_RESTORED, variables)
        if self._ask(BEGUN_AGAIN, variables) != "t":
            raise _StageFailed(RestoreFault.NOT_BEGUN)

    def stop(self) -> None:
        """Stop it; the folder is removed afterwards."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(_STOP)

    def _ask(self, sql: str, variables: Mapping[str, str] | None = None) -> str:
        """What psql prints for statements. Raises _StageFailed."""
        words = [self._program("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder),
                 "-p", _PORT, "-U", self.wanted.superuser, "-d", self.wanted.database]
        for name, value in (variables or {}).items():
            words += ["-v", f"{name}={value}"]
        return self._run(words, _clean(), text=sql).strip()

    def _program(self, name: str) -> str:
        return str(self.programs / name)

    def _as(self) -> dict[str, Any]:
        """Root does not run PostgreSQL: an account without rights does."""
        return {} if self.account is None else {
            "user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def _run(self, words: list[str], environment: Mapping[str, str], *, text: str = "", own: bool = False) -> str:
        """Run a program, as the operator (`own`) or as the account. Raises _StageFailed."""
        try:
            done = subprocess.run(words, input=text, capture_output=True, text=True, errors="replace", check=False,
                                  env=dict(environment), cwd="/", timeout=self.wanted.seconds,
                                  **({} if own else self._as()))
        except subprocess.TimeoutExpired:
            raise _StageFailed(RestoreFault.PROGRAM, f"{words[0]} did not end within {self.wanted.seconds:g} s") \
                from None
        except OSError as error:
            raise _StageFailed(RestoreFault.PROGRAM, f"{words[0]}: {error.strerror}") from None
        if done.returncode != 0:
            raise _StageFailed(RestoreFault.PROGRAM, _last(done.stderr or done.stdout))
        return str(done.stdout)


def rehearse(wanted: RestoreOrder, say: Callable[[StageDone], None] = lambda _: None) -> RestoreReport:
    """Rehearse a restore; `say` hears of each stage. Blocks. Raises NotRehearsed, NoAccount."""
    began, clock = time.time(), time.monotonic()
    with _folder(wanted) as folder:
        copy = _Copy(wanted, _programs(wanted, wanted.backup), folder, unprivileged())
        stages = [*([(RestoreStage.TAKE, copy.take)] if wanted.backup is None else []),
                  (RestoreStage.ROOM, copy.room), (RestoreStage.VERIFY, copy.verify), (RestoreStage.COPY, copy.copy),
                  (RestoreStage.RECOVER, copy.recover), (RestoreStage.READ, copy.read),
                  (RestoreStage.BEGIN, copy.begin)]
        try:
            for stage, work in stages:
                done = _stage(stage, work)
                copy.stages.append(done)
                say(done)
                if done.result is StageResult.FAILED:
                    break
        finally:
            stopped = _stage(RestoreStage.STOP, copy.stop)
        copy.stages.append(stopped)
        say(stopped)
    name = str(wanted.backup) if wanted.backup is not None else "a base backup that was just taken"
    return RestoreReport(name, began, time.monotonic() - clock, tuple(copy.stages), copy.found)


def _stage(stage: RestoreStage, work: Callable[[], None]) -> StageDone:
    began = time.monotonic()
    try:
        work()
    except _Skipped as skipped:
        return StageDone(stage, StageResult.SKIPPED, time.monotonic() - began, skipped.fault, skipped.detail)
    except _StageFailed as failed:
        return StageDone(stage, StageResult.FAILED, time.monotonic() - began, failed.fault, failed.detail)
    except OSError as error:
        return StageDone(stage, StageResult.FAILED, time.monotonic() - began, RestoreFault.PROGRAM, str(error))
    return StageDone(stage, StageResult.OK, time.monotonic() - began)


@contextmanager
def _folder(wanted: RestoreOrder) -> Iterator[Path]:
    """A private folder that is removed. Raises NotRehearsed."""
    try:
        made = Path(tempfile.mkdtemp(prefix="tuiha-restore-", dir=wanted.folder))
    except OSError as error:
        raise NotRehearsed(f"{wanted.folder}: {error.strerror}") from None
    try:
        if len(str(made)) > 80:  # a socket's path ends at 107 bytes
            raise NotRehearsed(f"{made} is too long for a socket; name a shorter one with --folder")
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _programs(wanted: RestoreOrder, data: Path | None) -> Path:
    """The folder with PostgreSQL's programs, of the version of a data folder where there is one already.

    Raises NotRehearsed.
    """
    version = "*"
    if data is not None:
        try:
            version = (data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise NotRehearsed(f"{data} is not a data folder of PostgreSQL: {error.strerror}") from None
    known = [path for pattern in (f"postgresql/{version}/bin", f"pgsql-{version}/bin")
             for root in ("/usr/lib", "/usr", "/opt") for path in sorted(Path(root).glob(pattern), reverse=True)]
    on_path = shutil.which("postgres")
    candidates = [wanted.programs] if wanted.programs is not None \
        else [*known, *([Path(on_path).parent] if on_path else [])]
    for folder in candidates:
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED) and _is_of(folder, version):
            return folder
    raise NotRehearsed(f"this host has no PostgreSQL {version} with {', '.join(_NEEDED)}; name their folder with "
                       "--programs")


def _is_of(programs: Path, version: str) -> bool:
    if version == "*":
        return True
    done = subprocess.run([str(programs / "postgres"), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+", done.stdout)
    return found is not None and found[0] == version


def _clean() -> dict[str, str]:
    """The environment of the programs: nothing of the operator's leads them elsewhere."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _last(text: str) -> str:
    """The last that a program printed, in one line; of a log the line with the reason."""
    lines = text.strip().splitlines()
    reasons = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error)\b", line)]
    return " ".join((reasons or lines or ["it ended without a word"])[-1].split())[-_SAID:]

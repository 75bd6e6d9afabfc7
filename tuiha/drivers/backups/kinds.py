"""The kinds of backups: how each is asked, and how its answer is read."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuiha.config.secrets import environment
from tuiha.drivers.backups.command import printed
from tuiha.drivers.protocols import DriverError
from tuiha.model.databases.backups import BackupReport
from tuiha.model.problems.causes import Cause

if TYPE_CHECKING:
    from tuiha.config.parts import BackupSettings
    from tuiha.config.settings import Pool

_Ask = Callable[["BackupSettings", Path, Mapping[str, str]], Awaitable[BackupReport]]
_STRANGE = "the answer has another form than expected"
_NO_BACKUP = 2  # pgBackRest's status code: the stanza has no valid backup yet
_DONE = frozenset({"DONE", "WAITING_FOR_WALS"})  # Barman's states of a backup whose copy is whole
_RUNNING = frozenset({"STARTED", "EMPTY", "SYNCING"})


class BackupDriver:
    """Asks where the backups are, at most once in a while: in between the last answer counts."""

    def __init__(self, settings: BackupSettings, base: Path, variables: Mapping[str, str],
                 clock: Callable[[], float] = time.monotonic) -> None:
        """`variables`: the environment of the program."""
        self._settings = settings
        self._base = base
        self._variables = variables
        self._clock = clock
        self._asked: float | None = None
        self._last: BackupReport | DriverError = DriverError("it was not asked yet")

    async def poll(self) -> BackupReport:
        """The newest report. Raises DriverError."""
        now = self._clock()
        if self._asked is None or now - self._asked >= self._settings.every:
            try:
                self._last = await _KINDS[self._settings.driver](self._settings, self._base, self._variables)
            except DriverError as error:
                self._last = error
            self._asked = now
        if isinstance(self._last, DriverError):
            raise self._last
        return self._last

    async def close(self) -> None:
        """Nothing is open."""


def open_backup(pool: Pool, base: Path) -> BackupDriver | None:
    """What asks for the backups of the pair; None when none is configured."""
    settings = pool.database.backup
    return None if settings is None else BackupDriver(settings, base, environment(pool))


async def _pgbackrest(settings: BackupSettings, _: Path, variables: Mapping[str, str]) -> BackupReport:
    words = [*(settings.command or ["pgbackrest"]), "info", f"--stanza={settings.of}", "--output=json"]
    return read_pgbackrest(await printed(words, settings.seconds, variables), settings.of)


async def _barman(settings: BackupSettings, _: Path, variables: Mapping[str, str]) -> BackupReport:
    words = [*(settings.command or ["barman"]), "--format", "json", "list-backups", settings.of]
    return read_barman(await printed(words, settings.seconds, variables), settings.of)


async def _file(settings: BackupSettings, base: Path, _: Mapping[str, str]) -> BackupReport:
    """The newest of the files that fit the pattern. Raises DriverError."""
    pattern = str(base / Path(settings.of).expanduser())
    try:
        found = [(os.stat(name), name) for name in glob.glob(pattern)]
    except OSError as error:
        raise DriverError(f"{settings.of}: {error.strerror}", Cause.FORBIDDEN) from None
    if not found:
        return BackupReport(f"file {settings.of}", None)
    about, name = max(found, key=lambda one: one[0].st_mtime)
    return BackupReport(f"file {settings.of}", about.st_mtime, Path(name).name, about.st_size)


_KINDS: Mapping[str, _Ask] = {"pgbackrest": _pgbackrest, "barman": _barman, "file": _file}


def read_pgbackrest(answer: Any, stanza: str) -> BackupReport:
    """What `pgbackrest info --output=json` prints. Raises DriverError."""
    source = f"pgbackrest {stanza}"
    try:
        found = next(one for one in answer if one["name"] == stanza)
        status = found["status"]
        backups = [(float(one["timestamp"]["stop"]), one) for one in found.get("backup") or ()]
        good = [(at, one) for at, one in backups if not one.get("error")]
        last = max(backups, key=lambda one: one[0], default=None)
        failed = None if status["code"] in (0, _NO_BACKUP) else str(status["message"])
        if failed is None and last is not None and last[1].get("error"):
            failed = f"{last[1]['label']} has pages with wrong checksums"
        systems = {str(one["id"]): str(one["system-id"]) for one in found.get("db") or () if "system-id" in one}
        if not good:
            return BackupReport(source, None, failed=failed)
        at, newest = max(good, key=lambda one: one[0])
        system = systems.get(str(newest.get("database", {}).get("id")))
        return BackupReport(source, at, str(newest["label"]), int(newest["info"]["size"]), failed, system)
    except StopIteration:
        raise DriverError(f"pgbackrest has no stanza {stanza}", Cause.MISSING) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DriverError(_STRANGE, Cause.DAMAGED) from None


def read_barman(answer: Any, server: str) -> BackupReport:
    """What `barman --format json list-backups` prints. Raises DriverError."""
    source = f"barman {server}"
    try:
        every = sorted((one for one in answer[server] if one["status"] not in _RUNNING),
                       key=lambda one: str(one["backup_id"]))
        good = [one for one in every if one["status"] in _DONE]
        last = every[-1] if every else None
        failed = None if last is None or last["status"] in _DONE else f"{last['backup_id']}: {last['status']}"
        if not good:
            return BackupReport(source, None, failed=failed)
        newest = good[-1]
        size = newest.get("size_bytes")
        return BackupReport(source, float(newest["end_time_timestamp"]), str(newest["backup_id"]),
                            None if size is None else int(size), failed)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DriverError(_STRANGE, Cause.DAMAGED) from None

"""Which embedded pool commands find: a file with its run folder's path, and what to do when it is left over."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tuiha.config import places
from tuiha.lab.pool import reaper
from tuiha.lab.pool.layout import Layout, is_run_folder

_ANSWER = 2.0  # seconds for a supervisor to accept a connection


class AlreadyRunning(Exception):
    """This user has an embedded pool already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"an embedded pool runs already; its configuration is {Layout(folder).config}. "
                         f"`tuiha down` stops it")
        self.folder = folder


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep two starting pools apart."""
    descriptor = os.open(file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _named(file: Path) -> Path | None:
    try:
        folder = Path(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None
    return folder if folder.is_absolute() else None


def is_supervised(folder: Path) -> bool:
    """Whether a supervisor answers for this run folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER)
        try:
            probe.connect(str(Layout(folder).socket))
        except TimeoutError:
            return True  # it is there, and stopped or very busy
        except OSError:
            return False
    return True


def running() -> Path | None:
    """The run folder of this user's embedded pool. One whose supervisor is gone is cleaned up and is none."""
    file = places.embedded_pool()
    folder = _named(file)
    if folder is None:
        return None
    if is_supervised(folder):
        return folder
    with _locked(file):
        if _named(file) == folder and not is_supervised(folder):
            _clean_up(folder)
            file.unlink(missing_ok=True)
    return None


def _clean_up(folder: Path) -> None:
    """Remove what a pool left whose supervisor and watchdog were both killed."""
    if folder.is_dir() and is_run_folder(folder):
        reaper.end(str(folder), {})
        reaper.remove(str(folder))


def point(folder: Path) -> None:
    """Make this the pool that commands find. Raises AlreadyRunning."""
    file = places.embedded_pool()
    other = running()
    if other is not None:
        raise AlreadyRunning(other)
    with _locked(file):
        other = _named(file)
        if other is not None and is_supervised(other):
            raise AlreadyRunning(other)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.write_text(f"{folder}\n", encoding="utf-8")
        draft.replace(file)


def forget(folder: Path) -> None:
    """Take the pointer away, when it points here."""
    file = places.embedded_pool()
    with _locked(file):
        if _named(file) == folder:
            file.unlink(missing_ok=True)

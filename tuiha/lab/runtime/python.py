"""A Python that the unprivileged user can run, with the packages that the pool's processes need.

Started by root from a home that others cannot enter, neither the virtual environment nor, sometimes, the interpreter
itself is readable for the user that the processes run as. Modules are imported at any time in a process's life, and
data files are read, so the processes get copies of everything they may touch: the packages below, and the
interpreter with its standard library when that is out of reach too.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import tuiha
from tuiha.lab.pool.account import everyone_can_reach
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime.binaries import mirror

# What the processes import; it is copied with all that these require.
DISTRIBUTIONS = ("aiohttp", "asyncpg", "platformdirs", "prometheus-client", "psutil", "pydantic", "pyyaml",
                 "pymap", "msgpack", "redis")
_SAMPLES = ("aiohttp", "asyncpg", "psutil", "pydantic_core", "yaml", "pymap", "redis")
_UNUSED_STDLIB = ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip",
                  "lib2to3", "config-*", "*.a", "*.opt-?.pyc")
_UNUSED = ("tests", "*.c", "*.h", "*.pyx", "*.pxd", "*.opt-?.pyc")
# What an interpreter that is not the system's keeps beside its standard library.
_SHARED_LIBRARIES = ("libpython", "libssl", "libcrypto", "libffi", "libz", "libexpat", "libbz2", "liblzma", "libuuid",
                     "libsqlite3", "libstdc++", "libgcc_s")
_OF_INTERPRETERS = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class Python:
    """How the pool's Python processes are run."""

    executable: Path
    options: tuple[str, ...]
    env: dict[str, str]

    def module(self, name: str, *arguments: str) -> list[str]:
        """The command line that runs a module."""
        return [str(self.executable), *self.options, "-m", name, *arguments]


def for_children(layout: Layout) -> Python:
    """This Python, or a copy of it in the run folder when the account could not read it (some 0.2 s)."""
    package = Path(tuiha.__file__).resolve().parent
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(layout.folder), "PYTHONUNBUFFERED": "1"}
    if layout.account is None or everyone_can_reach(_touched(package)):
        # Whatever this interpreter needs to find its own parts, they need too.
        env |= {name: os.environ[name] for name in _OF_INTERPRETERS if name in os.environ}
        if sysconfig.get_path("purelib") != str(package.parent):  # run from a checkout
            env["PYTHONPATH"] = os.pathsep.join([str(package.parent), *filter(None, [env.get("PYTHONPATH")])])
        return Python(Path(sys.executable), ("-P",), env)
    site = layout.python / "site"
    _copy_packages(package, site)
    env["PYTHONPATH"] = str(site)
    executable = Path(sys.executable).resolve()
    if not everyone_can_reach([executable, Path(os.__file__), _extensions()]):
        executable = _copy_interpreter(executable, layout.python / "home")
        env["PYTHONHOME"] = str(layout.python / "home")
        env["LD_LIBRARY_PATH"] = str(layout.python / "home" / "lib")
    layout.python.chmod(0o755)
    return Python(executable, ("-P", "-S", "-s"), env)


def _touched(package: Path) -> list[Path]:
    """Files and folders that stand for all that a process reads."""
    found = [Path(sys.executable), Path(sys.prefix), Path(os.__file__), _extensions(),
             package / "__init__.py", package / "server" / "schema"]
    for name in _SAMPLES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin))
    return found


def _extensions() -> Path:
    return Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})) / "lib-dynload"


def _copy_packages(package: Path, site: Path) -> None:
    site.mkdir(parents=True)
    site.chmod(0o755)
    mirror(package, site / "tuiha", _UNUSED)
    for entry in entries(DISTRIBUTIONS):
        mirror(entry, site / entry.name, _UNUSED)


def entries(wanted: Iterable[str]) -> set[Path]:
    """The top-level files and folders of distributions and of all that they require."""
    entries: set[Path] = set()
    seen: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # required on other platforms or other versions of Python
        for file in distribution.files or ():
            if file.parts[0] not in ("..", "__pycache__"):
                entries.add(Path(str(distribution.locate_file(file.parts[0]))))
        waiting.extend(_required(distribution))
    return {entry for entry in entries if entry.exists()}


def _required(distribution: metadata.Distribution) -> list[str]:
    """Names of required distributions; those of extras are left out."""
    found = []
    for line in distribution.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is not None and "extra ==" not in line:
            found.append(name[0])
    return found


def _copy_interpreter(executable: Path, home: Path) -> Path:
    """Copy interpreter, standard library and libpython into a folder that PYTHONHOME can name."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(os.__file__).resolve().parent
    target = home / sys.platlibdir / version
    (home / "bin").mkdir(parents=True)
    target.parent.mkdir(exist_ok=True)
    mirror(library, target, _UNUSED_STDLIB)
    if _extensions().resolve().parent != library:
        mirror(_extensions(), target / "lib-dynload")
    (home / "lib").mkdir(exist_ok=True)
    for found in Path(sys.base_exec_prefix, "lib").glob("*.so*"):
        if found.name.startswith(_SHARED_LIBRARIES) and found.is_file():
            mirror(found, home / "lib" / found.name)
    copied = home / "bin" / executable.name
    mirror(executable, copied)
    for folder in (home, home / "bin", home / "lib", target.parent):
        folder.chmod(0o755)
    return copied

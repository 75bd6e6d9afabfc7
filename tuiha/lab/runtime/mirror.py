"""Mirror files below a folder that everyone can enter: hard links where possible, copies elsewhere.

What makes a file unreadable for others is mostly a folder above it. A hard link in another folder is then as good as
a copy, and a hundred times quicker.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection
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

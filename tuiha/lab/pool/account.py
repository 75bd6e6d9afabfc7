"""The unprivileged account that the embedded pool's processes run as when it is started by root.

In a folder of the account root does nothing as root: a link that the account, or whoever else runs as it, has put
there would lead anywhere. It acts as the account (`acting`), and so reaches no more than the account could.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NAMES = ("tuiha", "nobody")  # one of our own where the machine has it: others use nobody, too
_UNCHANGED = 0xFFFFFFFF  # setfsuid and setfsgid change nothing then, and answer what is so


class NoAccount(Exception):
    """This machine has no unprivileged user to drop to."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @contextmanager
    def acting(self) -> Iterator[None]:
        """In this thread the account reads, writes, makes and removes files, not root. Never across an `await`.

        Raises OSError when the kernel does not allow it.
        """
        os.setgroups(())  # the account has none; for root they change nothing
        _become(self.uid, self.gid)
        try:
            yield
        finally:
            _become(0, 0)


def _become(user: int, group: int) -> None:
    """Whom the kernel takes this thread for when it uses files; other threads stay what they are. Raises OSError."""
    libc = ctypes.CDLL(None)
    libc.setfsgid(group)
    libc.setfsuid(user)
    if (libc.setfsuid(_UNCHANGED), libc.setfsgid(_UNCHANGED)) != (user, group):
        raise PermissionError(f"files cannot be used as user {user}")


def unprivileged() -> Account | None:
    """The account to drop to: `tuiha` if the machine has it, else `nobody`. None when this process is not root and
    its children stay what it is.

    Raises NoAccount when it is root and the machine has neither: PostgreSQL refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise NoAccount(
        f"root starts the embedded pool as the user '{_NAMES[0]}' or '{_NAMES[-1]}', and this machine has neither. "
        f"Add one (useradd --system {_NAMES[0]}), or run tuiha as an ordinary user.")


def everyone_can_reach(paths: Iterable[Path]) -> bool:
    """Whether a user without rights can read these files and folders: each one and every folder above it."""
    return all(_open_to_others(path.resolve()) for path in paths)


def everyone_can_pass(folder: Path) -> bool:
    """Whether a user without rights can enter a folder, to reach what is in it."""
    path = folder.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _open_to_others(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & wanted == wanted and everyone_can_pass(path.parent)

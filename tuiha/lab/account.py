"""The unprivileged account that the embedded pool's processes run as when it is started by root."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NAME = "nobody"


class NoAccount(Exception):
    """This machine has no unprivileged user to drop to."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    def own(self, path: Path, mode: int) -> None:
        """Give a file or folder to the account, with these permission bits."""
        os.chown(path, self.uid, self.gid)
        path.chmod(mode)


def unprivileged() -> Account | None:
    """The account to drop to; None when this process is not root and its children stay what it is.

    Raises NoAccount when it is root and the machine has no user `nobody`: PostgreSQL refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        raise NoAccount(
            f"root starts the embedded pool as the user '{_NAME}', and this machine has none. "
            f"Add it, or run tuiha as an ordinary user."
        ) from None
    return Account(_NAME, entry.pw_uid, entry.pw_gid)


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

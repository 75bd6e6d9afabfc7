"""Where files live: the user's folders, the running embedded pool, and the data that tuiha brings along."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tuiha.config.errors import ConfigError, ConfigProblem

CONFIGURATION = "tuiha.yaml"  # what a configuration is called where nobody named one
EMBEDDED_CONFIGURATION = "pool.yaml"  # in the run folder of an embedded pool


def config_folder() -> Path:
    """The user's configuration folder for tuiha; it may not exist."""
    from platformdirs import user_config_path

    return user_config_path("tuiha", appauthor=False)


def state_folder() -> Path:
    """The user's folder for journals and the like, created with mode 0700. Raises ConfigError."""
    from platformdirs import user_state_path

    return _private(user_state_path("tuiha", appauthor=False))


def runtime_folder() -> Path:
    """A folder that lasts until the machine restarts and that only this user can enter. Raises ConfigError.

    $XDG_RUNTIME_DIR and /run/user/UID when they are this user's own, else a folder of ours in the temporary one.
    """
    user = os.geteuid()
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    for folder in (Path(named) if named else None, Path(f"/run/user/{user}")):
        if folder is not None and folder.is_absolute() and _is_private(folder):
            return _private(folder / "tuiha")
    import tempfile  # it brings much along, and most commands never come here

    return _private(Path(tempfile.gettempdir()) / f"tuiha-{user}")


def embedded_pool() -> Path:
    """The pointer file of this user's running embedded pool: it holds the path of the run folder.

    The file may not exist. Raises ConfigError when another user has taken the folder's name.
    """
    return runtime_folder() / "embedded-pool"


def running_pool() -> Path | None:
    """The run folder of this user's embedded pool; None when there is none, or only a left-over pointer."""
    try:
        folder = Path(embedded_pool().read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None
    return folder if folder.is_absolute() and (folder / EMBEDDED_CONFIGURATION).is_file() else None


def data_file(name: str) -> Path:
    """A file that tuiha brings along, for example `themes/dark.yaml` or `config/pool.example.yaml`.

    In an installed wheel it lies inside the package, in a checkout at its top. Raises FileNotFoundError.
    """
    from importlib import resources

    package = Path(str(resources.files("tuiha")))
    for root in (package / "_data", package.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"tuiha was installed without its file {name}; install it again")


def _is_private(folder: Path) -> bool:
    """Is `folder` a real folder that belongs to this user and that nobody else can enter or change?"""
    try:
        about = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077


def _private(folder: Path) -> Path:
    """`folder`, created when absent. Raises ConfigError when it is not this user's alone."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid == os.geteuid() and not folder.is_symlink() and not _is_private(folder):
            folder.chmod(0o700)  # only then: the file system may be read-only
    except OSError as error:
        raise ConfigError(ConfigProblem(f"folder {folder} cannot be used ({error.strerror})",
                                        "check its permissions and its disk")) from None
    if not _is_private(folder):
        raise ConfigError(ConfigProblem(f"folder {folder} belongs to somebody else, or is a link",
                                        "remove it, or set XDG_RUNTIME_DIR to a folder of your own with mode 0700"))
    return folder

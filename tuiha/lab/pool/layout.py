"""The run folder of an embedded pool: where everything is, who may read it, who may change it.

Where root starts the pool, the folder is root's: settings, secrets, ledger, logs, programs. The account that the
pool's processes run as can read what it needs of that and change none of it, because root's commands believe it. The
nodes' own folders are the account's, and there root acts as the account only.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tuiha.lab.pool.account import Account, everyone_can_pass

_LONGEST_FOLDER = 60  # a unix socket's path ends at 107 bytes
_MARK = "tuiha-pool"  # a file that says "this folder is ours to remove"

SECRETS = (
    "viewer", "operator",  # tokens of the control interface
    "postgres", "tuiha_owner", "tuiha_pool", "tuiha_watch", "tuiha_coordinator", "tuiha_replica",
    "mail_monitor", "mail_probe",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one embedded pool."""

    folder: Path
    account: Account | None = None  # whom the pool's processes run as; None: the user who started it

    @property
    def config(self) -> Path:
        """The generated configuration."""
        return self.folder / "pool.yaml"

    @property
    def users(self) -> Path:
        """The demo users: lines of name, tab, password."""
        return self.folder / "users.txt"

    @property
    def ledger(self) -> Path:
        """The pool's record."""
        return self.folder / "ledger.json"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def socket(self) -> Path:
        """The supervisor's control socket."""
        return self.folder / "lab.sock"

    @property
    def python(self) -> Path:
        """Copies of Python packages for a user who cannot read the originals."""
        return self.folder / "python"

    def secret(self, name: str) -> Path:
        """The file of one secret."""
        return self.folder / "secrets" / name

    def node(self, name: str) -> Path:
        """The folder of one node's files."""
        return self.folder / name

    def make_node(self, name: str) -> Path:
        """Create the folder of one node, for its process alone."""
        folder = self.node(name)
        folder.mkdir(mode=0o700)
        if self.account is not None:
            os.chown(folder, self.account.uid, self.account.gid, follow_symlinks=False)
        return folder

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Files of the nodes' folders are used inside, in this thread, as the pool's processes could use them."""
        if self.account is None:
            yield
            return
        with self.account.acting():
            yield

    def write(self, path: Path, text: str) -> None:
        """Write a file of a node, for its process alone. Raises OSError where the pool's processes could not."""
        with self.acting():
            _write(path, text, 0o600)

    def publish(self, path: Path, text: str, *, everyone: bool = False) -> None:
        """Write a file of the run folder: the pool's processes can read it (or everyone), and not change it."""
        _write(path, text, 0o600)
        if self.account is not None:
            os.chown(path, -1, self.account.gid, follow_symlinks=False)
        path.chmod(0o644 if everyone else 0o600 if self.account is None else 0o640)

    def remove(self, folder: Path) -> None:
        """Remove a folder below a node's, with all that is in it; what is not there is removed already."""
        with self.acting(), suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def move(self, path: Path, to: Path) -> None:
        """Rename what is below a node's folder."""
        with self.acting():
            path.rename(to)

    def read(self, path: Path) -> bytes:
        """A file of a node. Raises OSError where the pool's processes could not read it."""
        with self.acting():
            return path.read_bytes()

    def read_secret(self, name: str) -> str:
        """The text of one secret."""
        return self.secret(name).read_text(encoding="utf-8").strip()


def _parent(account: Account | None) -> str:
    """Where run folders go: the usual temporary folder, unless its path is too long for sockets, or the account
    cannot enter it or run programs from it. Raises OSError when no folder will do.
    """
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/run")]
    for folder in candidates:
        if len(str(folder)) + 20 <= _LONGEST_FOLDER and _will_do(folder, account):
            return str(folder)
    raise OSError(f"no folder for the embedded pool: {', '.join(map(str, candidates))} are too long, closed to the "
                  f"user that its processes run as, or mounted without the right to run programs; set TMPDIR")


def _will_do(folder: Path, account: Account | None) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    runs_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return account is None or (runs_programs and everyone_can_pass(folder))


def make_folder(account: Account | None) -> Path:
    """Make an empty run folder; others can pass through it, not list it."""
    folder = Path(tempfile.mkdtemp(prefix="tuiha-", dir=_parent(account)))
    folder.chmod(0o711)
    (folder / _MARK).touch(mode=0o644)
    return folder


def is_run_folder(folder: Path) -> bool:
    """Whether a folder was made by `make_folder`, so that its removal removes nothing else."""
    return folder.name.startswith("tuiha-") and (folder / _MARK).is_file()


def prepare(folder: Path, account: Account | None) -> Layout:
    """Fill a run folder with its subfolders and fresh secrets of 192 random bits each."""
    layout = Layout(folder, account)
    layout.logs.mkdir(mode=0o755)
    (folder / "secrets").mkdir(mode=0o700)
    if account is not None:
        os.chown(folder / "secrets", -1, account.gid)
        (folder / "secrets").chmod(0o710)
    for name in SECRETS:
        layout.publish(layout.secret(name), secrets.token_urlsafe(24) + "\n")
    return layout


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file, a link's target never; nobody can read it before its mode is set."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)

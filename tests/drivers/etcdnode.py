"""Real etcds for the tests, each a child process that ends with the tests."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.drivers.daemons import Child, child, free_port
from tests.until import until
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.gateway import Gateway, Login
from tuiha.lab.parts import etcd
from tuiha.lab.runtime.binaries import MissingServers


def program() -> Path:
    """Etcd's program; skips the test where there is none."""
    try:
        return etcd.find()
    except MissingServers as missing:
        pytest.skip(str(missing))


@dataclass
class EtcdNode:
    """One etcd: alone, or a member of a cluster."""

    folder: Path
    name: str = "etcd"
    port: int = field(default_factory=free_port)
    peer: int = field(default_factory=free_port)
    more: Sequence[str | Path] = ()
    scheme: str = "http"
    running: Child | None = None

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self.peer}"

    def start(self, members: Sequence[EtcdNode] = ()) -> None:
        """Start it; alone, or beside these members."""
        cluster = ",".join(f"{node.name}={node.peer_url}" for node in members or [self])
        command = [
            program(), "--name", self.name, "--data-dir", self.folder / self.name, "--log-level", "warn",
            "--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint,
            "--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url,
            "--initial-cluster", cluster, "--heartbeat-interval", "50", "--election-timeout", "250",
            "--bcrypt-cost", "4", *self.more]
        self.running = child(command, self.folder / f"{self.name}.log", self.port)

    def signal(self, number: signal.Signals) -> None:
        assert self.running is not None
        self.running.process.send_signal(number)

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None

    async def ready(self) -> None:
        """Wait until it has a leader."""
        await until(lambda: etcd.answers(self.endpoint), f"{self.name} has a leader: see {self.folder}")

    def gateway(self, *, user: str = "", password: str = "", timeout: float = 5.0) -> Gateway:
        return Gateway([self.endpoint], timeout, None, Login(user, password) if user else None)

    def ledger(self, pool: str, host: str = "here", lease_seconds: int = 15) -> EtcdLedger:
        return EtcdLedger(self.gateway(), "/tests", pool, host, lease_seconds)

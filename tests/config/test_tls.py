from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tuiha.config import tls
from tuiha.config.load import ConfigError
from tuiha.config.parts import Database, DatabaseNode, Role, Roles, Server
from tuiha.config.values import Secret, Tls

HERE = Path(__file__).parent / "certificates"
OWN = Tls(certificate=Path("certificate.pem"), key=Path("key.pem"))


def server(address: str, settings: Tls | None) -> Server:
    return Server(name="s1", address=address, tls=settings)


async def talk(listening: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=listening)
    async with listener, asyncio.timeout(20):
        port = listener.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        said = await reader.read()
        writer.close()
        return said


async def test_a_server_and_its_watcher_meet_over_verified_tls() -> None:
    settings = server("https://127.0.0.1:1", OWN.model_copy(update={"ca": Path("certificate.pem")}))
    listening, client = tls.listening(settings, HERE), tls.for_server(settings, HERE)
    assert listening is not None
    assert client is not None
    assert await talk(listening, client) == b"hello"


async def test_an_unknown_certificate_is_refused_unless_told_otherwise() -> None:
    listening = tls.listening(server("https://127.0.0.1:1", OWN), HERE)
    assert listening is not None
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk(listening, tls.client(None, HERE))
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk(listening, tls.client(Tls(), HERE))
    assert await talk(listening, tls.client(Tls(verify=False), HERE)) == b"hello"


async def test_one_context_reaches_every_server_of_the_pool() -> None:
    known = server("https://127.0.0.1:1", OWN.model_copy(update={"ca": Path("certificate.pem")}))
    listening = tls.listening(known, HERE)
    assert listening is not None
    context = tls.for_partners([server("http://127.0.0.1:1", None), known, server("https://127.0.0.1:2", None)], HERE)
    assert context is not None
    assert await talk(listening, context) == b"hello"
    stranger = tls.for_partners([server("https://127.0.0.1:1", OWN)], HERE)
    assert stranger is not None
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk(listening, stranger)
    assert tls.for_partners([server("http://127.0.0.1:1", None)], HERE) is None


def test_a_server_does_not_listen_in_plain_text_for_others() -> None:
    tls.refuse_plain_text("http://127.0.0.1:8080", "--listen")
    tls.refuse_plain_text("https://0.0.0.0:8080", "--listen")
    for host in ("0.0.0.0", "[::]", "s1.example.org"):
        with pytest.raises(ConfigError, match="--listen: plain text would leave this machine"):
            tls.refuse_plain_text(f"http://{host}:8080", "--listen")


def test_plain_http_has_no_context() -> None:
    assert tls.listening(server("http://127.0.0.1:1", None), HERE) is None
    assert tls.for_server(server("http://127.0.0.1:1", None), HERE) is None


def test_a_database_has_a_context_when_told() -> None:
    role = Role(user="u", password=Secret(env="X"))
    database = Database(nodes=[DatabaseNode(name="db1", address="127.0.0.1:1")], roles=Roles(pool=role, watcher=role))
    assert tls.for_database(database, HERE) is None
    context = tls.for_database(database.model_copy(update={"tls": Tls()}), HERE)
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Tls(ca=Path("absent.pem")), "ca: .*absent.pem cannot be read"),
        (Tls(ca=Path("README.md")), "ca: .*README.md holds no certificate"),
        (Tls(certificate=Path("absent.pem"), key=Path("key.pem")), "certificate: .*absent.pem cannot be read"),
        (Tls(certificate=Path("certificate.pem"), key=Path("absent.pem")), "key: .*absent.pem cannot be read"),
        (Tls(certificate=Path("certificate.pem"), key=Path("other-key.pem")), "are not a certificate and its key"),
        (Tls(certificate=Path("certificate.pem"), key=Path("encrypted-key.pem")), "without a passphrase"),
    ],
)
def test_what_cannot_be_used(settings: Tls, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tls.client(settings, HERE)


def test_https_needs_a_certificate_to_listen() -> None:
    with pytest.raises(ConfigError, match=r"'s1' tls\.certificate"):
        tls.listening(server("https://127.0.0.1:1", None), HERE)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "::1"])
def test_loopback(host: str) -> None:
    assert tls.is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "[::]", "example.org", "localhost.example.org", "", "127.1"])
def test_not_loopback(host: str) -> None:
    assert not tls.is_loopback(host)

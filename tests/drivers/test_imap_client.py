"""The client against real mail servers."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.drivers.conftest import MailCluster
from tests.drivers.daemons import free_port
from tuiha.drivers.mail import client as client_module
from tuiha.drivers.mail.client import ImapClient, ImapError, ImapGone
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import DriverError

_numbers = count(1)


@pytest.fixture
def user(cluster: MailCluster) -> str:
    """A user of the mail cluster with an empty mailbox; the password is `pw`."""
    name = f"user{next(_numbers)}"
    cluster.add_user(name, "pw")
    return name


@pytest.fixture
async def first(cluster: MailCluster, user: str) -> AsyncIterator[ImapClient]:
    """Logged in at the first server."""
    client = await ImapClient.connect("127.0.0.1", cluster.ports[0], "plain", timeout=30)
    await client.login(user, "pw")
    yield client
    await client.logout()


@pytest.fixture
async def second(cluster: MailCluster, user: str) -> AsyncIterator[ImapClient]:
    """Logged in at the second server."""
    client = await ImapClient.connect("127.0.0.1", cluster.ports[1], "plain", timeout=30)
    await client.login(user, "pw")
    yield client
    await client.logout()


def message(number: int = 1, subject: str = "hello") -> bytes:
    return (f"Message-ID: <{number}@test>\r\nSubject: {subject}\r\nFrom: Anna <anna@test>\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\n\r\ntext {number}\r\n").encode()


async def test_mail_on_one_server_is_noticed_on_the_other(first: ImapClient, second: ImapClient) -> None:
    selected = await first.select("INBOX")
    assert selected.exists == 0
    assert selected.uidvalidity > 0
    assert await first.fetch_envelopes(selected.uidnext) == []
    waiting = asyncio.create_task(first.idle(30))
    await second.append("INBOX", message(1, "=?utf-8?q?Gr=C3=BC=C3=9Fe_?= =?utf-8?b?4oKs?="))
    assert await waiting == "exists"
    (envelope,) = await first.fetch_envelopes(selected.uidnext)
    assert envelope.uid == selected.uidnext
    assert envelope.message_id == "<1@test>"
    assert envelope.subject == "Grüße €"
    assert envelope.sender == "Anna <anna@test>"
    assert envelope.size == len(message(1, "=?utf-8?q?Gr=C3=BC=C3=9Fe_?= =?utf-8?b?4oKs?="))
    assert envelope.date is not None
    assert abs(envelope.date - datetime.now(UTC)) < timedelta(hours=1)
    assert await first.fetch_envelopes(envelope.uid + 1) == []  # n:* names the last message; it is too old


async def test_mail_that_came_between_fetch_and_idle_is_told_at_once(first: ImapClient, second: ImapClient) -> None:
    await first.select("INBOX")
    await first.fetch_envelopes(1)
    await second.append("INBOX", message())
    await first.noop()
    assert await first.idle(0) == "exists"
    assert len(await first.fetch_envelopes(1)) == 1
    assert await first.idle(0) == "timeout"


async def test_idle_that_hears_nothing_ends_in_order(first: ImapClient) -> None:
    await first.select("INBOX")
    assert await first.idle(0.05) == "timeout"
    await first.noop()
    assert first.connected


async def test_a_big_mailbox_comes_in_batches(first: ImapClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 8):
        await first.append("INBOX", message(number))
    await first.select("INBOX")
    monkeypatch.setattr(client_module, "LISTED", 3)
    monkeypatch.setattr(client_module, "BATCH", 2)
    assert await first.uids(2) == [2, 3, 4]
    assert [e.message_id for e in await first.fetch_envelopes(2)] == [f"<{n}@test>" for n in range(2, 8)]


async def test_only_mail_since_a_day(first: ImapClient) -> None:
    await first.append("INBOX", message())
    await first.select("INBOX")
    today = datetime.now(UTC).date()
    assert len(await first.fetch_envelopes(1, today - timedelta(days=2))) == 1
    assert await first.fetch_envelopes(1, today + timedelta(days=2)) == []


async def test_the_monitor_reads_another_user_s_mailbox(cluster: MailCluster, user: str, second: ImapClient) -> None:
    await second.append("INBOX", message(5))
    async with asyncio.timeout(30):
        client = await ImapClient.connect("127.0.0.1", cluster.ports[0], "plain")
        await client.authenticate_plain(user, "monitor", "the monitor's")
        await client.select("INBOX", read_only=True)
        assert [e.message_id for e in await client.fetch_envelopes(1)] == ["<5@test>"]
        await client.logout()
    assert not client.connected


async def test_refusals_carry_the_server_s_words(cluster: MailCluster, user: str, first: ImapClient) -> None:
    with pytest.raises(ImapError) as no_mailbox:
        await first.select("No such \"mailbox\" \\ here")
    assert no_mailbox.value.response == "NO"
    assert no_mailbox.value.code == "NONEXISTENT"
    assert first.connected
    other = await ImapClient.connect("127.0.0.1", cluster.ports[0], "plain")
    with pytest.raises(ImapError) as wrong:
        await other.login(user, "wrong")
    assert wrong.value.code == "AUTHENTICATIONFAILED"
    with pytest.raises(ImapError) as forbidden:
        await other.authenticate_plain("somebody", user, "pw")
    assert forbidden.value.code == "AUTHORIZATIONFAILED"
    other.close()


async def test_awkward_passwords_and_mailbox_names(cluster: MailCluster) -> None:
    password = 'p"a\\s s*%{5}] '
    cluster.add_user("awkward", password)
    client = await ImapClient.connect("127.0.0.1", cluster.ports[0], "plain", timeout=30)
    await client.login("awkward", password)
    with pytest.raises(ImapError, match="does not exist"):
        await client.select("Entwürfe & mehr")
    await client.logout()


async def test_a_busy_connection_refuses_a_second_command(first: ImapClient) -> None:
    await first.select("INBOX")
    waiting = asyncio.create_task(first.idle(30))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await first.noop()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not first.connected
    with pytest.raises(ImapGone):
        await first.noop()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_is_verified(security: client_module.Security, cluster: MailCluster, user: str) -> None:
    if cluster.tls_port is None or cluster.certificate is None:
        pytest.skip("there is no openssl to make a certificate with")
    port = cluster.tls_port
    if security == "tls":  # pymap speaks STARTTLS only: put TLS in front of another node
        front = await _tls_front(cluster.certificate, cluster.ports[0])
        port = front.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(cluster.certificate))
    client = await ImapClient.connect("127.0.0.1", port, security, trusting, timeout=30)
    await client.login(user, "pw")
    assert (await client.select("INBOX")).exists == 0
    await client.logout()
    with pytest.raises(ImapGone, match="certificate not accepted"):
        await ImapClient.connect("127.0.0.1", port, security, timeout=30)


async def _tls_front(certificate: Path, port: int) -> asyncio.Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True)

    return await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)


async def test_plain_text_on_a_tls_port(cluster: MailCluster) -> None:
    with pytest.raises(ImapGone, match="TLS failed"):
        await ImapClient.connect("127.0.0.1", cluster.ports[0], "tls", timeout=30)


async def test_connection_refused() -> None:
    with pytest.raises(ImapGone, match=r"^connection refused$"):
        await ImapClient.connect("127.0.0.1", free_port(), "plain")


async def test_a_connection_is_small(cluster: MailCluster, user: str) -> None:
    async def one() -> ImapClient:
        client = await ImapClient.connect("127.0.0.1", cluster.ports[0], "plain", timeout=30)
        await client.login(user, "pw")
        await client.select("INBOX")
        return client

    clients = [await one()]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        clients += [await one() for _ in range(30)]
        each = (tracemalloc.get_traced_memory()[0] - before) / 30
    finally:
        tracemalloc.stop()
        for client in clients:
            client.close()
    assert each < 6000, f"{each:.0f} bytes"


async def test_the_driver_logs_in_and_says_how_long_it_took(cluster: MailCluster, user: str) -> None:
    report = await Imap("mail1", f"127.0.0.1:{cluster.ports[0]}", "plain", user, "pw").poll()
    assert report.latency_ms > 0
    assert "ready" in report.greeting


async def test_the_driver_s_errors(cluster: MailCluster, user: str) -> None:
    address = f"127.0.0.1:{cluster.ports[0]}"
    with pytest.raises(DriverError, match=f"^log-in of {user} refused: ") as caught:
        await Imap("mail1", address, "plain", user, "secret").poll()
    assert "secret" not in str(caught.value)
    with pytest.raises(DriverError, match=r"^connection refused$"):
        await Imap("mail1", f"127.0.0.1:{free_port()}", "plain", user, "pw").poll()

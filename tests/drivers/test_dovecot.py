"""The client and the driver against real Dovecot, and against a double of a server that is poor in features."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.imap_script import ok, talking
from tests.drivers.dovecot import MASTER, PROBE, PROXY, SEPARATOR, Cluster, cluster
from tuiha.drivers.mail import idle
from tuiha.drivers.mail.client import ImapClient, ImapError, ImapGone, Security, log_in_for
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import DriverError

MESSAGE = b"Message-ID: <1@test>\r\nSubject: hello\r\nFrom: Anna <anna@test>\r\n\r\ntext\r\n"


@pytest.fixture(scope="module")
def dovecot(folder: Path, certificate: Path | None) -> Iterator[Cluster]:
    users = {"anna": "pw", "bert": 'p"w\\ %', "juergen": "größe €"}
    with cluster(folder, certificate, users) as running:
        yield running


def trusting(dovecot: Cluster) -> ssl.SSLContext:
    if dovecot.certificate is None:
        pytest.skip("there is no openssl to make a certificate with")
    return ssl.create_default_context(cafile=str(dovecot.certificate))


async def connected(dovecot: Cluster, security: Security = "plain") -> ImapClient:
    node = dovecot.nodes[0]
    context = None if security == "plain" else trusting(dovecot)
    port = node.secure if security == "tls" else node.port
    return await ImapClient.connect("127.0.0.1", port, security, context, timeout=30)


@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
async def test_the_three_ways_to_connect(dovecot: Cluster, security: Security) -> None:
    client = await connected(dovecot, security)
    await client.login("anna", "pw")
    assert (await client.select("INBOX")).uidvalidity > 0
    await client.logout()
    if security != "plain":
        node = dovecot.nodes[0]
        with pytest.raises(ImapGone, match="certificate not accepted"):  # the system's trust store does not know it
            await ImapClient.connect("127.0.0.1", node.secure if security == "tls" else node.port, security)


async def test_tls_on_the_plain_port_and_plain_on_the_tls_port(dovecot: Cluster) -> None:
    context = trusting(dovecot)
    with pytest.raises(ImapGone, match="TLS failed"):
        await ImapClient.connect("127.0.0.1", dovecot.nodes[0].port, "tls", context, timeout=30)
    with pytest.raises(ImapGone):
        await ImapClient.connect("127.0.0.1", dovecot.nodes[0].secure, "plain", timeout=1)


@pytest.mark.parametrize(("user", "secret", "separator"), [
    (MASTER, "the master's", SEPARATOR), (PROXY, "the proxy's", None),
])
async def test_one_secret_opens_any_users_mailbox(
    dovecot: Cluster, user: str, secret: str, separator: str | None
) -> None:
    bert = await connected(dovecot)
    await bert.login("bert", 'p"w\\ %')
    await bert.append("INBOX", MESSAGE)
    client = await connected(dovecot)
    await log_in_for(client, "bert", user, secret, separator)
    await client.select("INBOX", read_only=True)
    assert {found.message_id for found in await client.fetch_envelopes(1)} == {"<1@test>"}
    await client.logout()
    await bert.logout()


@pytest.mark.parametrize("separator", [SEPARATOR, None])
async def test_who_may_not_act_for_others(dovecot: Cluster, separator: str | None) -> None:
    for name, user, secret in (("bert", "anna", "pw"), ("nobody", MASTER, "the master's"), ("bert", MASTER, "wrong")):
        client = await connected(dovecot)
        with pytest.raises(ImapError) as refused:
            await log_in_for(client, name, user, secret, separator)
        assert refused.value.response == "NO"
        assert secret not in str(refused.value)
        client.close()


async def test_a_name_with_the_separator_in_it_never_reaches_the_server(dovecot: Cluster) -> None:
    client = await connected(dovecot)
    with pytest.raises(ImapError, match="cannot be monitored"):
        await log_in_for(client, f"bert{SEPARATOR}x", MASTER, "the master's", SEPARATOR)
    await client.login("anna", "pw")  # the connection can still be used
    await client.logout()


async def test_a_password_beyond_ascii(dovecot: Cluster) -> None:
    client = await connected(dovecot)
    await client.login("juergen", "größe €")
    await client.logout()


async def test_the_driver(dovecot: Cluster) -> None:
    address = f"127.0.0.1:{dovecot.nodes[0].port}"
    report = await Imap("mail1", address, "plain", PROBE, "the probe's").poll()
    assert "Dovecot" in report.greeting
    with pytest.raises(DriverError, match=f"^log-in of {PROBE} refused: ") as refused:
        await Imap("mail1", address, "plain", PROBE, "wrong secret").poll()
    assert "wrong secret" not in str(refused.value)


# ---------------------------------------------------------------- a double; it is not Domino, and says so

_GREETING = b"* OK Domino IMAP4 Server Release 12.0 (a double of the tests) ready\r\n"
_OFFERS = b"* CAPABILITY LITERAL+ QUOTA NAMESPACE UIDPLUS IMAP4rev1\r\n"  # no SASL, no CONDSTORE, no IDLE
_SELECTED = (b"* FLAGS (\\Seen)\r\n* OK [UIDNEXT 8] next\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 77] is\r\n* 1 EXISTS\r\n"
             b"* OK [PERMANENTFLAGS ()] none\r\n")
_HEADER = b"SUBJECT: Re: plan\r\nMESSAGE-ID:\r\n <OF1234-ON88@acme>\r\n\r\n"
_FETCHED = (b"* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID SUBJECT DATE FROM)] {%d}\r\n%s RFC822.SIZE 99 "
            b'INTERNALDATE "22-Nov-2026 20:15:00 +0100" FLAGS (\\Seen) UID 7)\r\n' % (len(_HEADER), _HEADER))


class Poor:
    """What a server says that knows LOGIN and no IDLE. New mail is told when it is asked for."""

    def __init__(self) -> None:
        self.news = b""
        self._answers = {b"CAPABILITY": _OFFERS, b"EXAMINE": _SELECTED, b"UID": _FETCHED}

    def __call__(self, tag: bytes, command: bytes) -> bytes:
        word = command.split(b" ")[0]
        if word in (b"IDLE", b"AUTHENTICATE"):
            return tag + b" BAD unknown command\r\n"
        told, self.news = (self.news, b"") if word == b"NOOP" else (b"", self.news)
        return told + self._answers.get(word, b"") + ok(tag, command)


async def test_a_server_with_login_alone_and_without_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "_ASK", 0.05)
    poor = Poor()
    async with talking(poor, _GREETING) as (client, script):
        await log_in_for(client, "Anna Smith", "master", "s", SEPARATOR)
        assert script.lines[-1].endswith(b'LOGIN "Anna Smith*master" "s"')
        selected = await client.select("INBOX", read_only=True)
        assert (selected.exists, selected.uidvalidity, selected.uidnext) == (1, 77, 8)
        (found,) = await client.fetch_envelopes(1)
        assert (found.uid, found.message_id, found.subject) == (7, "<OF1234-ON88@acme>", "Re: plan")
        assert await client.idle(0.01) == "timeout"
        waiting = asyncio.create_task(client.idle(30))
        poor.news = b"* 2 EXISTS\r\n"
        assert await waiting == "exists"
        assert sum(line.endswith(b"IDLE") for line in script.lines) == 1, "it is not tried again and again"


async def test_a_server_that_disables_login() -> None:
    offers = b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR] ready\r\n"
    async with talking(greeting=offers) as (client, script):
        await client.login("anna", "pw")
        assert script.lines == [b"a1 AUTHENTICATE PLAIN AGFubmEAcHc="]
    async with talking(greeting=b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] ready\r\n") as (client, script):
        with pytest.raises(ImapError, match="without TLS"):
            await client.login("anna", "pw")
        assert script.lines == []


async def test_a_server_that_wants_the_secret_on_a_line_of_its_own() -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        return b"+ \r\n" if command.startswith(b"AUTHENTICATE") else b"a1 OK done\r\n"

    async with talking(reply, b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n") as (client, script):
        await client.authenticate_plain("anna", "proxy", "pw")
        assert script.lines == [b"a1 AUTHENTICATE PLAIN", b"YW5uYQBwcm94eQBwdw=="]

"""The client against servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from base64 import b64decode
from collections.abc import Callable
from datetime import date

import pytest

from tests.doubles.imap_script import GREETING, ok, scripted, talking
from tests.until import until
from tuiha.drivers.mail.client import (
    LISTED,
    NO_UIDVALIDITY,
    ImapClient,
    ImapError,
    ImapFailure,
    ImapGone,
    Security,
    Selected,
)
from tuiha.drivers.mail.envelopes import EnvelopePart, FetchAnswers
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import DriverError

SELECTED = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\n"


def envelope(uid: int) -> bytes:
    header = b"Message-ID: <%d@x>\r\nSubject: s\r\n\r\n" % uid
    return b"* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID SUBJECT DATE FROM)] {%d}\r\n%s UID %d RFC822.SIZE 5)\r\n" % (
        len(header), header, uid)


@pytest.mark.parametrize("greeting", [
    b"", b"220 smtp.example ESMTP\r\n", b"\x00\xff\xfe", b"* NO thanks\r\n", b"\r\n", b"* BYE too many\r\n",
    b"+OK POP3\r\n", b"x" * 300_000 + b"\r\n",
])
async def test_a_greeting_that_is_none(greeting: bytes) -> None:
    async with scripted(greeting=greeting) as script:
        with pytest.raises(ImapFailure):
            await ImapClient.connect("127.0.0.1", script.port, "plain", timeout=0.5)


async def test_a_server_that_says_nothing() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(ImapGone, match=r"^no answer within 0\.2 s$"):
            await ImapClient.connect("127.0.0.1", mute.getsockname()[1], "plain", timeout=0.2)
        driver = Imap("mail1", f"127.0.0.1:{mute.getsockname()[1]}", "plain", "u", "p", timeout=0.2)
        with pytest.raises(DriverError, match="no answer"):
            await driver.poll()


@pytest.mark.parametrize("answer", [
    b"a1 MAYBE\r\n", b"what\r\n", b"zz OK not yours\r\n", b"* 5 EXISTS\r\n", b"", b"+ more\r\n", b"* BYE\r\n",
    b"* 99999999999999999999999 EXISTS\r\n", b"* CAPABILITY {99999999}\r\n", b"{5}\r\nabc",
    b"* X {2}\r\nab" * 3, b"\n" * 1000, b"* 1 FETCH (" + b"(" * 100 + b"\r\n",
])
async def test_nonsense_ends_in_a_failure_and_closes(answer: bytes) -> None:
    async with talking(lambda tag, command: answer, timeout=0.5) as (client, _):
        with pytest.raises(ImapFailure):
            await client.select("INBOX")
        assert not client.connected


@pytest.mark.parametrize("answer", [
    b"* 1 FETCH (UID x BODY[] {1}\r\nx)\r\n", b"* 1 FETCH (UID 1 BODY\r\n", b"* 1 FETCH UID\r\n",
    b"* 1 FETCH (UID)\r\n", b"* 1 FETCH (" + b"(" * 100 + b"\r\n", b'* 1 FETCH (UID "\r\n',
    b"* 1 FETCH ((A) B)\r\n", b"* 1 FETCH (UID 1 BODY[] {3}\r\nabc))\r\n",
])
async def test_nonsense_in_envelopes_is_as_if_it_had_not_come(answer: bytes) -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        said = b"* SEARCH 4 5\r\n" if b"SEARCH" in command else answer + envelope(4)
        return said + ok(tag, command)

    async with talking(reply) as (client, _):
        await client.uids(1)
        answers = FetchAnswers(frozenset((4, 5)).__contains__)
        await client.fetch((4, 5), EnvelopePart.HEADER, answers)
        assert list(answers.envelopes(EnvelopePart.HEADER)) in ([4], [])
        assert client.connected


async def test_flags_that_change_meanwhile_are_no_messages() -> None:
    answer = b"* 2 FETCH (FLAGS (\\Seen))\r\n" + envelope(4) + b"* 3 FETCH (UID 9 FLAGS ())\r\n" + envelope(2)
    async with talking(lambda tag, command: answer + ok(tag, command)) as (client, _):
        assert [one.uid for one in await client.fetch_envelopes(1)] == [2, 4]
        assert [one.uid for one in await client.fetch_envelopes(3)] == [4]


async def test_an_endless_answer_ends_at_the_deadline() -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        try:
            while True:
                writer.write(b"* 1 RECENT\r\n" * 1000)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server:
        client = await ImapClient.connect("127.0.0.1", server.sockets[0].getsockname()[1], "plain", timeout=0.5)
        with pytest.raises(ImapGone, match="no answer within"):
            await client.noop()


async def test_more_messages_than_anybody_asked_for() -> None:
    flood = b"".join(envelope(uid) for uid in range(1, 20))

    def reply(tag: bytes, command: bytes) -> bytes:
        return (b"* SEARCH 4 9\r\n" if b"SEARCH" in command else flood) + ok(tag, command)

    async with talking(reply) as (client, _):
        assert [one.uid for one in await client.fetch_envelopes(1)] == [4, 9]


async def test_bye_in_idle() -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        return b"+ go\r\n* BYE restarting\r\n" if command == b"IDLE" else ok(tag, command)

    async with talking(reply) as (client, _):
        assert await client.idle(30) == "bye"
        assert not client.connected


async def test_the_connection_breaks_in_idle() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        await reader.readline()
        writer.write(b"+ go\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        client = await ImapClient.connect("127.0.0.1", server.sockets[0].getsockname()[1], "plain", timeout=30)
        with pytest.raises(ImapGone, match="the server closed the connection"):
            await client.idle(30)


async def test_a_server_that_is_deaf_to_done_is_gone() -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        return b"+ go\r\n" if command == b"IDLE" else b""

    async with talking(reply, timeout=0.3) as (client, script):
        with pytest.raises(ImapGone, match="no answer within"):
            await client.idle(0.05)
        assert script.lines[-1] == b"DONE"


async def test_expunge_and_exists_in_idle() -> None:
    told = [b"* 2 EXPUNGE\r\n", b"* 2 EXPUNGE\r\n* 3 EXISTS\r\n", b"* 2 RECENT\r\n"]
    idle_tag: list[bytes] = []

    def reply(tag: bytes, command: bytes) -> bytes:
        if command == b"IDLE":
            idle_tag[:] = [tag]
            return b"+ go\r\n" + told.pop(0)
        if tag == b"DONE":
            return ok(idle_tag[0], b"")
        return (SELECTED if command.startswith(b"SELECT") else b"") + ok(tag, command)

    async with talking(reply) as (client, _):
        assert (await client.select("INBOX")).exists == 3
        assert await client.idle(30) == "expunge"
        assert await client.idle(30) == "exists"
        await client.fetch_envelopes(9)
        assert await client.idle(0.05) == "timeout"


async def test_a_mailbox_without_uidvalidity() -> None:
    async with talking() as (client, script):
        assert await client.select("INBOX") == Selected(0, NO_UIDVALIDITY, 0)
        assert script.lines[-1].endswith(b' STATUS "INBOX" (UIDVALIDITY UIDNEXT)')


@pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "a\0b"])
async def test_arguments_cannot_become_commands(text: str) -> None:
    async with talking() as (client, script):
        before = len(script.lines)
        for call in (client.login(text, "p"), client.login("u", text), client.select(text),
                     client.append(text, b"x"), client.authenticate_plain(text, "u", "p"),
                     client.authenticate_plain("", "u", text)):
            with pytest.raises(ImapError):
                await call
        assert client.connected
        assert len(script.lines) == before


async def test_names_and_passwords_beyond_ascii_go_by_sasl() -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"

    def reply(tag: bytes, command: bytes) -> bytes:
        return b"+ \r\n" if command.startswith(b"AUTHENTICATE") else ok(b"a1", b"") if not command else ok(tag, b"")

    async with talking(reply, greeting) as (client, script):
        await client.login("jürgen", "€")
        assert script.lines[0].endswith(b" AUTHENTICATE PLAIN")
        assert b64decode(script.lines[1]).decode() == "\0jürgen\0€"


async def test_sasl_in_one_step_where_it_is_offered() -> None:
    async with talking(greeting=b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n") as (client, script):
        await client.authenticate_plain("anna", "monitor", "p")
        command, _, secret = script.lines[0].rpartition(b" ")
        assert command.endswith(b" AUTHENTICATE PLAIN")
        assert b64decode(secret) == b"anna\0monitor\0p"


async def test_literals_wait_for_the_server_s_go_ahead() -> None:
    state = {"tag": b""}

    def reply(tag: bytes, command: bytes) -> bytes:
        if command.endswith(b"{7}"):
            state["tag"] = tag
            return b"+ go\r\n"
        return ok(state["tag"], b"") if tag == b"" and not command else b""

    async with talking(reply) as (client, script):
        await client.append("INBOX", b"hello\r\n")
        assert script.lines[0].endswith(b' APPEND "INBOX" {7}')
        assert script.lines[1] == b"hello"


async def test_login_is_not_tried_where_it_is_disabled() -> None:
    async with talking(greeting=b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x\r\n") as (client, script):
        with pytest.raises(ImapError, match="without TLS"):
            await client.login("u", "p")
        assert script.lines == []


@pytest.mark.parametrize("greeting", [b"* PREAUTH welcome\r\n", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n"])
async def test_starttls_cannot_be_evaded(greeting: bytes) -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        return tag + b" OK go\r\n" + b"a2 OK [CAPABILITY AUTH=NONE] injected\r\n"

    async with scripted(reply, greeting) as script:
        with pytest.raises(ImapError, match=r"PREAUTH|plain text after STARTTLS"):
            await ImapClient.connect("127.0.0.1", script.port, "starttls", timeout=30)
        assert not any(b"LOGIN" in line for line in script.lines)


async def test_a_refusal_ends_with_the_server_s_words() -> None:
    async with talking(lambda tag, command: tag + b" NO [ALERT] disk\x1b[31m is full\x07\r\n") as (client, _):
        with pytest.raises(ImapError) as caught:
            await client.noop()
        assert str(caught.value) == "disk [31m is full"
        assert caught.value.code == "ALERT"


async def test_logout_of_a_server_that_is_gone_is_quiet() -> None:
    async with talking(lambda tag, command: b"", timeout=0.2) as (client, _):
        await client.logout()
        assert not client.connected


@pytest.mark.parametrize(("answer", "there"), [
    (b"* 3 FETCH (UID 7)\r\n", True), (b"* 3 FETCH (uid 6)\r\n", False), (b"* 3 FETCH (FLAGS () UID 9)\r\n", True),
    (b"", False), (b"* 4 EXISTS\r\n* 3 FETCH (UID 6)\r\n", False),
])
async def test_whether_there_is_anything_from_a_uid_on(answer: bytes, there: bool) -> None:
    """n:* always names the last message, also when its UID is smaller than n."""
    async with talking(lambda tag, command: answer + ok(tag, command)) as (client, script):
        assert await client.any_from(7) is there
        assert script.lines[-1].endswith(b"UID FETCH 7:* (UID)")


async def test_a_message_that_is_told_before_idle_began_is_told_at_once() -> None:
    idle = list[bytes]()

    def reply(tag: bytes, command: bytes) -> bytes:
        if command == b"IDLE":
            idle.append(tag)
            return b"* 4 EXISTS\r\n+ idling\r\n"
        return ok(idle[-1], b"") if tag == b"DONE" else (SELECTED if b"SELECT" in command else b"") + ok(tag, command)

    async with talking(reply) as (client, _), asyncio.timeout(20):
        await client.select("INBOX")
        assert await client.idle(1500.0) == "exists"


@pytest.mark.parametrize("bent", [bytes.upper, bytes.lower])
async def test_tags_are_read_without_their_case(bent: Callable[[bytes], bytes]) -> None:
    async with talking(lambda tag, command: ok(bent(tag), command), timeout=0.5) as (client, _):
        await client.noop()
        assert client.connected


async def test_what_is_told_after_vanished_is_news() -> None:
    told = [b"* VANISHED 2\r\n", b"* 3 EXISTS\r\n", b""]

    def reply(tag: bytes, command: bytes) -> bytes:
        if command == b"NOOP":
            return told.pop(0) + ok(tag, command)
        return (SELECTED if b"SELECT" in command else b"") + ok(tag, command)

    async with talking(reply) as (client, _):
        await client.select("INBOX")
        await client.noop()
        assert client.exists == 2
        await client.noop()
        assert await client.idle(5.0) == "exists"


@pytest.mark.parametrize(("security", "refused"), [("plain", b"CAPABILITY"), ("starttls", b"STARTTLS")])
async def test_a_connection_that_is_refused_at_its_beginning_is_closed(security: Security, refused: bytes) -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        return tag + b" BAD unknown\r\n" if command == refused else ok(tag, command)

    greeting = b"* OK hello\r\n"
    async with scripted(reply, greeting=greeting) as script:
        with pytest.raises(ImapError):
            await ImapClient.connect("127.0.0.1", script.port, security, timeout=2.0)
        await until(lambda: not script.open, seconds=5)


async def test_where_search_is_refused_the_history_is_among_the_last_messages() -> None:
    count, asked = LISTED + 1000, list[bytes]()
    shown = b"".join(b'* %d FETCH (UID %d INTERNALDATE "17-Nov-2026 10:00:00 +0000")\r\n' % (n, n)
                     for n in range(count - 2, count + 1))

    def reply(tag: bytes, command: bytes) -> bytes:
        asked.append(command)
        if b"SEARCH" in command:
            return tag + b" NO not here\r\n"
        if b"SELECT" in command:
            return b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n" % (count, count + 1) + ok(
                tag, command)
        return (shown if b"FETCH" in command else b"") + ok(tag, command)

    async with talking(reply) as (client, _):
        await client.select("INBOX")
        assert await client.uids(1, date(2026, 11, 1)) == [count - 2, count - 1, count]
        assert await client.uids(1, date(2026, 11, 30)) == []  # none is as new as that
    assert b"FETCH %d:* (UID INTERNALDATE RFC822.SIZE)" % 1001 in asked


async def test_a_server_that_answers_for_its_newest_messages_is_asked_for_the_others() -> None:
    """RFC 9738: the answer is OK, and names the lowest UID that it is about."""
    def reply(tag: bytes, command: bytes) -> bytes:
        if b"SEARCH" not in command:
            return ok(tag, command)
        low, _, high = command.split()[3].partition(b":")
        wanted = range(int(low), (2500 if high == b"*" else int(high)) + 1)[-1000:]
        limit = b"[MESSAGELIMIT 1000 %d] " % wanted[0] if wanted[0] > int(low) else b""
        return b"* SEARCH %s\r\n%s OK %sdone\r\n" % (b" ".join(b"%d" % uid for uid in wanted), tag, limit)

    async with talking(reply) as (client, _):
        assert await client.uids(1) == list(range(1, 2501))
        assert await client.uids(2000) == list(range(2000, 2501))


async def test_an_empty_mailbox_may_refuse_every_question() -> None:
    def reply(tag: bytes, command: bytes) -> bytes:
        if b"FETCH" in command or b"SEARCH" in command:
            return tag + b" NO there are no messages\r\n"
        empty = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 6] x\r\n"
        return (empty if b"SELECT" in command else b"") + ok(tag, command)

    async with talking(reply) as (client, _):
        await client.select("INBOX")
        assert await client.uids(6) == []
        assert not await client.any_from(6)

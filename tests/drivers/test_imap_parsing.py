"""The parsers of IMAP answers, with whatever bytes come."""

from __future__ import annotations

import asyncio
import encodings
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tuiha.drivers.mail import wire
from tuiha.drivers.mail.client import ImapClient, Lowest
from tuiha.drivers.mail.envelopes import Envelope, piece
from tuiha.drivers.mail.headers import _shifted, clean, decoded, header_fields
from tuiha.drivers.mail.values import parse
from tuiha.drivers.mail.wire import ImapError, ImapFailure, Literal, Response, Wire, mailbox_name, string


def envelope(response: Response) -> Envelope:
    return piece(response).envelope()


PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([
        b"* ", b"+ ", b"a1 OK ", b"a2 OK ", b"a3 NO ", b"\r\n", b"\n", b"{3}\r\n", b"{99}\r\n", b"{0}\r\n", b"(", b")",
        b'"', b"\\", b"NIL", b"1 FETCH ", b"UID 5 ", b"BODY[HEADER.FIELDS (SUBJECT)] ", b"5 EXISTS", b"* SEARCH 1 2",
        b"[UIDNEXT 4]", b"[UIDVALIDITY 4]", b"* BYE", b"INTERNALDATE ", b"RFC822.SIZE 12 ", b"Subject: =?utf-8?q?x?=",
    ]),
)
CONVERSATIONS = st.lists(PIECES, max_size=30).map(b"".join)


class Tape(asyncio.Transport):
    """A connection whose other side plays its answers back, one at each write, and then hangs up."""

    def __init__(self, wire: Wire, answers: list[bytes]) -> None:
        super().__init__()
        self.wire, self.answers, self.closed = wire, answers, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        loop = asyncio.get_running_loop()
        if self.answers:
            loop.call_soon(self.wire.data_received, self.answers.pop(0))
        else:
            loop.call_soon(self.wire.connection_lost, None)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def play(answers: list[bytes], talk: Callable[[ImapClient], object]) -> None:
    wire = Wire()
    wire.connection_made(Tape(wire, list(answers)))
    client = ImapClient(wire, 0.05)
    call = talk(client)
    assert asyncio.iscoroutine(call)
    try:
        async with asyncio.timeout(20):
            await call
    except ImapFailure:
        return


async def everything(client: ImapClient) -> None:
    await client.select("INBOX")
    await client.fetch_envelopes(1)
    await client.idle(0.01)
    await client.logout()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CONVERSATIONS, max_size=6))
@example([b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 4]\r\na1 OK\r\n", b"* 1 FETCH (UID 5 BODY[] {0}\r\n"])
def test_whatever_a_server_says_the_client_ends_in_time(answers: list[bytes]) -> None:
    asyncio.run(play(answers, everything))


@given(st.lists(st.one_of(st.binary(max_size=40), PIECES), min_size=1, max_size=5).filter(lambda p: len(p) % 2 == 1))
def test_parsing_any_parts(parts: list[bytes]) -> None:
    try:
        values = parse(parts)
    except ImapError:
        return
    assert all(isinstance(value, bytes | list | None) for value in values)


@given(st.binary(max_size=300), st.binary(max_size=30))
def test_an_envelope_from_any_header(header: bytes, when: bytes) -> None:
    parts = (b"* 1 FETCH (UID 7 RFC822.SIZE 1 INTERNALDATE ", when, b" BODY[] ", header, b")")
    found = envelope(Response(parts))
    assert found.uid == 7
    for text in (found.subject, found.message_id, found.sender):
        assert text.isprintable()
        assert len(text) <= 900
        text.encode("utf-8")


@given(st.text(max_size=2000))
@example("=?utf-8?b?////?=")
@example("=?nonsense?q?abc?=")
@example("=?base64_codec?b?YWJj?=")
@example("=?utf-16?q?=D8?=")
@example("=?utf-8?q?" + "=?" * 500)
def test_any_subject_becomes_one_clean_line(text: str) -> None:
    for made in (decoded(text), clean(text)):
        assert made.isprintable()
        assert len(made) <= 900
        made.encode("utf-8")


@given(st.text(max_size=60))
def test_a_quoted_argument_comes_back_as_it_was(text: str) -> None:
    try:
        piece = string(text)
    except (ImapError, UnicodeEncodeError):
        assert any(c in text for c in "\r\n\0") or not text.isprintable()
        return
    if isinstance(piece, Literal):
        assert piece.data == text.encode()
        return
    assert parse([piece]) == [text.encode()]


def test_mailbox_names_are_in_modified_utf_7() -> None:
    assert mailbox_name("INBOX") == b'"INBOX"'
    assert mailbox_name("Entwürfe & mehr") == b'"Entw&APw-rfe &- mehr"'
    assert mailbox_name("~peter/mail/台北/日本語") == b'"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'


def test_nested_values() -> None:
    assert parse([b'a (b "c \\" d" (NIL)) ', b"lit )(", b" x"]) == [
        b"a", [b"b", b'c " d', [None]], b"lit )(", b"x"]


def test_folded_header_fields() -> None:
    raw = "Subject: one\r\n two\r\nSubject: other\r\nX\r\nFROM: Jürgen <j@x>\r\n".encode("latin-1")
    assert header_fields(raw) == {"subject": "one two", "from": "Jürgen <j@x>"}


@pytest.mark.parametrize(("when", "expected"), [
    (b" 7-Feb-2026 09:05:01 +0100", "2026-02-07T08:05:01+00:00"),
    (b"17-feb-2026 23:05:01 -0930", "2026-02-18T08:35:01+00:00"),
    (b"31-Feb-2026 09:05:01 +0000", "2026-01-02T03:04:05+00:00"),
    (b"nonsense", "2026-01-02T03:04:05+00:00"),
])
def test_the_date_of_arrival_or_else_of_the_header(when: bytes, expected: str) -> None:
    header = b"Date: Fri, 2 Jan 2026 03:04:05 +0000\r\n"
    found = envelope(Response((b"* 1 FETCH (UID 1 INTERNALDATE ", when, b" BODY[] ", header, b")")))
    assert found.date is not None
    assert found.date.isoformat() == expected


def test_only_charsets_that_python_knows_are_looked_up() -> None:
    """With some of its codecs one Subject takes seconds, and it keeps each name that it does not know for ever."""
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    before = len(encodings._cache)
    for charset in ("punycode", "idna", "undefined", "unicode_escape", *(f"x-{number}" for number in range(300))):
        assert decoded(f"=?{charset}?q?{many}?=")[:3] == many[:3]
    assert len(encodings._cache) == before
    assert decoded("=?koi8-r?b?8NLJ18XU?=") == "Привет"


def test_what_has_no_end_costs_no_more_than_it_is_long() -> None:
    """A pattern that is tried from each place of a text of this length would take hours."""
    assert decoded("=?x?q?a" * 1028).startswith("=?x?q?a")
    assert wire._open(b'("' + b'\\"' * 1_000_000 + b"\\") == 1


def test_the_lowest_of_many_ranges() -> None:
    lowest = Lowest(1000)
    for _ in range(20_000):
        lowest.add(1, 9999)
    lowest.add(3, 2**63)
    assert lowest.found() == list(range(1, 1001))
    last = Lowest(10)
    last.add(2**63 - 5, 2**63 + 5)
    assert last.found() == [2**63 - 5, 2**63 - 4, 2**63 - 3, 2**63 - 2]  # the cursor behind it has 63 bits


def test_the_rows_of_shift_jis_are_those_of_iso_2022_jp() -> None:
    """Every character of JIS X 0208; Windows writes six of them otherwise."""
    agree = differ = 0
    for row in range(0x21, 0x7F):
        for cell in range(0x21, 0x7F):
            with suppress(UnicodeDecodeError):
                known = b"\x1b$B%c%c\x1b(B" % (row, cell)
                same = known.decode("iso2022_jp") == _shifted(bytes((row, cell))).decode("cp932")
                agree, differ = agree + same, differ + (not same)
    assert (agree, differ) == (6873, 6)

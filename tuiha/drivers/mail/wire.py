"""The bytes of an IMAP connection: bounded lines and literals in, quoted strings and literals out.

Framing is read as widely as mail programs read it: blank lines, bare LF, blanks at the end of a line, a response that
continues on the next line. What is too long to be kept is read to its end and dropped, so that the connection lives.
What one response keeps is bounded by LINE_LIMIT for each line, LITERAL_KEEP for each literal and RESPONSE_KEEP in
all; what answers one command may have on the wire by COMMAND_LIMIT.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TypeAlias

from tuiha.drivers.reach import why
from tuiha.model.problems.causes import Cause

LINE_LIMIT = 128 * 1024  # bytes that are kept of one line
LITERAL_KEEP = 64 * 1024  # bytes that are kept of one literal
RESPONSE_KEEP = 512 * 1024  # bytes that are kept of one response
COMMAND_LIMIT = 32 * 1024 * 1024  # bytes of all answers to one command
_HIGH_WATER = 64 * 1024  # stop reading from the socket while more than this is waiting to be parsed
_TEXT_LIMIT = 200  # characters of a server's text that are passed on
_LINES_KEEP = 400  # lines that are kept of one response
_TAIL = 32  # bytes of the end of a line that say whether a literal follows

_LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}[ \t]*$")  # also literal8 (RFC 3516) and LITERAL+ (RFC 7888)
_STATUS = re.compile(rb"(?:\+|\S+[ \t]+(?:OK|NO|BAD|BYE|PREAUTH)(?:[ \t]|$))", re.IGNORECASE)
_BEGINS = re.compile(rb"(?:\*|\+|a\d+)(?:[ \t]|$)", re.IGNORECASE)  # a response: tags are `a` and a number
_NUMBERS = re.compile(rb"\*[ \t]+(SEARCH|ESEARCH)[ \t]", re.IGNORECASE)
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[()]', re.DOTALL)


class ImapFailure(Exception):
    """Base of the two ways in which IMAP fails. The text is short and fit for a screen."""


class ImapGone(ImapFailure):
    """The connection is lost: refused, dropped, BYE, or no answer in time. The client cannot be used again."""

    def __init__(self, text: str, cause: Cause = Cause.LOST) -> None:
        super().__init__(text)
        self.cause = cause


class ImapError(ImapFailure):
    """The server refused a command (`response` is NO or BAD), or what it sent is not IMAP (`response` is None).

    `code` is the response code in upper case, for instance AUTHENTICATIONFAILED, or None. After a refusal the
    connection can be used again; after nonsense it is closed.
    """

    def __init__(self, text: str, response: str | None = None, code: str | None = None) -> None:
        super().__init__(text)
        self.response = response
        self.code = code


@dataclass(frozen=True, slots=True)
class Literal:
    """An argument that is sent as a literal."""

    data: bytes


Piece: TypeAlias = "bytes | Literal"


def readable(raw: bytes) -> str:
    """A server's bytes as one short line of text without control characters."""
    text = raw[: _TEXT_LIMIT * 4].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_TEXT_LIMIT]


def string(value: str) -> Piece:
    """Quote an argument so that it can never become a command of its own: a quoted string, or a literal.

    Raises ImapError for CR, LF and NUL.
    """
    data = value.encode("utf-8")
    if any(c in data for c in b"\r\n\0"):
        raise ImapError("a line break or NUL character cannot be sent in an argument", "BAD")
    if data.isascii() and len(data) < 1000:
        return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return Literal(data)


def mailbox_name(name: str) -> Piece:
    """A mailbox name in IMAP's modified UTF-7, quoted."""
    from base64 import b64encode

    def packed(run: re.Match[str]) -> str:
        if run[0] == "&":
            return "&-"
        base = b64encode(run[0].encode("utf-16-be", "replace")).decode("ascii")
        return "&" + base.rstrip("=").replace("/", ",") + "-"

    return string(re.sub(r"&|[^\x20-\x7e\r\n\0]+", packed, name))


@dataclass(frozen=True, slots=True)
class Response:
    """One response: text parts at even places, the literals between them at odd places."""

    parts: tuple[bytes, ...]
    cut: bool = False  # a line of it was too long: its end is missing

    @property
    def tag(self) -> bytes:
        """`*`, `+` or a command's tag."""
        return [*self.parts[0].split(None, 1), b""][0]

    @property
    def words(self) -> list[bytes]:
        """Up to two words after the tag, upper case, for instance [b'12', b'EXISTS']."""
        return self.parts[0].upper().replace(b" FETCH(", b" FETCH (", 1).split(None, 3)[1:3]

    @property
    def text(self) -> bytes:
        """What follows the first word after the tag."""
        return [*self.parts[0].split(None, 2), b"", b"", b""][2]


def _open(text: bytes) -> int:
    """How many parentheses a text leaves open."""
    marks = _MARKS.findall(text)
    return marks.count(b"(") - marks.count(b")")


class Wire(asyncio.Protocol):
    """One connection. Small: a byte buffer and a future while somebody waits."""

    __slots__ = ("_buffer", "_gone", "_paused", "_transport", "_waiter", "spent")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._gone: str | None = None
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.spent = 0  # bytes of answers since a command began; the command resets it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop; also after the change to TLS."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._buffer += data
        if len(self._buffer) > _HIGH_WATER and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        secure = self._transport is not None and self._transport.get_extra_info("sslcontext") is not None
        self._gone = self._gone or ("the server closed the connection" if exc is None else why(exc, secure))
        self._transport = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def open(self) -> bool:
        """Whether the connection is up, as far as this side knows."""
        return self._transport is not None and not self._transport.is_closing()

    def abort(self, reason: str = "connection closed") -> None:
        """Drop the connection at once; whoever waits gets ImapGone."""
        self._gone = self._gone or reason
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def send(self, data: bytes) -> None:
        """Send bytes. Raises ImapGone when the connection is lost."""
        if self._transport is None or self._gone is not None:
            raise ImapGone(self._gone or "not connected")
        self._transport.write(data)

    async def start_tls(self, context: object, host: str) -> None:
        """Change to TLS. Refuses bytes that were sent in plain text after the server's go-ahead."""
        import ssl

        assert isinstance(context, ssl.SSLContext)
        if self._buffer:
            raise ImapError("the server sent plain text after STARTTLS; somebody may be on the line")
        transport = self._transport
        if transport is None:
            raise ImapGone(self._gone or "not connected")
        changed = await asyncio.get_running_loop().start_tls(transport, self, context, server_hostname=host)
        if changed is None:
            raise ImapGone("the connection was lost during STARTTLS")
        self._transport = changed

    async def _more(self) -> None:
        if self._gone is not None:
            raise ImapGone(self._gone)
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self.spent += count
        if self.spent > COMMAND_LIMIT:
            raise ImapError(f"the server sent more than {COMMAND_LIMIT // 1024 // 1024} MiB in answer to one command")
        return data

    async def _line(self) -> tuple[bytes, bytes | None]:
        """A line, and its end where it was too long to be kept. One with numbers is then cut into several lines."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) <= LINE_LIMIT:
            searched = len(self._buffer)
            await self._more()
        if 0 <= end <= LINE_LIMIT:
            return self._take(end + 1).rstrip(b"\r\n \t"), None
        if (numbers := _NUMBERS.match(self._buffer)) is not None:
            return self._some_numbers(numbers[1]), None
        kept = tail = self._take(LINE_LIMIT)
        while (end := self._buffer.find(b"\n")) < 0:
            tail = (tail + self._take(len(self._buffer)))[-_TAIL:]
            await self._more()
        return kept, (tail + self._take(end + 1)).rstrip(b"\r\n \t")[-_TAIL:]

    def _some_numbers(self, word: bytes) -> bytes:
        cut = max(self._buffer.rfind(mark, 0, LINE_LIMIT) for mark in (b" ", b","))
        if cut <= len(word) + 3:
            raise ImapError("the server sent a number without an end")
        taken = self._take(cut + 1)
        self._buffer[:0] = b"* " + word + b" "
        return taken.rstrip(b" ,")

    async def _filled_line(self) -> tuple[bytes, bytes | None]:
        """The next line that is not blank."""
        while True:
            line, tail = await self._line()
            if line := line.lstrip(b" \t"):
                return line, tail

    async def _literal(self, size: int, keep: int) -> bytes:
        """A literal; what is beyond `keep` is dropped."""
        kept = bytearray()
        while size > 0:
            if not self._buffer:
                await self._more()
            taken = self._take(min(size, len(self._buffer)))
            size -= len(taken)
            kept += taken[: keep - len(kept)]
        return bytes(kept)

    async def _begins(self) -> bool:
        """Whether the next line that is not blank begins a response; otherwise it continues the one before."""
        while True:
            blank = len(self._buffer) - len(self._buffer.lstrip())
            if blank:
                self._take(blank)
            if len(self._buffer) > _TAIL or b" " in self._buffer or b"\n" in self._buffer:
                return _BEGINS.match(self._buffer) is not None
            await self._more()

    async def response(self) -> Response:
        """The next response, with its literals. Raises ImapGone, or ImapError over the limits."""
        line, tail = await self._filled_line()
        if _STATUS.match(line):
            return Response((line,), tail is not None)
        parts, cut, kept, depth = [line], tail is not None, len(line), _open(line)
        lines = 1
        while True:
            data = None
            if (literal := _LITERAL.search(line if tail is None else tail)) is not None:
                if not cut:
                    parts[-1] = parts[-1][: literal.start() - len(line)]
                data = await self._literal(int(literal[1]), 0 if cut else min(LITERAL_KEEP, RESPONSE_KEEP - kept))
            elif depth <= 0 or cut or await self._begins():
                return Response(tuple(parts), cut)
            line, tail = await self._line()
            lines += 1
            depth += _open(line)
            kept += len(line) + len(data or b"")
            cut = cut or tail is not None or kept > RESPONSE_KEEP or lines > _LINES_KEEP
            if not cut and data is None:
                parts[-1] += b" " + line
            elif not cut:
                parts += [data or b"", line]

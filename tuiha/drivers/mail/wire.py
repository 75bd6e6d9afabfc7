"""The bytes of an IMAP connection: bounded lines and literals in, quoted strings and literals out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tuiha.drivers.reach import why

LINE_LIMIT = 128 * 1024  # bytes of one line
LITERAL_LIMIT = 1024 * 1024  # bytes of one literal, and of all parts of one response together
_HIGH_WATER = 64 * 1024  # stop reading from the socket while more than this is waiting to be parsed
_DEPTH_LIMIT = 32  # nested parentheses
_TEXT_LIMIT = 200  # characters of a server's text that are passed on

_LITERAL = re.compile(rb"\{(\d{1,10})\}$")
_STATUS = re.compile(rb"(?:\+|\S+ (?:OK|NO|BAD|BYE|PREAUTH)(?: |$))", re.IGNORECASE)
_TOKEN = re.compile(
    rb'(?P<space> +)|(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    rb'|(?P<atom>[^\s()"\[\]]+(?:\[[^\]]*\](?:<\d+>)?)?)'
)

Value: TypeAlias = "bytes | list[Value] | None"


class ImapFailure(Exception):
    """Base of the two ways in which IMAP fails. The text is short and fit for a screen."""


class ImapGone(ImapFailure):
    """The connection is lost: refused, dropped, BYE, or no answer in time. The client cannot be used again."""


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

    @property
    def tag(self) -> bytes:
        """`*`, `+` or a command's tag."""
        return self.parts[0].partition(b" ")[0]

    @property
    def words(self) -> list[bytes]:
        """Up to two words after the tag, upper case, for instance [b'12', b'EXISTS']."""
        return self.parts[0].upper().split(b" ", 3)[1:3]

    @property
    def text(self) -> bytes:
        """What follows the first word after the tag."""
        return [*self.parts[0].split(b" ", 2), b"", b""][2]

    def values(self) -> list[Value]:
        """All parts as nested values, tag included. Raises ImapError when they are not well formed."""
        return parse(self.parts)


def parse(parts: Sequence[bytes]) -> list[Value]:
    """Nested values of a response: atoms, strings and literals are bytes, NIL is None, parentheses are lists.

    Raises ImapError when the text is not well formed.
    """
    stack: list[list[Value]] = [[]]
    for place, part in enumerate(parts):
        if place % 2:
            stack[-1].append(part)
        else:
            _parse_text(part, stack)
    if len(stack) != 1:
        raise ImapError("the server's answer is not well formed: a parenthesis is left open")
    return stack[0]


def _parse_text(text: bytes, stack: list[list[Value]]) -> None:
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ImapError(f"the server's answer is not well formed: '{readable(text[place : place + 40])}'")
        place = token.end()
        if token["atom"] is not None:
            stack[-1].append(None if token["atom"].upper() == b"NIL" else token["atom"])
        elif token["quoted"] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", token["quoted"]))
        elif token["open"] is not None:
            if len(stack) >= _DEPTH_LIMIT:
                raise ImapError("the server's answer is nested too deeply")
            inner: list[Value] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif token["close"] is not None:
            if len(stack) == 1:
                raise ImapError("the server's answer is not well formed: ')' without '('")
            stack.pop()


class Wire(asyncio.Protocol):
    """One connection. Small: a byte buffer and a future while somebody waits."""

    __slots__ = ("_buffer", "_gone", "_paused", "_transport", "_waiter")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._gone: str | None = None
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None

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
        return data

    async def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) <= LINE_LIMIT:
            searched = len(self._buffer)
            await self._more()
        if end < 0 or end > LINE_LIMIT:
            raise ImapError(f"the server sent a line longer than {LINE_LIMIT // 1024} KiB")
        return self._take(end + 1).rstrip(b"\r\n")

    async def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def response(self) -> Response:
        """The next response, with its literals. Raises ImapGone, or ImapError over the limits."""
        parts = [await self._line()]
        total = len(parts[0])
        if _STATUS.match(parts[0]):
            return Response(tuple(parts))
        while (literal := _LITERAL.search(parts[-1])) is not None:
            size = int(literal[1])
            total += size
            if total > LITERAL_LIMIT:
                raise ImapError(f"the server sent an answer longer than {LITERAL_LIMIT // 1024} KiB")
            parts[-1] = parts[-1][: literal.start()]
            parts.append(await self._exactly(size))
            parts.append(await self._line())
            total += len(parts[-1]) + 1
        return Response(tuple(parts))

"""HTTP/1.1 as far as drivers and operators need it: a request, its answer within bounds, and connections that are kept.

It stands here because a program that looks at a pool once, or whose first picture somebody waits for, would spend
more time on importing aiohttp than on everything that it asks. h11 would be one more dependency in place of the last
sixty lines of `Exchange`: connections, limits and deadlines would stay here.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl as tls
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from tuiha.config.tls import is_loopback
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import cause_of, why

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?")
_AS_IT_IS = "/?:@!$&'()*+,;=-._~%[]"  # in a path with its query
_BODILESS = frozenset({204, 304})
_NEXT_ADDRESS = 0.25  # seconds until a host's next address is tried beside one that does not answer
_NOT_HTTP = "the answer is not HTTP"
_PIECE = 65536  # bytes

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]  # names in small letters; of one that comes twice, the last
    body: bytes


class Exchange:
    """Connections to one origin. Each carries one request at a time; there are as many as there are at once."""

    def __init__(self, address: str, ssl: tls.SSLContext | None = None) -> None:
        """`address` is http://HOST:PORT or https://HOST:PORT; `ssl` None means what the system trusts."""
        url = urlsplit(address)
        secure = url.scheme == "https"
        self._host, self._port = url.hostname or "", url.port or (443 if secure else 80)
        self._name = url.netloc
        self._ssl: tls.SSLContext | bool | None = (ssl or True) if secure else None
        self._idle: list[Stream] = []

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int, seconds: float
    ) -> HttpAnswer:
        """Ask for a URL of this origin; a body of at most `limit` bytes, all of it within `seconds`.

        Raises DriverError for an answer that is none or too long, OSError and EOFError for a connection that fails,
        ValueError for a header that cannot be sent.
        """
        request = self._request(method, url, headers, body)
        async with asyncio.timeout(seconds):
            reader, writer = self._kept() or await asyncio.open_connection(
                self._host, self._port, ssl=self._ssl, happy_eyeballs_delay=_NEXT_ADDRESS)
            try:
                writer.write(request)
                await writer.drain()
                answer, again = await _answer(reader, limit)
            except BaseException:
                writer.transport.abort()  # nobody knows where on it the next answer would begin
                raise
        if again:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return answer

    def close(self) -> None:
        """Drop the connections; the next request makes another one."""
        while self._idle:
            self._idle.pop()[1].close()

    def _kept(self) -> Stream | None:
        """A connection that the server has not closed meanwhile."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or reader.exception() or writer.is_closing()):
                return reader, writer
            writer.close()
        return None

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        parts = urlsplit(url)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_AS_IT_IS)
        own = {"Host": self._name, "User-Agent": "tuiha", "Accept": "*/*", "Accept-Encoding": "identity"}
        if body is not None:
            own |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        every = own | dict(headers)
        if any(set(value) & set("\r\n\0") for value in every.values()):
            raise ValueError("a header would have two lines")
        head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in every.items())]
        return "\r\n".join([*head, "", ""]).encode() + (body or b"")


async def _answer(reader: asyncio.StreamReader, limit: int) -> tuple[HttpAnswer, bool]:
    """One answer, and whether the connection can carry another. Raises DriverError, OSError, EOFError."""
    try:
        status, headers, kept = await _head(reader)
        while 100 <= status < 200:
            status, headers, kept = await _head(reader)
        if status in _BODILESS:
            return HttpAnswer(status, headers, b""), kept
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return HttpAnswer(status, headers, await _chunks(reader, limit)), kept
        length = headers.get("content-length")
        if length is not None:
            return HttpAnswer(status, headers, await _exactly(reader, _number(length, 10), limit)), kept
        return HttpAnswer(status, headers, await _rest(reader, limit)), False
    except asyncio.LimitOverrunError:
        raise DriverError(_NOT_HTTP) from None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bool]:
    """Status, headers, and whether the server keeps the connection."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    found = _STATUS.fullmatch(first)
    if found is None:
        raise DriverError(_NOT_HTTP)
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    said = headers.get("connection", "").lower()
    return int(found[2]), headers, "close" not in said and (found[1] == b"1" or "keep-alive" in said)


async def _chunks(reader: asyncio.StreamReader, limit: int) -> bytes:
    body = bytearray()
    while size := _number((await reader.readuntil(b"\r\n")).decode("latin-1").partition(";")[0], 16):
        body += await _exactly(reader, size, limit - len(body))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        continue  # a header after the body, which says nothing here
    return bytes(body)


async def _rest(reader: asyncio.StreamReader, limit: int) -> bytes:
    body = bytearray()
    while piece := await reader.read(_PIECE):
        body += piece
        _bound(len(body), limit)
    return bytes(body)


async def _exactly(reader: asyncio.StreamReader, size: int, limit: int) -> bytes:
    _bound(size, limit)
    return await reader.readexactly(size)


def _bound(size: int, limit: int) -> None:
    if size > limit:
        raise DriverError("the answer is too long")


def _number(text: str, base: int) -> int:
    """A length. Raises DriverError for what is none."""
    digits = text.strip()
    try:
        return int(digits if digits.isalnum() else "", base)
    except ValueError:
        raise DriverError(_NOT_HTTP) from None


_SECONDS = 10.0  # an upper bound; the caller's deadline is usually shorter
_REDIRECTS = 5
_CLEAR_TEXT = "http:// to another machine would show the log-in to everybody; it needs https://"


class Asker:
    """GETs paths below one address, with the same headers each time. `secret`: these headers are nobody else's.

    `more`: headers that are other ones with each request.
    """

    def __init__(
        self, address: str, headers: Mapping[str, str] | None = None, ssl: tls.SSLContext | None = None,
        secret: bool = True, more: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._more = more
        self.address = address.rstrip("/")
        self._headers = dict(headers or {})
        url = urlsplit(self.address)
        self._secure = url.scheme == "https"
        self._clear_text = not self._secure and not is_loopback(url.hostname or "")
        self._open_to_all = secret and self._clear_text
        self._exchange = Exchange(self.address, ssl)

    async def get(
        self, path: str, limit: int, follow: bool = False, seconds: float = _SECONDS
    ) -> tuple[int, bytes]:
        """Status and body, of at most `limit` bytes, each answer within `seconds`. Raises DriverError.

        Redirects are followed when told to, and only on the same server: the headers are for it alone.
        """
        if self._open_to_all:
            raise DriverError(_CLEAR_TEXT)
        url = joined(f"{self.address}/", path)
        for _ in range(_REDIRECTS):
            answer = await self._asked("GET", url, {}, None, limit, seconds)
            location = answer.headers.get("location") if follow and 300 <= answer.status < 400 else None
            if location is None:
                return answer.status, answer.body
            url = onward(url, location)
        raise DriverError("it redirects again and again")

    async def post(
        self, path: str, body: Mapping[str, object], limit: int, login: tuple[str, str] | None, seconds: float,
    ) -> tuple[int, bytes]:
        """POST JSON, perhaps with a log-in (user and password) of this request alone; status and body.

        Raises DriverError.
        """
        if self._open_to_all or (login is not None and self._clear_text):
            raise DriverError(_CLEAR_TEXT)
        headers = {} if login is None else {"Authorization": f"Basic {b64encode(':'.join(login).encode()).decode()}"}
        answer = await self._asked("POST", urljoin(f"{self.address}/", path), headers, json.dumps(dict(body)).encode(),
                                   limit, seconds)
        return answer.status, answer.body

    async def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int, seconds: float
    ) -> HttpAnswer:
        try:
            every = {**self._headers, **self._more(), **headers}
            return await self._exchange.ask(method, url, every, body, limit, seconds)
        except (OSError, EOFError, ValueError) as error:
            raise DriverError(why(error, self._secure), cause_of(error)) from None

    async def close(self) -> None:
        """Drop the connections; the next `get` makes another one."""
        self._exchange.close()


def joined(url: str, reference: str) -> str:
    """The address that a reference at another one means. Raises DriverError when it can mean none."""
    try:
        return urljoin(url, reference)
    except ValueError:
        raise DriverError("it refers to what is no address") from None


def onward(url: str, location: str) -> str:
    """Where a redirect leads to. Raises DriverError when that is another server."""
    found = joined(url, location)
    here, there = urlsplit(url), urlsplit(found)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc):
        raise DriverError(f"it redirects to another server, {there.scheme}://{there.netloc}; write that address")
    return found

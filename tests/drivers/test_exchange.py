"""HTTP as a poll needs it: what servers of all kinds answer, taken apart from raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuiha.drivers.http import Exchange, HttpAnswer
from tuiha.drivers.protocols import DriverError

LIMIT = 100


class Canned:
    """A server that gives the same bytes to each request, piece by piece."""

    def __init__(self, pieces: Sequence[bytes], close: bool) -> None:
        self.pieces, self.close = pieces, close
        self.requests: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.close:
                    break
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def canned(*pieces: bytes, close: bool = False) -> AsyncIterator[tuple[Canned, Exchange]]:
    server = Canned(pieces, close)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    exchange = Exchange(server.address)
    try:
        yield server, exchange
    finally:
        exchange.close()
        listening.close()


async def ask(exchange: Exchange, path: str = "/", **headers: str) -> HttpAnswer:
    return await exchange.ask("GET", f"http://other.example{path}", headers, None, LIMIT, 5.0)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(("raw", "close", "status", "body"), [
    (OK + b"Content-Length: 5\r\n\r\nhello", False, 200, b"hello"),
    (OK + b"content-length:0\r\n\r\n", False, 200, b""),
    (OK + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2;more=1\r\nlo\r\n0\r\nTold: after\r\n\r\n",
     False, 200, b"hello"),
    (OK + b"\r\nhello", True, 200, b"hello"),
    (b"HTTP/1.0 503 Service Unavailable\r\n\r\nhello", True, 503, b"hello"),
    (b"HTTP/1.1 404\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", False, 404, b"hello"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 Nothing\r\n\r\n", False, 204, b""),
])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_answers_whole_and_in_pieces(raw: bytes, close: bool, status: int, body: bytes, size: int) -> None:
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    async with canned(*pieces, close=close) as (_, exchange):
        for _ in range(2):
            answer = await ask(exchange)
            assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(("raw", "message"), [
    (b"* OK IMAP4rev1 ready\r\n\r\n", "not HTTP"),
    (OK + b"Content-Length: -5\r\n\r\nhello", "not HTTP"),
    (OK + b"Content-Length: f\r\n\r\nhello", "not HTTP"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\nmany\r\nhello", "not HTTP"),
    (OK + b"More: " + b"x" * 100_000, "not HTTP"),
    (OK + b"Content-Length: 101\r\n\r\n", "too long"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 100 + b"\r\n1\r\nx\r\n0\r\n\r\n", "too long"),
    (OK + b"\r\n" + b"x" * 101, "too long"),
])
async def test_what_is_no_answer_or_too_long(raw: bytes, message: str) -> None:
    async with canned(raw, close=True) as (_, exchange):
        with pytest.raises(DriverError, match=message):
            await ask(exchange)


@pytest.mark.parametrize("raw", [b"", OK, OK + b"Content-Length: 5\r\n\r\nhel"])
async def test_an_answer_that_breaks_off_is_no_answer(raw: bytes) -> None:
    async with canned(raw, close=True) as (_, exchange):
        with pytest.raises((EOFError, OSError)):
            await ask(exchange)


async def test_what_is_sent() -> None:
    async with canned(OK + b"Content-Length: 0\r\n\r\n") as (server, exchange):
        await ask(exchange, "/a/é?b=1&c=%20|", Authorization="Bearer ü")
        await exchange.ask("POST", server.address, {"Accept": "text/plain"}, b"{}", LIMIT, 5.0)
    get, post = server.requests
    assert get.startswith(b"GET /a/%C3%A9?b=1&c=%20%7C HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "\r\nAuthorization: Bearer ü\r\n".encode() in get
    assert post.startswith(b"POST / HTTP/1.1\r\n")
    for line, there in ((b"\r\nContent-Length: 2\r\n", True), (b"\r\nAccept: text/plain\r\n", True), (b"*/*", False)):
        assert (line in post) is there


@pytest.mark.parametrize("value", ["one\r\nHost: other", "one\ntwo", "one\0"])
async def test_a_header_of_two_lines_is_not_sent(value: str) -> None:
    async with canned(OK + b"Content-Length: 0\r\n\r\n") as (server, exchange):
        with pytest.raises(ValueError, match="two lines"):
            await ask(exchange, Authorization=value)
    assert server.requests == []


async def test_one_connection_for_one_after_the_other_and_more_for_some_at_once() -> None:
    async with canned(OK + b"Content-Length: 2\r\n\r\nok") as (server, exchange):
        for _ in range(3):
            await ask(exchange)
        assert server.connections == 1
        answers = await asyncio.gather(*(ask(exchange) for _ in range(3)))
        assert [answer.body for answer in answers] == [b"ok"] * 3
        assert server.connections == 3


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async with canned(OK + b"Content-Length: 2\r\n\r\nok") as (server, exchange):
        await ask(exchange)
        server.writers[0].close()
        await server.writers[0].wait_closed()
        await asyncio.sleep(0.05)
        assert (await ask(exchange)).body == b"ok"
        assert server.connections == 2


async def test_what_is_given_up_half_way_leaves_nothing_for_the_next() -> None:
    async with canned(OK + b"Content-Length: 5\r\n\r\nhel") as (server, exchange):
        with pytest.raises(TimeoutError):
            await exchange.ask("GET", server.address, {}, None, LIMIT, 0.2)
        server.pieces = (OK + b"Content-Length: 2\r\n\r\nok",)
        assert (await ask(exchange)).body == b"ok"
        assert server.connections == 2


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda raw: OK + raw))
def test_any_bytes_are_an_answer_or_a_failure(raw: bytes) -> None:
    async def asked() -> None:
        async with canned(raw, close=True) as (_, exchange):
            try:
                assert len((await ask(exchange)).body) <= LIMIT
            except (DriverError, EOFError, OSError):
                return

    asyncio.run(asked())

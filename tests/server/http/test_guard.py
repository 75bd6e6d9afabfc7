"""What a pool server takes from one peer, on a real socket with the real HTTP protocol; no database."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from tests.drivers.daemons import free_port
from tests.server.http.peer import Peer, peer
from tests.until import until
from tuiha.config.pace import Limits
from tuiha.server.http.app import _whole, _with_problems, server_options
from tuiha.server.http.clients import Clients
from tuiha.server.http.guard import AT_A_TIME, Guard, GuardedSite
from tuiha.server.http.limits import Quotas, Rates
from tuiha.server.http.marks import TurnedAway
from tuiha.server.http.problems import HttpProblem

GET = b"GET /poll HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def guarded(
    poll: float = 0.0, size: int = 2, sheds: Callable[[int], TurnedAway | None] = lambda _: None, full: bool = False,
    **limits: Any,
) -> AsyncIterator[tuple[int, Guard]]:
    """A server with one slow resource, one that takes a body, and limits. `full`: it has no place for that one."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(poll)
        return web.Response(body=b"x" * size)

    async def body(request: web.Request) -> web.Response:
        return web.json_response({"bytes": len(await request.read())})

    @asynccontextmanager
    async def place(request: web.Request) -> AsyncIterator[None]:
        if full and request.method == "PUT":
            raise HttpProblem(503, "Full")
        yield

    guard = Guard(Limits(**limits), sheds=sheds)
    app = web.Application(
        middlewares=[_with_problems(guard.limits, lambda: 1), _whole(guard, place)],
        client_max_size=guard.limits.body)
    app.add_routes([*(web.get(path, slow) for path in ("/poll", "/v1/poll")),
                    *(web.put(path, body) for path in ("/body", "/v1/body"))])
    runner = web.AppRunner(app, shutdown_timeout=0.1, **server_options(guard.limits))
    await runner.setup()
    port = free_port()
    await GuardedSite(runner, guard, "127.0.0.1", port, None).start()
    sweeping = asyncio.create_task(guard.run())
    try:
        yield port, guard
    finally:
        sweeping.cancel()
        await asyncio.wait({sweeping})
        await runner.cleanup()


async def test_slow_headers_are_cut_and_a_long_poll_is_not() -> None:
    async with guarded(poll=3.0, header_time=0.5, idle=60) as (port, guard):
        async with peer(port) as slow, peer(port) as mute, peer(port) as polling:
            await polling.say(GET)
            await slow.say(b"GET /poll HTTP/1.1\r\nHost:")
            assert await slow.ended()
            assert await mute.ended()
            assert await polling.answer() == (200, b"xx")
            await polling.say(GET)  # the same connection is kept
            assert (await polling.answer())[0] == 200
        await until(lambda: len(guard) == 0, "all connections are forgotten")


async def test_headers_that_trickle_are_cut_as_well() -> None:
    async with guarded(header_time=0.5) as (port, _), peer(port) as slow:
        async def trickle() -> None:
            for number in range(10_000):
                await slow.say(b"X-%d: y\r\n" % number)
                await asyncio.sleep(0.1)

        await slow.say(b"GET /poll HTTP/1.1\r\n")
        trickling = asyncio.create_task(trickle())
        assert await slow.ended()
        trickling.cancel()
        await asyncio.wait({trickling})


async def test_a_body_that_does_not_come_is_408() -> None:
    async with guarded(body_time=0.3) as (port, _), peer(port) as slow:
        await slow.say(b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        status, body = await slow.answer()
        assert (status, json.loads(body)["title"]) == (408, "The body did not come in time")
        assert await slow.ended()


async def test_an_idle_connection_is_closed() -> None:
    async with guarded(idle=0.3, header_time=30) as (port, guard), peer(port) as one:
        await one.say(GET)
        assert (await one.answer())[0] == 200
        assert await one.ended()
        await until(lambda: len(guard) == 0, "it is forgotten")


async def test_half_a_second_request_is_cut() -> None:
    async with guarded(poll=1.0, idle=60, header_time=0.4) as (port, guard), peer(port) as one:
        await one.say(GET)
        await until(lambda: any(not known.idle for known in guard), "it is served")
        await asyncio.sleep(0.2)
        await one.say(GET[:9])
        assert (await one.answer())[0] == 200
        assert await one.ended()


async def test_whoever_does_not_read_is_dropped() -> None:
    async with guarded(size=50_000_000, answer_time=0.5) as (port, guard), peer(port) as deaf:
        await deaf.say(GET)
        await until(lambda: len(guard) == 1, "it is there")
        await until(lambda: len(guard) == 0, "it is dropped")


async def test_there_are_so_many_connections_of_one_address_and_no_more() -> None:
    async with guarded(connections_per_address=2, header_time=30) as (port, guard), peer(port) as one, peer(port):
        await until(lambda: len(guard) == 2, "both are there")
        async with peer(port) as third:
            status, body = await third.answer()
            assert (status, json.loads(body)["title"]) == (503, "Too many connections")
            assert await third.ended()
        await one.say(GET)
        assert (await one.answer())[0] == 200, "the others are not hurt"


async def test_an_idle_connection_makes_room_and_a_busy_one_does_not() -> None:
    async with guarded(poll=2.0, connections=16, header_time=30, idle=60) as (port, guard):
        peers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
        reader, writer = peers[0]
        first = Peer(reader, writer)
        await first.say(GET)
        await first.answer()
        for _, other in peers[1:]:
            other.write(GET)
        await until(lambda: len(guard) == 16, "all are there")
        async with peer(port) as new:
            await new.say(GET)
            assert await first.ended()
            assert (await new.answer())[0] == 200
        for reader, writer in peers[1:]:
            assert (await Peer(reader, writer).answer())[0] == 200
            writer.transport.abort()


@pytest.mark.parametrize("request_", [
    b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    b"GET /poll HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET /poll HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
    b"GET /poll HTTP/1.1\r\nHost: x\r\nX\x00Y: 1\r\n\r\n",
    b"GET /poll HTTP/1.1\r\nHost: x\r\nA: b\rc: d\r\n\r\n",
    b"GET /poll HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"\r\n",
    b"GET /poll HTTP/1.1\r\nA: " + b"y" * 9000 + b"\r\n\r\n",
    b"GET /" + b"p" * 9000 + b" HTTP/1.1\r\n\r\n",
    b"PUT /body HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
    b"GET /poll HTTP/2.0\r\nHost: x\r\n\r\n",
    b"GET /poll\r\n\r\n",
    b"GET /poll HTTP/1.1\nHost: x\n\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
])
async def test_what_could_be_read_in_two_ways_is_400_and_the_connection_ends(request_: bytes) -> None:
    async with guarded() as (port, _), peer(port) as one:
        await one.say(request_)
        assert (await one.answer())[0] == 400
        assert await one.ended()


async def test_a_body_is_as_large_as_it_may_be() -> None:
    async with guarded(body=2048) as (port, _), peer(port) as one, peer(port) as other:
        await one.say(b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2048\r\n\r\n" + b"x" * 2048)
        assert await one.answer() == (200, b'{"bytes": 2048}')
        await other.say(b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2049\r\n\r\n" + b"x" * 2049)
        assert (await other.answer())[0] == 413


def test_a_bucket_gives_the_burst_then_the_rate() -> None:
    rates = Rates(rate=2.0, burst=3)
    assert [rates.wait("a", 100.0) for _ in range(4)] == [0, 0, 0, 1]
    assert rates.wait("b", 100.0) == 0, "everybody has one of their own"
    assert [rates.wait("a", 100.5), rates.wait("a", 100.5)] == [0, 1]
    assert [rates.wait("a", 1000.0) for _ in range(4)] == [0, 0, 0, 1]


def test_a_slow_rate_says_how_long_to_wait() -> None:
    rates = Rates(rate=0.1, burst=1)
    assert (rates.wait("a", 0.0), rates.wait("a", 0.0), rates.wait("a", 5.0)) == (0, 10, 5)


def test_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuiha.server.http.limits._MOST", 10)
    rates = Rates(1.0, 1)
    for number in range(100):
        rates.wait(number, 0.0)
    assert len(rates) == 10


def test_only_a_sprayer_says_from_which_address_a_device_speaks() -> None:
    clients = Clients(["10.0.0.0/24"])

    def of(peer: str, *headers: str) -> str:
        return str(clients.behind(ip_address(peer), headers))

    assert of("198.51.100.7", "192.0.2.1") == "198.51.100.7"
    assert of("10.0.0.11", "192.0.2.1") == "192.0.2.1"
    assert of("10.0.0.11", "1.2.3.4, 192.0.2.1") == "192.0.2.1", "what the device wrote itself does not count"
    assert of("10.0.0.11", "1.2.3.4", "192.0.2.1, 10.0.0.12") == "192.0.2.1", "two sprayers, one behind the other"
    assert of("10.0.0.11", "nonsense") == of("10.0.0.11") == "10.0.0.11"


def test_an_address_has_so_many_requests_at_once() -> None:
    quotas = Quotas(Limits(requests_per_address=2))
    with quotas.one_of("192.0.2.1"), quotas.one_of("192.0.2.1"):
        with pytest.raises(HttpProblem, match="at once"), quotas.one_of("192.0.2.1"):
            pass
        with quotas.one_of("192.0.2.2"):
            pass
    with quotas.one_of("192.0.2.1"):
        pass


def test_a_new_device_s_name_each_time_is_no_way_round_the_rate() -> None:
    quotas = Quotas(Limits(rate=1, burst=3, user_rate=2, user_burst=10))
    for number in range(10):
        quotas.request(1, f"device{number}", 0.0)
    with pytest.raises(HttpProblem, match="of this user"):
        quotas.request(1, "another", 0.0)
    quotas.request(2, "phone", 0.0)


AWAY = TurnedAway(7, "630:12")
V1 = b"GET /v1/poll HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_request_that_is_turned_away_unread_keeps_its_connection_and_is_served_later() -> None:
    many = [AWAY]
    async with guarded(sheds=lambda _: many[0] if many else None) as (port, guard), peer(port) as one:
        for _ in range(3):
            await one.say(V1)
            status, headers, body = await one.whole()
            assert (status, headers["retry-after"], headers["x-tuiha-full"]) == (503, "7", "630:12")
            assert json.loads(body)["status"] == 503
        await one.say(GET)  # nothing but devices' requests is turned away
        assert await one.answer() == (200, b"xx")
        many.clear()
        await one.say(V1)
        assert await one.answer() == (200, b"xx")
        assert len(guard) == 1


@pytest.mark.parametrize(("header", "share"), [
    (b"", 0), (b"x-tuiha-share: 630\r\n", 630), (b"x-tuiha-share: 0\r\n", 0), (b"x-tuiha-share: 6300\r\n", 0),
    (b"x-tuiha-share: -1\r\n", 0), (b"x-tuiha-share: \xb2\r\n", 0),
])
async def test_what_the_sprayer_turns_away_is_read_in_a_request_that_nobody_reads(header: bytes, share: int) -> None:
    told: list[int] = []

    def sheds(share: int) -> TurnedAway:
        told.append(share)
        return AWAY

    async with guarded(sheds=sheds) as (port, _), peer(port) as one:
        await one.say(V1.replace(b"Host: x\r\n", b"Host: x\r\n" + header))
        assert (await one.answer())[0] == 503
    assert told == [share]


@pytest.mark.parametrize(("parts", "statuses"), [
    ([V1[:20], V1[20:]], [200]),  # its first half is with the parser already
    ([V1 + V1], [200, 200]),
    ([V1 + V1[:9], V1[9:]], [200, 200]),
    ([b"PUT /v1/body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"], [200]),
    ([b"PUT /v1/body HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(V1), V1], [200]),  # V1 is the body
    ([V1.replace(b"HTTP/1.1", b"HTTP/1.0")], [200]),
    ([V1.replace(b"Host: x", b"Host: x\r\nContent-Length: 0")], [200]),
    ([V1.replace(b"Host: x", b"Host: x\r\nContent-Length : 2")], [400]),  # another reader may take it
])
async def test_what_is_not_one_whole_request_is_read(parts: list[bytes], statuses: list[int]) -> None:
    async with guarded(sheds=lambda _: AWAY) as (port, _), peer(port) as one:
        for part in parts:
            await one.say(part)
            await asyncio.sleep(0.05)
        assert [(await one.answer())[0] for _ in statuses] == statuses


async def test_a_connection_that_only_was_turned_away_ends_when_it_is_idle() -> None:
    async with guarded(sheds=lambda _: AWAY, idle=0.3) as (port, _), peer(port) as one:
        await one.say(V1)
        assert (await one.answer())[0] == 503
        assert await one.ended()


async def test_many_that_come_back_at_once_wait_in_the_kernel_and_are_accepted_a_few_in_each_turn() -> None:
    many = 400
    async with guarded() as (port, guard):
        sockets = [socket.create_connection(("127.0.0.1", port), timeout=5.0) for _ in range(many)]  # no turn meanwhile
        try:
            seen = [len(guard)]
            while seen[-1] < many:
                await asyncio.sleep(0)
                seen.append(len(guard))
            assert max(b - a for a, b in pairwise(seen)) <= AT_A_TIME
        finally:
            for one in sockets:
                one.close()


async def test_a_body_that_nobody_wanted_is_not_taken_for_a_request() -> None:
    """The request was refused before its body came: aiohttp still drops it, and what it looks like means nothing."""
    async with guarded(sheds=lambda _: AWAY, full=True) as (port, _), peer(port) as one:
        await one.say(b"PUT /v1/body HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(V1))
        assert (await one.answer())[0] == 503
        await one.say(V1)  # the body
        await asyncio.sleep(0.1)
        await one.say(GET)
        assert (await one.answer())[0] == 200, "the next answer is the next request's"


async def test_one_that_waits_behind_another_is_answered_before_one_that_is_turned_away() -> None:
    async with guarded(poll=0.3, sheds=lambda _: AWAY) as (port, _), peer(port) as one:
        await one.say(GET)
        await asyncio.sleep(0.1)
        await one.say(GET)  # while the first is served
        await asyncio.sleep(0.1)
        await one.say(V1)
        assert [(await one.answer())[0] for _ in range(3)][:2] == [200, 200]


async def test_a_handler_whose_peer_has_gone_leaves_no_idle_connection() -> None:
    async with guarded(poll=0.3) as (port, guard):
        async with peer(port) as one:
            await one.say(GET)
            await asyncio.sleep(0.1)
        await until(lambda: len(guard) == 0, "it is gone")
        await asyncio.sleep(0.5)  # and then its handler ends
        assert not guard._idle

"""The fault proxy between a real client and a real server."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.drivers.daemons import free_port
from tests.until import until
from tuiha.lab.parts.proxy import Proxy, ProxyWay, Trap

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LIMIT = 20.0


@dataclass
class Echo:
    """A server that says back what it hears, and remembers it."""

    port: int = 0
    heard: bytes = b""
    ended: list[str] = field(default_factory=list)
    open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ended.append("end")
        except OSError:
            self.ended.append("reset")
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    one = Echo()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    async with Proxy("127.0.0.1", echo.port) as one:
        yield one


@pytest.fixture
def unused_port() -> int:
    return free_port()


async def reach(proxy: Proxy) -> Ends:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def say(ends: Ends, text: bytes) -> bytes:
    ends[1].write(text)
    async with asyncio.timeout(LIMIT):
        return await ends[0].readexactly(len(text))


async def is_mute(ends: Ends) -> bool:
    try:
        async with asyncio.timeout(0.2):
            await ends[0].read(1)
    except TimeoutError:
        return True
    return False


async def test_it_passes_everything_both_ways_and_the_end_too(proxy: Proxy, echo: Echo) -> None:
    ends = await reach(proxy)
    large = bytes(range(256)) * 8000
    assert await say(ends, large) == large
    ends[1].write_eof()
    async with asyncio.timeout(LIMIT):
        assert await ends[0].read() == b""
    assert echo.ended == ["end"]
    assert proxy.passed == {ProxyWay.TO_TARGET: len(large), ProxyWay.TO_CLIENT: len(large)}
    await until(lambda: proxy.connections == 0, "the connection is over")


async def test_latency_delays_each_way_and_keeps_the_order(proxy: Proxy) -> None:
    ends = await reach(proxy)
    await say(ends, b"warm")
    proxy.latency(0.15)
    began = time.monotonic()
    for n in range(10):
        ends[1].write(b"%d" % n)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(LIMIT):
        assert await ends[0].readexactly(10) == b"0123456789"
    assert time.monotonic() - began >= 0.3


async def test_a_cut_tells_nobody_and_what_it_held_flows_on(proxy: Proxy, echo: Echo) -> None:
    ends = await reach(proxy)
    await say(ends, b"before")
    proxy.cut()
    ends[1].write(b"during")
    late = await reach(proxy)
    late[1].write(b"!")
    assert await is_mute(ends)
    assert await is_mute(late)
    assert echo.heard == b"before"
    proxy.mend()
    async with asyncio.timeout(LIMIT):
        assert await ends[0].readexactly(6) == b"during"
        assert await late[0].readexactly(1) == b"!"


@pytest.mark.parametrize(("way", "arrives"), [(ProxyWay.TO_TARGET, b"seen"), (ProxyWay.TO_CLIENT, b"")])
async def test_one_way(proxy: Proxy, echo: Echo, way: ProxyWay, arrives: bytes) -> None:
    ends = await reach(proxy)
    await say(ends, b"x")
    echo.heard = b""
    proxy.one_way(way)
    ends[1].write(b"seen")
    await until(lambda: echo.heard == arrives, "what passes has passed")
    assert await is_mute(ends)
    assert echo.heard == arrives
    proxy.mend()
    async with asyncio.timeout(LIMIT):
        assert await ends[0].readexactly(4) == b"seen"


async def test_a_reset_is_seen_on_both_sides_and_new_connections_pass(proxy: Proxy, echo: Echo) -> None:
    ends = await reach(proxy)
    await say(ends, b"x")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await say(ends, b"y")
    await until(lambda: echo.ended == ["reset"], "the target sees the reset")
    assert await say(await reach(proxy), b"again") == b"again"


async def test_who_refuses_resets_new_connections_until_mended(proxy: Proxy) -> None:
    ends = await reach(proxy)
    await say(ends, b"x")
    proxy.refuse()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await say(ends, b"y")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await say(await reach(proxy), b"z")
    proxy.mend()
    assert await say(await reach(proxy), b"again") == b"again"


async def test_half_open_the_client_talks_to_nobody(proxy: Proxy, echo: Echo) -> None:
    ends = await reach(proxy)
    await say(ends, b"x")
    proxy.half_open()
    await until(lambda: echo.open == 0, "the target sees the end")
    ends[1].write(b"hello?")
    assert await is_mute(ends)
    assert await say(await reach(proxy), b"new") == b"new"
    proxy.mend()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await say(ends, b"y")
    assert b"hello?" not in echo.heard


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_trap_resets_in_mid_commit(proxy: Proxy, echo: Echo, delivered: bool) -> None:
    ends, other = await reach(proxy), await reach(proxy)
    await say(ends, b"BEGIN")
    proxy.trap(Trap(ProxyWay.TO_TARGET, b"COMMIT", delivered))
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await say(ends, b"COMMIT")
    await until(lambda: echo.ended != [], "the target sees the end")
    assert (b"COMMIT" in echo.heard) is delivered
    assert proxy.trapped == 1
    assert await say(other, b"COMMIT") == b"COMMIT"


async def test_a_client_that_dies_behind_a_cut_is_not_missed(proxy: Proxy, echo: Echo) -> None:
    ends = await reach(proxy)
    await say(ends, b"x")
    proxy.cut()
    sock = ends[1].get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends[1].transport.abort()
    await asyncio.sleep(0.2)
    assert (echo.open, echo.ended) == (1, [])
    proxy.mend()
    await until(lambda: echo.ended == ["reset"], "the target sees the reset")


async def test_flapping_passes_everything_in_the_end(proxy: Proxy) -> None:
    ends = await reach(proxy)
    await say(ends, b"x")
    proxy.flap(whole=0.02, cut=0.05)
    for n in range(10):
        text = b"%d" % n
        assert await say(ends, text) == text
    proxy.mend()
    assert await say(ends, b"end") == b"end"


async def test_only_quiet_connections_are_cut_again_and_again_until_mended(proxy: Proxy) -> None:
    quiet, busy = await reach(proxy), await reach(proxy)
    for ends in (quiet, busy):
        await say(ends, b"hello")
    proxy.quiet(0.6)
    async with asyncio.timeout(LIMIT):
        while not proxy.quieted:
            await say(busy, b"noop")
            await asyncio.sleep(0.05)
        with pytest.raises(ConnectionResetError):
            await quiet[0].readexactly(1)
        again = await reach(proxy)
        await say(again, b"back")
        while proxy.quieted < 2:
            await say(busy, b"noop")
            await asyncio.sleep(0.05)
    proxy.mend()
    last = await reach(proxy)
    await say(last, b"stays")
    await asyncio.sleep(0.9)
    assert await say(last, b"still") == b"still"


async def test_a_target_that_is_not_there_is_a_reset(proxy: Proxy, unused_port: int) -> None:
    async with Proxy("127.0.0.1", unused_port) as nowhere:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await say(await reach(nowhere), b"x")


async def test_leaving_ends_every_connection_and_task(echo: Echo) -> None:
    before = asyncio.all_tasks()
    async with Proxy("127.0.0.1", echo.port) as proxy:
        ends = await reach(proxy)
        await say(ends, b"x")
        proxy.flap(0.01, 0.01)
        await asyncio.sleep(0.05)
    async with asyncio.timeout(LIMIT):
        with pytest.raises(ConnectionResetError):
            await ends[0].readexactly(1)
    await until(lambda: echo.open == 0, "the target sees the end")
    assert asyncio.all_tasks() <= before

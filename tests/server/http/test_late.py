"""A server that stops between the second look and the socket: the answer in its hands must not go out when it wakes."""

from __future__ import annotations

import asyncio
import base64
import math
import time

import pytest

from tests.server.interfaces import Running
from tests.server.support import PATIENCE
from tests.until import until
from tuiha.server.database.lifeline import Lifeline
from tuiha.server.pool.load import Meter

STOPPED = 1.4  # seconds: longer than the lease of these servers


async def told_by_one_that_stopped(pool: Running, monkeypatch: pytest.MonkeyPatch, seconds: float) -> bytes:
    """All that a device gets whose answer is made when the server's event loop stops for so long."""
    await pool.register()
    stops_at_the_next_answer(monkeypatch, seconds)
    me = pool.servers["s1"].me
    reader, writer = await asyncio.open_connection(me.host, me.port)
    login = base64.b64encode(b"anna:secret").decode()
    writer.write(b"GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 b"Authorization: Basic %s\r\n\r\n" % login.encode())
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def stops_at_the_next_answer(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The server counts an answer right before it makes the bytes. The lifeline stops there too; the fence goes on."""
    count, still_for = Meter.count, Lifeline.still_for

    def stopping(meter: Meter, status: int, **what: bool) -> None:
        monkeypatch.setattr(Meter, "count", count)
        monkeypatch.setattr(Lifeline, "still_for", lambda _: math.inf)
        time.sleep(seconds)
        monkeypatch.setattr(Lifeline, "still_for", still_for)
        count(meter, status, **what)

    monkeypatch.setattr(Meter, "count", stopping)


async def test_an_answer_that_waited_for_longer_than_the_lease_is_never_released(
    pool: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert await told_by_one_that_stopped(pool, monkeypatch, STOPPED) == b""
    assert "an answer came too late to be released" in caplog.text
    await until(lambda: pool.servers["s1"].report().state == "UP", "it takes a lease again")
    assert (await pool.ask("GET", "s1", "/v1/me")).status == 200


async def test_a_shorter_stop_costs_nothing(pool: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await told_by_one_that_stopped(pool, monkeypatch, 0.05)).startswith(b"HTTP/1.1 200")


async def test_without_the_look_at_the_socket_it_goes_out(pool: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    pool.servers["s1"].guard.may_go = lambda: True
    assert (await told_by_one_that_stopped(pool, monkeypatch, STOPPED)).startswith(b"HTTP/1.1 200")

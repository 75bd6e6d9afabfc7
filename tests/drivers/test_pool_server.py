from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.drivers.daemons import free_port
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.pool import PoolServerDriver, parse_status
from tuiha.model.reports import ServerReport, ServerState, ServerTarget

FULL = ServerReport(
    name="s1", pool="demo", version="0.1.0", state=ServerState.UP, target=ServerTarget.UP, users=5, devices=7,
    availability_index=-200, database="db1", epoch=3, system_identifier="731", lease_seconds=4.5,
    requests_per_second=10.0, latency_ms=1.5, cpu_percent=0.0, memory_bytes=10**8, queue=0, started_at=1.7e9,
    reason=None, host_cpu_percent=12.5, host_memory_percent=40.0, host_disk_percent=61.2, host_load=0.7,
    host_processors=8,
)
MINIMAL = {"name": "s1", "pool": "demo", "version": "1", "state": "FENCED", "target": "DRAIN"}

Answer = Callable[[web.Request], web.StreamResponse]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A control interface that answers as told; yields its address."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    app = web.Application()
    app.router.add_get("/control/status", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def polled(answer: Answer) -> AsyncIterator[PoolServerDriver]:
    async with server(answer) as address:
        driver = PoolServerDriver("s1", address, "the token", pool="demo")
        try:
            yield driver
        finally:
            await driver.close()


async def test_a_report_and_one_connection_for_all_polls() -> None:
    peers = set()

    def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        assert request.headers["Authorization"] == "Bearer the token"
        return web.json_response({"schema": 1, "more": [1], **asdict(FULL)})

    async with polled(answer) as driver:
        for _ in range(3):
            assert await driver.poll() == FULL
    assert len(peers) == 1


async def test_what_a_server_does_not_tell_is_unknown() -> None:
    report = parse_status(json.dumps(MINIMAL).encode())
    assert report == ServerReport("s1", "demo", "1", ServerState.CUT_OFF, ServerTarget.DRAIN)


@pytest.mark.parametrize(("change", "message"), [
    ({"pool": "other"}, r"^another pool answers at this address: other$"),
    ({"name": "s2"}, r"^another server answers at this address: s2$"),
])
async def test_somebody_else_at_this_address(change: dict[str, str], message: str) -> None:
    async with polled(lambda request: web.json_response({**MINIMAL, **change})) as driver:
        with pytest.raises(DriverError, match=message):
            await driver.poll()


@pytest.mark.parametrize(("change", "message"), [
    ({"name": 5}, "field 'name' of the status is wrong"), ({"state": "SIDEWAYS"}, "'state' of the status is wrong"),
    ({"state": []}, "'state'"), ({"users": "5"}, "'users'"), ({"users": True}, "'users'"), ({"users": -1}, "'users'"),
    ({"users": 1.5}, "'users'"), ({"lease_seconds": float("nan")}, "'lease_seconds'"),
    ({"lease_seconds": float("inf")}, "'lease_seconds'"), ({"cpu_percent": 10**400}, "'cpu_percent'"),
    ({"epoch": 2**70}, "'epoch'"), ({"reason": 1}, "'reason'"), ({"availability_index": -201}, "'availability_index'"),
])
def test_wrong_fields_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(DriverError, match=message):
        parse_status(json.dumps({**MINIMAL, **change}).encode())


@pytest.mark.parametrize("field", sorted(MINIMAL))
def test_missing_fields_are_named(field: str) -> None:
    left = {name: value for name, value in MINIMAL.items() if name != field}
    with pytest.raises(DriverError, match=f"field '{field}' of the status is missing"):
        parse_status(json.dumps(left).encode())


def problem(request: web.Request) -> web.StreamResponse:
    return web.json_response({"title": "Unavailable", "detail": "no lease"}, status=503)


def redirect(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/steal")


@pytest.mark.parametrize(("answer", "message"), [
    (lambda request: web.Response(status=401), r"^the server does not accept the token$"),
    (lambda request: web.Response(status=404), "no pool server answers at this address"),
    (problem, r"^answered 503: no lease$"),
    (redirect, r"^answered 302$"),
    (lambda request: web.Response(text="<html>"), "not JSON; is this the address of a pool server"),
    (lambda request: web.json_response([1]), "not a status document"),
    (lambda request: web.Response(text="[" * 5000), "not JSON"),
    (lambda request: web.Response(body=b" " * 10**6), "too long"),
])
async def test_other_answers(answer: Answer, message: str) -> None:
    async with polled(answer) as driver:
        with pytest.raises(DriverError, match=message):
            await driver.poll()


async def test_refused() -> None:
    driver = PoolServerDriver("s1", f"http://127.0.0.1:{free_port()}", "t")
    with pytest.raises(DriverError, match=r"^connection refused$"):
        await driver.poll()
    await driver.close()


async def test_a_hung_server_is_left_at_the_caller_s_deadline() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        driver = PoolServerDriver("s1", f"http://127.0.0.1:{mute.getsockname()[1]}", "t")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await driver.poll()
        await driver.close()


async def test_not_http_at_all() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK IMAP4rev1 ready\r\n")
        writer.close()

    other = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with other:
        driver = PoolServerDriver("s1", f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}", "t")
        with pytest.raises(DriverError):
            await driver.poll()
        await driver.close()


async def test_the_token_never_leaves_the_machine_in_plain_text() -> None:
    driver = PoolServerDriver("s1", "http://192.0.2.1:8000", "t")
    with pytest.raises(DriverError, match="needs https://"):
        await driver.poll()
    await driver.close()


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none())


@given(st.dictionaries(st.sampled_from(sorted(asdict(FULL))), VALUES))
def test_any_object_is_a_report_or_a_driver_error(changes: dict[str, object]) -> None:
    try:
        assert isinstance(parse_status(json.dumps({**MINIMAL, **changes}).encode()), ServerReport)
    except DriverError:
        return


@given(st.binary(max_size=100))
def test_any_bytes_are_a_driver_error(raw: bytes) -> None:
    with pytest.raises(DriverError):
        parse_status(raw)

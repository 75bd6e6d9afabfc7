"""A request that reaches a server which does not monitor its user."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from tests.server.interfaces import FORWARDED_BY, SERVER, Running, counts
from tuiha.server.devices import history
from tuiha.server.pool.forwarder import target


async def test_any_server_answers_for_any_user_and_names_the_monitoring_one(pool: Running) -> None:
    await pool.register("s1", "anna")
    await pool.register("s2", "ben")
    for user, home in (("anna", "s1"), ("ben", "s2")):
        for server in ("s1", "s2"):
            answer = await pool.ask("GET", server, "/v1/me", user=user)
            assert answer.body["monitoring_server"] == answer.headers[SERVER] == home
            assert answer.headers.get(FORWARDED_BY) == (None if server == home else server)


async def test_a_forwarded_request_is_not_forwarded_again(pool: Running) -> None:
    await pool.register("s1", "anna")
    credentials = base64.b64encode(b"anna:secret").decode()
    headers = {"Authorization": f"Basic {credentials}"}
    for path in ("/v1/me", "/v1/devices/phone/changes?since=a%2Bb%20c&wait=0"):
        marker, _ = pool.servers["s1"].forwarder.proof.sign(target("GET", path), headers["Authorization"])
        answer = await pool.raw("GET", "s2", path, {**headers, "X-Tuiha-Forwarded": marker})
        assert answer.status in (200, 410)
        assert FORWARDED_BY not in answer.headers


async def test_a_forwarded_request_counts_where_the_device_is_answered(pool: Running) -> None:
    await pool.register("s1", "anna")
    before = await counts(pool)
    assert (await pool.ask("GET", "s2", "/v1/me", user="anna")).headers[SERVER] == "s1"
    assert await counts(pool) == before
    assert (await pool.control("GET", "s2", "/control/counts", token="viewer")).body["answered"] == 1


async def test_a_poll_that_was_forwarded_in_vain_waits_no_longer_than_it_asked(
    pool: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await pool.register("s1", "anna")
    looks: list[int] = []
    after = history.after

    async def in_vain(*_: Any) -> None:
        await asyncio.sleep(1.2)

    async def counted(connection: Any, user: int, seq: int, *more: Any) -> history.ChangePage:
        looks.append(seq)
        return await after(connection, user, seq, *more)

    monkeypatch.setattr(pool.servers["s2"].forwarder, "forward", in_vain)
    monkeypatch.setattr(history, "after", counted)
    answer = await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}&wait=1")
    assert (answer.status, answer.body["changes"]) == (200, [])
    assert not looks, "the time was over: the look at the device's row was the only one, and there was no second wait"


async def test_a_forwarded_request_hands_its_trace_on(pool: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    await pool.register("s1", "anna")
    seen: list[Mapping[str, str]] = []
    passed_on = pool.servers["s1"].forwarder.passed_on

    def noted(request: web.Request) -> bool:
        seen.append(request.headers)
        return passed_on(request)

    monkeypatch.setattr(pool.servers["s1"].forwarder, "passed_on", noted)
    credentials = base64.b64encode(b"anna:secret").decode()
    parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    for header, state, told in ((parent, "x=1", (parent, "x=1")), ("nonsense", "x=1", (None, None)),
                                (parent, "x" * 600, (parent, None))):
        seen.clear()
        headers = {"Authorization": f"Basic {credentials}", "traceparent": header, "tracestate": state}
        assert (await pool.raw("GET", "s2", "/v1/me", headers)).headers[FORWARDED_BY] == "s2"
        assert (seen[0].get("traceparent"), seen[0].get("tracestate")) == told

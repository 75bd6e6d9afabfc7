"""How operators speak to servers: what is sent, and what becomes of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.drivers.daemons import free_port
from tests.drivers.serving import serving
from tests.operate.core.conftest import Studio
from tuiha.operate.reach.control import ControlClient, ControlError


async def well(request: web.Request) -> web.Response:
    """What came."""
    return web.json_response({"method": request.method, "query": dict(request.query), "body": await request.text(),
                              "token": request.headers["Authorization"], "who": request.headers["X-Tuiha-Who"]})


async def refuse(_: web.Request) -> web.Response:
    return web.json_response({"title": "Not now", "detail": "look again"}, status=409)


async def babble(_: web.Request) -> web.Response:
    return web.Response(status=404, text="<html>")


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def client(studio: Studio) -> AsyncIterator[ControlClient]:
    made = ControlClient(studio.pool, studio.base, "a token")
    yield made
    await made.close()


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async with serving({f"/control/{name}": does for name, does in (
            ("well", well), ("refuse", refuse), ("babble", babble), ("hang", hang))}) as address:
        yield address


async def test_the_token_and_the_operators_name_go_with_every_order(client: ControlClient, server: str) -> None:
    told: dict[str, Any] = await client.get(server, "well?ids=1,2")
    assert (told["method"], told["query"], told["body"]) == ("GET", {"ids": "1,2"}, "")
    assert (told["token"], bool(told["who"])) == ("Bearer a token", True)
    told = await client.post(server, "well", {"user": "änna"})
    assert (told["method"], told["body"]) == ("POST", '{"user": "\\u00e4nna"}')
    every = await asyncio.gather(*(client.get(server, "well") for _ in range(5)))
    assert [one["method"] for one in every] == ["GET"] * 5


@pytest.mark.parametrize(("path", "text", "status"), [
    ("refuse", "Not now: look again", 409),
    ("babble", "cannot be asked: its answer is not JSON", None),
    ("hang", "no answer", None),
])
async def test_a_refusal_is_told_apart_from_no_answer(client: ControlClient, server: str, path: str, text: str,
                                                      status: int | None) -> None:
    with pytest.raises(ControlError) as caught:
        await client.post(server, path, seconds=0.3 if path == "hang" else 30.0)
    assert (str(caught.value), caught.value.status) == (text, status)
    assert (await client.get(server, "well"))["method"] == "GET", "and the next order is none the worse for it"


async def test_where_nobody_listens(client: ControlClient) -> None:
    with pytest.raises(ControlError, match=r"^cannot be asked: connection refused$") as caught:
        await client.get(f"http://127.0.0.1:{free_port()}", "well")
    assert caught.value.status is None


async def test_the_token_is_not_sent_in_plain_text_to_another_machine(client: ControlClient) -> None:
    for ask in (client.get("http://192.0.2.1:8080", "well"), client.post("http://192.0.2.1:8080", "well", {})):
        with pytest.raises(ControlError, match="it needs https://"):
            await ask

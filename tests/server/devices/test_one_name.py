"""One user, however its name is spelled: on running servers, over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.drivers.conftest import Pair
from tests.server.interfaces import Running, serving, settings_of
from tests.server.support import Node
from tuiha.config import settings
from tuiha.model.users.names import NameRule
from tuiha.server.devices import history
from tuiha.server.parts import PoolServer
from tuiha.server.setup import identity
from tuiha.watch.reader import Reader, read_devices, read_users


async def test_every_spelling_is_one_user_with_one_monitor(pool: Running, node: Node) -> None:
    await pool.register("s1", "Anna")
    for server, spelling in (("s1", "anna"), ("s2", "ANNA "), ("s2", "Änna".replace("Ä", "A"))):
        answer = await pool.ask("GET", server, "/v1/me", user=spelling)
        assert (answer.status, answer.body["user"]) == (200, "anna")
        assert [device["device"] for device in answer.body["devices"]] == ["phone"]
    assert await node.admin.fetchval("SELECT count(*) FROM app_user") == 3  # anna, ben, carl
    assert await node.admin.fetchval("SELECT count(*) FROM binding") == 1
    bound = await pool.control("POST", "s1", "/control/bind", json={"user": " Anna", "server": "s2"})
    assert bound.body == {"user": "anna", "server": "s2"}


async def test_guesses_count_for_all_spellings_together(pool: Running) -> None:
    spellings = [first + second + "na" for first in ("a", "A", " a", "\ta") for second in "nN"]
    statuses = [(await pool.ask("GET", "s1", "/v1/me", user=spellings[guess % 8], password=f"guess{guess}")).status
                for guess in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await pool.ask("GET", "s1", "/v1/me", user="anNA ", password="another guess")).status == 429


async def test_users_are_found_in_any_spelling(node: Node) -> None:
    await node.add_users("anna", "annabel", "ben", "Ben", "x_y", "x%y")
    source = Reader(node.admin, "db1", True, NameRule(domain="example.org"))

    async def found(pattern: str) -> list[str]:
        return [user.name for user in await read_users(source, pattern, "", 10)]

    assert await found("ANN") == ["anna", "annabel"]
    assert await found(" Anna@Example.org") == ["anna", "annabel"]
    assert await found("?NN*") == ["anna", "annabel"]
    assert await found("Ben") == ["Ben", "ben"], "one that is not spelled by the rule yet"
    assert await found("BEN") == ["ben"]
    assert await found("X_") == ["x_y"]
    assert await found("X%") == ["x%y"]
    assert await read_devices(source, "ANNA") == []
    assert await read_devices(source, "nobody") is None


async def test_a_server_joins_before_it_serves(pair: Pair, node: Node, tmp_path: Path) -> None:
    anna, capital, _ = await node.add_users("anna", "Anna", "BEN@example.org")
    device = await history.register(node.admin, capital, "tablet", "tablet")
    assert device is not None
    await node.add_changes(anna, "a")
    await node.add_changes(capital, "b")
    chosen = settings_of(pair, tmp_path)
    chosen = settings.Pool.model_validate(
        chosen.model_dump(exclude_unset=True) | {"users": {"names": {"domain": "example.org"}}})
    server, stop = PoolServer(chosen, tmp_path, identity(chosen, tmp_path, "s1", None)), asyncio.Event()
    running = Running({"s1": server}, {"s1": stop}, aiohttp.ClientSession())
    async with running.session, AsyncExitStack() as stack:
        await stack.enter_async_context(serving(server, stop))
        key = history.make_key(device.id, 0)
        path = f"/v1/devices/tablet/changes?since={key}"
        answer = await running.ask("GET", "s1", path, user="Anna@Example.org")
        assert answer.status == 200
        assert [change["message_id"] for change in answer.body["changes"]] == ["a", "b"]
        answer = await running.ask("GET", "s1", f"/v1/devices/tablet/changes?since={answer.body['key']}", user="anna")
        assert (answer.status, answer.body["changes"]) == (200, [])
        assert (await running.ask("GET", "s1", "/v1/me", user="ben")).body["user"] == "ben"
    assert [row["name"] for row in await node.admin.fetch("SELECT name FROM app_user ORDER BY name")] == ["anna", "ben"]

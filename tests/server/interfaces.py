"""Two pool servers in this process, on a real database, without mail, and a device that talks to either."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD, free_port
from tests.server.answers import validate_answer
from tests.server.support import Node
from tests.until import until
from tuiha.config import settings
from tuiha.server.parts import PoolServer
from tuiha.server.setup import identity

TOKENS = {"viewer": "7d1f0a9c5be84f2793c6d0e8b1a45f62", "operator": "e3b9027c6f1d48a5b70e94c2d8f6135a"}
SERVER, FORWARDED_BY = "X-Tuiha-Server", "X-Tuiha-Forwarded-By"


@dataclass
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Running:
    """Two pool servers and a device that talks to either."""

    servers: dict[str, PoolServer]
    stops: dict[str, asyncio.Event]
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, server: str, path: str, *, user: str = "anna", password: str = "secret", **more: Any
    ) -> Answer:
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        return await self.raw(method, server, path, {"Authorization": f"Basic {credentials}"}, **more)

    async def control(self, method: str, server: str, path: str, token: str = "operator", **more: Any) -> Answer:
        """Ask the control interface; a good answer has the fields that are declared for it."""
        found = await self.raw(method, server, path, {"Authorization": f"Bearer {TOKENS.get(token, token)}"}, **more)
        if found.status == 200:
            validate_answer(method, path, found.body)
        return found

    async def raw(self, method: str, server: str, path: str, headers: dict[str, str], **more: Any) -> Answer:
        url = f"{self.servers[server].me.address}{path}"
        async with self.session.request(method, url, headers=headers, **more) as answer:
            body = await (answer.json(content_type=None) if "json" in answer.content_type else answer.text())
            return Answer(answer.status, dict(answer.headers), body)

    async def register(self, server: str = "s1", user: str = "anna", device: str = "phone") -> str:
        answer = await self.ask("PUT", server, f"/v1/devices/{device}", user=user, json={"kind": "phone"})
        assert answer.status in (200, 201)
        return str(answer.body["key"])


def settings_of(pair: Pair, folder: Path) -> settings.Pool:
    """A configuration of both; its secrets are files in that folder."""
    for name, text in {"password": PASSWORD, **TOKENS}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    role = {"password": {"file": "password"}}
    return settings.Pool.model_validate(
        {
            "pool": "demo",
            "servers": [
                {"name": name, "address": f"http://127.0.0.1:{free_port()}", "capacity": 100} for name in ("s1", "s2")
            ],
            "database": {
                "nodes": [{"name": "db1", "address": f"127.0.0.1:{pair.db1.port}"}],
                "roles": {"pool": {"user": "tuiha_pool", **role}, "watcher": {"user": "tuiha_watch", **role}},
            },
            "control": {"viewer": {"file": "viewer"}, "operator": {"file": "operator"}},
            "heartbeat": {"interval": 0.2, "window": 3},
            "lease": {"seconds": 1},
            "hold": {"seconds": 1},
        }
    )


@asynccontextmanager
async def serving(server: PoolServer, stop: asyncio.Event) -> AsyncIterator[None]:
    """A server, from when it has joined until it has left."""
    task = asyncio.create_task(server.run(stop))
    await until(lambda: task.done() or server.membership.standing.joined, f"{server.me.name} joins")
    yield
    stop.set()
    await task


@pytest.fixture
async def pool(pair: Pair, node: Node, tmp_path: Path) -> AsyncIterator[Running]:
    """Both serve, and know each other; the users are anna, ben and carl."""
    chosen = settings_of(pair, tmp_path)
    await node.add_users("anna", "ben", "carl")
    running = Running({}, {}, aiohttp.ClientSession())
    async with running.session, AsyncExitStack() as stack:
        for name in ("s1", "s2"):
            server = PoolServer(chosen, tmp_path, identity(chosen, tmp_path, name, None))
            running.servers[name], running.stops[name] = server, asyncio.Event()
            await stack.enter_async_context(serving(server, running.stops[name]))
        both = {"s1", "s2"}
        await until(
            lambda: all(set(s.membership.standing.candidates) == both for s in running.servers.values()),
            "the servers know each other",
        )
        yield running


async def counts(pool: Running, server: str = "s1") -> dict[str, int]:
    """What a server counted, as a viewer reads it."""
    body = (await pool.control("GET", server, "/control/counts", token="viewer")).body
    assert (body["server"], body["started_at"] > 0) == (server, True)
    return {figure: body[figure] for figure in ("answered", "failed", "delayed")}

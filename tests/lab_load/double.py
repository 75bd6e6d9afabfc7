"""A double of a pool behind two sprayers: the device interface in memory, with faults that tests plant.

It is not a pool server: it shows what devices do when the pool answers well, badly or not at all.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tuiha.lab.load.books import HistoryRow

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


async def no_fault(_: web.Request) -> web.StreamResponse | None:
    return None


@dataclass
class DoublePool:
    """One history per user; every sprayer's address serves it."""

    changes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    skip: set[str] = field(default_factory=set)  # message ids that no device is given: a planted loss
    twice: set[str] = field(default_factory=set)  # message ids given again under the next key: a planted double
    asked: list[str] = field(default_factory=list)  # "METHOD path?query" of every request that came
    faults: dict[int, Fault] = field(default_factory=dict)  # sprayer (0, 1) -> what happens before the answer

    async def deliver(self, user: str, message_id: str) -> None:
        async with self.came:
            history = self.changes[user]
            history.append({"seq": len(history) + 1, "kind": "new", "message_id": message_id})
            self.came.notify_all()

    def rows(self, known: dict[str, int]) -> list[HistoryRow]:
        return [
            HistoryRow(user, change["seq"], 1, "new", "INBOX", change["message_id"])
            for user, seq in sorted(known.items())
            for change in self.changes[user]
            if change["seq"] > seq
        ]

    def app(self, sprayer: int) -> web.Application:
        @web.middleware
        async def planted(request: web.Request, handler: Any) -> web.StreamResponse:
            self.asked.append(f"{request.method} {request.path_qs}")
            fault = await self.faults.get(sprayer, no_fault)(request)
            return fault if fault is not None else await handler(request)

        app = web.Application(middlewares=[planted])
        app.router.add_put("/v1/devices/{device}", self._register)
        app.router.add_get("/v1/devices/{device}/changes", self._changes)
        app.router.add_get("/v1/me", self._me)
        return app

    async def _register(self, request: web.Request) -> web.Response:
        device = request.match_info["device"]
        return _good({"device": device, "key": str(len(self.changes[_user(request)]))}, status=201)

    async def _me(self, request: web.Request) -> web.Response:
        return _good({"user": _user(request)})

    async def _changes(self, request: web.Request) -> web.Response:
        user, since = _user(request), int(request.query["since"])
        try:
            async with asyncio.timeout(float(request.query["wait"]) or None), self.came:
                if request.query["wait"] != "0":
                    await self.came.wait_for(lambda: len(self.changes[user]) > since)
        except TimeoutError:
            return _good({"key": str(since), "changes": [], "more": False})
        history = self.changes[user]
        new = [change for change in history[since:] if change["message_id"] not in self.skip]
        again = [change for change in history[:since] if change["message_id"] in self.twice]
        self.twice -= {change["message_id"] for change in again}
        return _good({"key": str(len(history)), "changes": again + new, "more": False})


def _user(request: web.Request) -> str:
    return b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")[0]


def _good(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"X-Tuiha-Server": "s1"})


@asynccontextmanager
async def sprayers(pool: DoublePool, count: int = 2) -> AsyncIterator[list[str]]:
    """Addresses (host:port) at which the double answers."""
    runners = []
    addresses = []
    try:
        for number in range(count):
            runner = web.AppRunner(pool.app(number), shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            addresses.append(f"{host}:{port}")
        yield addresses
    finally:
        for runner in runners:
            await runner.cleanup()

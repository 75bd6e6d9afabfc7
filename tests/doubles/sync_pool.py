"""A double of a pool behind two sprayers: the device interface in memory, with faults that tests plant.

A real pool loses no change and gives none twice, so it cannot show what the laboratory's devices find then.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tuiha.lab.load.books import HistoryRow

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_WAIT = 55.0  # seconds


async def no_fault(_: web.Request) -> web.StreamResponse | None:
    return None


@dataclass
class DoublePool:
    """One history per user; every sprayer's address serves it. All users have the same password."""

    password: str = "secret"
    devices: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
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
        user, device = self._user(request), _device(request)
        try:
            kind = (await request.json())["kind"]
        except (ValueError, TypeError, LookupError):
            kind = None
        if not isinstance(kind, str):
            raise _bad(web.HTTPBadRequest, "Not a device's kind")
        there = device in self.devices[user]
        self.devices[user].add(device)
        return _good({"device": device, "key": str(len(self.changes[user]))}, status=200 if there else 201)

    async def _me(self, request: web.Request) -> web.Response:
        user = self._user(request)
        return _good({"user": user, "devices": [{"device": name} for name in sorted(self.devices[user])]})

    async def _changes(self, request: web.Request) -> web.Response:
        user, device, wait = self._user(request), _device(request), _wait(request)
        if device not in self.devices[user]:
            raise _bad(web.HTTPNotFound, "No such device")
        key, history = request.query.get("since", ""), self.changes[user]
        if not key.isdecimal() or int(key) > len(history):
            return _good({"title": "The key is unknown", "key": "0"}, status=410)
        since = int(key)
        try:
            async with asyncio.timeout(wait or None), self.came:
                if wait:
                    await self.came.wait_for(lambda: len(history) > since)
        except TimeoutError:
            return _good({"key": str(since), "changes": [], "more": False})
        new = [change for change in history[since:] if change["message_id"] not in self.skip]
        again = [change for change in history[:since] if change["message_id"] in self.twice]
        self.twice -= {change["message_id"] for change in again}
        return _good({"key": str(len(history)), "changes": again + new, "more": False})

    def _user(self, request: web.Request) -> str:
        """The user that logs in. Raises 401."""
        kind, _, login = request.headers.get("Authorization", "").partition(" ")
        user, _, password = b64decode(login).decode().partition(":")
        if kind != "Basic" or not user or password != self.password:
            raise _bad(web.HTTPUnauthorized, "Not logged in")
        return user


def _device(request: web.Request) -> str:
    name = request.match_info["device"]
    if not _NAME.fullmatch(name):
        raise _bad(web.HTTPBadRequest, "Not a device's name")
    return name


def _wait(request: web.Request) -> float:
    try:
        wait = float(request.query.get("wait", "0"))
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= _MOST_WAIT:
        raise _bad(web.HTTPBadRequest, "Not a waiting time")
    return wait


def _bad(kind: type[web.HTTPError], title: str) -> web.HTTPError:
    return kind(text=f'{{"title": "{title}"}}', content_type="application/problem+json")


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

"""A double of a server of another kind, as the driver `http` watches it.

There is no real one: the driver is for any program that has a health address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.drivers.serving import serving


class HealthServer:
    """A server of another kind: it has a health address, and statistics as JSON."""

    def __init__(self) -> None:
        self.status = 200
        self.stats: Any = {"pool": {"users": 12}}
        self.seen: list[str | None] = []
        self.address = ""

    async def health(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization"))
        return web.Response(status=self.status, text="fine")

    async def told(self, _: web.Request) -> web.Response:
        return web.json_response(self.stats)


@asynccontextmanager
async def health_server() -> AsyncIterator[HealthServer]:
    """The double, on a free port of loopback."""
    made = HealthServer()
    async with serving({"/health": made.health, "/stats": made.told}) as address:
        made.address = address
        yield made

"""A double of Patroni's REST interface: it serves documents as version 4.1 has them.

The real one runs in tests of operations: it takes seconds to start, and is never half-way wrong as a test needs it.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SYSTEM = "7574021387012345678"
CLUSTER: dict[str, Any] = {
    "members": [
        {"name": "db1", "role": "leader", "state": "running", "api_url": "http://127.0.0.1:8008/patroni",
         "host": "127.0.0.1", "port": 5432, "timeline": 3},
        {"name": "db2", "role": "sync_standby", "state": "streaming", "api_url": "http://127.0.0.1:8009/patroni",
         "host": "127.0.0.1", "port": 5433, "timeline": 3, "lag": 0, "receive_lag": 0, "replay_lag": 0,
         "lsn": "0/5000000", "receive_lsn": "0/5000000", "replay_lsn": "0/5000000"},
    ],
    "scope": "west",
}
LEADER: dict[str, Any] = {
    "state": "running", "postmaster_start_time": "2026-11-22 20:00:00+00:00", "role": "primary",
    "server_version": 180000, "xlog": {"location": 83886080}, "timeline": 3, "dcs_last_seen": 1795000000,
    "database_system_identifier": SYSTEM, "patroni": {"version": "4.1.5", "scope": "west", "name": "db1"},
}
STANDBY = {**LEADER, "role": "replica", "sync_standby": True, "patroni": {**LEADER["patroni"], "name": "db2"}}
CONFIG = {"ttl": 30, "loop_wait": 10, "synchronous_mode": True}

LOGIN = ("tuiha", "s3cret")  # of whatever changes something
_CHANGES = frozenset({"/switchover", "/failover", "/restart", "/reinitialize", "/reload"})


@dataclass
class PatroniDouble:
    """One node's Patroni: what it answers, what it was asked to do."""

    answers: dict[str, Any]
    leads: bool = True
    silent: bool = False
    told: list[tuple[str, Any, str | None]] = field(default_factory=list)
    answer: tuple[int, str] = (200, "Successfully switched over to \"db2\"")
    address: str = ""

    async def get(self, request: web.Request) -> web.Response:
        """A document."""
        assert "Authorization" not in request.headers, "the log-in is for what changes something"
        if self.silent:
            await asyncio.sleep(60)
        found = self.answers[request.path]
        return web.json_response(found, status=503 if request.path == "/leader" and not self.leads else 200)

    async def post(self, request: web.Request) -> web.Response:
        """An order, noted when the log-in is right and there is such an order."""
        login = request.headers.get("Authorization")
        if login != f"Basic {b64encode(':'.join(LOGIN).encode()).decode()}":
            return web.Response(status=401, text="not authenticated")
        if request.path not in _CHANGES:
            return web.Response(status=404)
        self.told.append((request.path, await request.json(), login))
        return web.Response(status=self.answer[0], text=self.answer[1])


@asynccontextmanager
async def patroni_double() -> AsyncIterator[PatroniDouble]:
    """The double, on a free port of loopback."""
    made = PatroniDouble({"/cluster": CLUSTER, "/patroni": LEADER, "/leader": LEADER, "/config": CONFIG})
    app = web.Application()
    app.router.add_get("/{path:.*}", made.get)
    app.router.add_post("/{path:.*}", made.post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()

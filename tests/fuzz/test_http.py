"""A short fuzz of a real pool server's interfaces, and the proof that it finds what is planted."""

from __future__ import annotations

import asyncio
import json
import logging

import psutil
import pytest
from aiohttp import web

from tests.drivers.conftest import own_pair, pair, prepared_pair  # noqa: F401
from tests.drivers.daemons import free_port
from tests.fuzz.http import Attack
from tests.server.conftest import node  # noqa: F401
from tests.server.interfaces import TOKENS, Running, pool  # noqa: F401
from tuiha.server.http.app import described


async def test_whatever_is_asked_is_answered_as_the_document_says(
    pool: Running, caplog: pytest.LogCaptureFixture  # noqa: F811
) -> None:
    caplog.set_level(logging.INFO)
    address = pool.servers["s1"].me.address
    await asyncio.to_thread(Attack(address, ("anna", "secret"), TOKENS["operator"]).run, 1)
    files, tasks = psutil.Process().num_fds(), len(asyncio.all_tasks())
    figures = await asyncio.to_thread(Attack(address, ("anna", "secret"), TOKENS["operator"]).run, 6)
    assert figures.findings == []
    assert figures.requests > 200
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert psutil.Process().num_fds() <= files + 8, "no socket is left"
    assert len(asyncio.all_tasks()) <= tasks + 4, "no task is left"
    assert (await pool.ask("GET", "s1", "/v1/me")).status == 200


async def test_planted_faults_are_found() -> None:
    """A double that has the document of a pool server, and is wrong in four ways."""

    async def openapi(request: web.Request) -> web.Response:
        return web.json_response(described())

    async def crashes(request: web.Request) -> web.Response:
        if len(str((await request.json()).get("kind"))) > 3:
            raise RuntimeError("planted")
        return web.json_response({"device": "phone", "key": "x"})

    async def undocumented(request: web.Request) -> web.Response:
        return web.Response(status=418, text=json.dumps({}))

    async def incomplete(request: web.Request) -> web.Response:
        return web.json_response({"name": "s1"})

    async def everything(request: web.Request) -> web.Response:
        return web.Response(status=200)

    app = web.Application()
    app.add_routes([web.get("/openapi.json", openapi), web.put("/v1/devices/{device}", crashes),
                    web.get("/v1/me", undocumented), web.get("/control/status", incomplete),
                    web.route("DELETE", "/v1/me", everything)])
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        figures = await asyncio.to_thread(Attack(f"http://127.0.0.1:{port}", ("anna", "x"), TOKENS["operator"]).run, 4)
    finally:
        await runner.cleanup()
        logging.getLogger("aiohttp.server").setLevel(logging.NOTSET)
    found = {finding.where.split(" (")[0] for finding in figures.findings}
    assert {"PUT /v1/devices/{device}", "GET /v1/me", "GET /control/status", "DELETE /v1/me"} <= found

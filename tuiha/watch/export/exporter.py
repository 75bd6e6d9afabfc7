"""Watching a pool for machines: metrics over HTTP, and alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path

from aiohttp import web

from tuiha.config.places import state_folder
from tuiha.config.secrets import environment
from tuiha.config.settings import Pool
from tuiha.drivers.reach import host_and_port
from tuiha.model.facts import Event, Snapshot
from tuiha.model.problems.alerts import RaisedAlerts
from tuiha.watch.alerts.command import Alerting
from tuiha.watch.alerts.receivers import deliveries
from tuiha.watch.export.exposition import exposition
from tuiha.watch.factory import open_poller

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class NotServed(Exception):
    """The address cannot be listened on. The text is for people."""


async def export(pool: Pool, base: Path, listen: str, ended: asyncio.Event, say: Callable[[str], None]) -> None:
    """Poll, serve /metrics and alert until `ended`. Raises NotServed, ConfigError."""
    poller = open_poller(pool, base)
    told = pool.alerts
    alerting = None if told is None or told.command is None \
        else Alerting(told, told.command, base, say, environment(pool), pool.watch.runbooks)
    receivers = deliveries(pool, base, None if told is None or told.pagerduty is None else state_folder(), say)
    lasting = RaisedAlerts(0.0 if told is None else told.after)
    latest: Snapshot | None = None

    def published(snapshot: Snapshot, _: tuple[Event, ...]) -> None:
        nonlocal latest
        latest = snapshot
        if alerting is not None:
            alerting.add(snapshot)
        raised = lasting.look(snapshot) if receivers else {}
        for one in receivers:
            one.add(raised)

    async def metrics(_: web.Request) -> web.Response:
        if latest is None:
            return web.Response(status=503, text="the first look is not done\n", headers={"Retry-After": "1"})
        return web.Response(body=exposition(latest).encode(), headers={"Content-Type": _TYPE})

    runner = await _serving(listen, metrics)
    try:
        senders = [*([] if alerting is None else [alerting.run()]), *(one.run() for one in receivers)]
        alerts = "command" if alerting is not None else ""
        named = ", ".join(filter(None, (alerts, *(one.name for one in receivers))))
        say(f"{pool.pool} at http://{listen}/metrics" + (f", and alerts by {named}" if named else ""))
        await _until(ended, [poller.run(published, asyncio.Event()), *senders])
    finally:
        await runner.cleanup()


async def _serving(listen: str, metrics: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, *host_and_port(listen)).start()
    except (OSError, ValueError, OverflowError) as error:
        await runner.cleanup()
        why = getattr(error, "strerror", None) or str(error)
        raise NotServed(f"cannot listen on {listen}: {why}. Choose another with --listen HOST:PORT") from None
    return runner


async def _until(ended: asyncio.Event, work: Sequence[Coroutine[None, None, None]]) -> None:
    """Run all that is given until `ended`; a fault of one ends all, and is raised."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one) for one in work]
        await ended.wait()
        for task in running:
            task.cancel()

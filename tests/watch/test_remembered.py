"""What the servers of a pool know of the time before a screen began."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import pytest
from aiohttp import web

from tests.drivers.daemons import free_port
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.pool import MOST_VALUES, PoolServerDriver, parse_past
from tuiha.model.facts import Polled
from tuiha.model.reports import PastFigures, ServerReport
from tuiha.watch import remembered as module
from tuiha.watch.history import SPAN
from tuiha.watch.remembered import known_figures, remembered
from tuiha.watch.targets import Target

NOW = 5000.0
ANSWER = PastFigures("s1", 10.0, 3.0, {"users": (1.0, 2.0, None, 4.0), "queue": (0.0,)})


def of(name: str, **figures: tuple[float | None, ...]) -> PastFigures:
    return PastFigures(name, 10.0, 0.0, figures)


def test_each_step_has_its_time_and_what_is_not_known_is_left_out() -> None:
    found = list(known_figures([ANSWER], "", NOW))
    assert [(one.at, one.until, one.figures) for one in found] == [
        (NOW - 10, NOW, (("s1", "users", 4.0), ("s1", "queue", 0.0))),
        (NOW - 30, NOW - 20, (("s1", "users", 2.0),)),
        (NOW - 40, NOW - 30, (("s1", "users", 1.0),)),
    ]


def test_the_pools_figures_are_made_of_all_servers_or_not_at_all() -> None:
    answers = [of("s1", requests_per_second=(5.0, 6.0), latency_ms=(9.0, 9.0)),
               of("s2", requests_per_second=(None, 4.0), latency_ms=(None, 30.0))]
    found = [{metric: value for node, metric, value in one.figures if node == "demo"}
             for one in known_figures(answers, "demo", NOW)]
    assert found == [{"requests_per_second": 10.0, "latency_ms": 30.0}, {"latency_ms": 9.0}]
    assert all(node != "demo" for one in known_figures(answers, "", NOW) for node, _, _ in one.figures)


def test_nothing_is_older_than_what_is_plotted() -> None:
    old = of("s1", users=(1.0,) * 500)
    assert min(one.at for one in known_figures([old], "", NOW)) >= NOW - SPAN


@pytest.mark.parametrize("body", [
    b"", b"[]", b'{"server": "s1"}', b'{"server": "s2", "step": 10, "age": 1, "figures": {}}',
    b'{"server": "s1", "step": 0, "age": 1, "figures": {}}', b'{"server": "s1", "step": 10, "figures": {}}',
    b'{"server": "s1", "step": 10, "age": 1, "figures": {"users": [1, "many"]}}',
    b'{"server": "s1", "step": 10, "age": 1, "figures": {"users": 5}}',
    b'{"server": "s1", "step": 10, "age": 1, "figures": {"users": [%s]}}' % b",".join([b"1"] * (MOST_VALUES + 1)),
])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(DriverError):
        parse_past("s1", body)


def test_figures_of_a_later_version_are_left_alone() -> None:
    body = b'{"server": "s1", "step": 10, "age": 1, "more": 1, "figures": {"users": [1, null], "flux": ["x"]}}'
    assert parse_past("s1", body) == PastFigures("s1", 10.0, 1.0, {"users": (1.0, None)})


@asynccontextmanager
async def servers(*answers: Callable[[], web.Response | None]) -> AsyncIterator[dict[str, Target[ServerReport]]]:
    """Servers s1, s2, ... that answer so; None never comes."""
    runners, targets = [], dict[str, Target[ServerReport]]()
    for number, answer in enumerate(answers, 1):
        async def handle(_: web.Request, answer: Callable[[], web.Response | None] = answer) -> web.Response:
            found = answer()
            if found is None:
                await asyncio.sleep(60)
                raise web.HTTPGatewayTimeout
            return found

        app = web.Application()
        app.router.add_get("/control/past", handle)
        runners.append(runner := web.AppRunner(app, shutdown_timeout=0.1))
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        name, address = f"s{number}", f"http://127.0.0.1:{port}"
        targets[name] = Target(PoolServerDriver(name, address, "token"), Polled(name, address), 1.0)
    try:
        yield targets
    finally:
        for runner in runners:
            await runner.cleanup()


async def test_a_server_that_hangs_or_is_of_an_earlier_version_takes_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    async with servers(lambda: web.json_response(asdict(ANSWER)), lambda: None,
                       lambda: web.Response(status=404)) as targets:
        found = await remembered(targets, "demo")
    assert {node for one in found for node, _, _ in one.figures} == {"s1"}  # the pool's own are not known


async def test_of_all_servers_the_pools_own_figures_follow() -> None:
    async with servers(lambda: web.json_response(asdict(ANSWER))) as targets:
        found = await remembered(targets, "demo")
    assert ("demo", "queue", 0.0) in found[0].figures

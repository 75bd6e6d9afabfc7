"""Scenes: one part of the pool is hurt under load, and what users notice of it is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks.stage import Row, Stage, seconds, until

Play = Callable[[Stage], Awaitable[tuple[str, str, bool]]]  # -> figure, note, whether it is within reach


async def scene(stage: Stage, what: str, reach: str, play: Play) -> Row:
    """Play a scene and count what it cost: from its beginning until all messages of its time have arrived."""
    before = stage.figures()
    figure, note, good = await play(stage)
    lost = await stage.drained()
    after = stage.figures()
    doubled, failures, delayed = (after[key] - before[key] for key in ("doubled", "failures", "delayed"))
    good = good and not (lost or doubled or failures)
    return Row(what, figure, reach, lost, doubled, failures, delayed, note, good)


def server_gone(name: str, how: str) -> Play:
    """A pool server is killed or paused: until its last user is monitored elsewhere."""

    async def play(stage: Stage) -> tuple[str, str, bool]:
        had = (await stage.spread()).get(name, 0)
        await _hurt(stage, name, how)

        async def elsewhere() -> bool:
            spread = await stage.spread()
            return bool(spread) and not spread.get(name) and len(await stage.monitored()) >= sum(spread.values())

        took = await until(elsewhere, 30.0)
        await _heal(stage, name, how)
        await stage.healthy()
        reach = stage.settings.heartbeat.window + 2.0
        return seconds(took), f"{had} users", took is not None and took <= reach

    return play


async def server_added(stage: Stage) -> tuple[str, str, bool]:
    """A server joins: until it monitors a user, and how many after half a minute."""
    name = await stage.pool.add_server()

    async def takes() -> bool:
        return bool((await stage.spread()).get(name))

    took = await until(takes, 40.0)
    await asyncio.sleep(15.0)
    spread = await stage.spread()
    return seconds(took), f"{name} has {spread.get(name, 0)} of {sum(spread.values())} users", took is not None


def mail_gone(name: str, how: str) -> Play:
    """A mail server is killed or paused: until its last user is monitored through another one."""

    async def play(stage: Stage) -> tuple[str, str, bool]:
        had = (await stage.through()).get(name, 0)
        sent = stage.figures()["messages"]
        await _hurt(stage, name, how)

        async def elsewhere() -> bool:
            through = await stage.through()
            return bool(through) and not through.get(name)

        took = await until(elsewhere, 30.0)
        await asyncio.sleep(3.0)
        await stage.drained()  # while it is still away: what was sent meanwhile arrives without it
        note = f"{had} users; {stage.figures()['messages'] - sent} messages sent meanwhile"
        await _heal(stage, name, how)
        await stage.healthy()
        return seconds(took), note, took is not None and took <= 5.0

    return play


def sprayer_gone(name: str, other: str, how: str) -> Play:
    """The sprayer that devices use is killed or paused: until most of them go on through the other one."""

    async def play(stage: Stage) -> tuple[str, str, bool]:
        addresses = {sprayer.name: sprayer.address for sprayer in stage.settings.sprayers}
        before = _through(stage.figures(), addresses)
        await _hurt(stage, name, how)

        async def goes_on() -> bool:
            through = _through(stage.figures(), addresses)
            return bool(through[other] - before[other] >= stage.figures()["devices"] / 2)

        took = await until(goes_on, 50.0)
        await _heal(stage, name, how)
        await stage.healthy()
        return seconds(took), "half of the devices answered through " + other, took is not None

    return play


def _through(figures: dict[str, Any], addresses: dict[str, str]) -> dict[str, int]:
    return {name: figures["by_sprayer"].get(address, 0) for name, address in addresses.items()}


def database_gone(name: str, how: str, expected: frozenset[str]) -> Play:
    """A database is killed or paused: until the status says so, what it says, and how long to be whole again."""

    async def play(stage: Stage) -> tuple[str, str, bool]:
        await _hurt(stage, name, how)

        async def shown() -> bool:
            return (await stage.status())[0]["verdict"] in expected

        took = await until(shown, 20.0)
        await asyncio.sleep(6.0)  # longer than a lease
        status, _ = await stage.status()
        problems: list[dict[str, Any]] = status["problems"]
        told = next((p for p in problems if p["subject"] == name), problems[0] if problems else {})
        leases = [server["lease_seconds"] for server in status["servers"]]
        began = time.monotonic()
        await _heal(stage, name, how)
        again = await stage.healthy()
        note = (f"{status['verdict']}: {told.get('what')}; next: {told.get('next')}; "
                f"servers with a lease: {sum(bool(lease) for lease in leases)}; "
                f"whole again {seconds(None if again is None else time.monotonic() - began)} after its return")
        return seconds(took), note, took is not None and again is not None

    return play


async def _hurt(stage: Stage, name: str, how: str) -> None:
    await getattr(stage.pool, how)(name)


async def _heal(stage: Stage, name: str, how: str) -> None:
    await {"kill": stage.pool.start, "pause": stage.pool.resume}[how](name)

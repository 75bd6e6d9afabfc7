"""Scenes: one part of the pool is hurt under load, and what users notice of it is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks.stage import Row, Stage, seconds, until
from tuiha.lab.pool.control import LabControlError

POLL = 10.0  # seconds that the devices' long polls wait

Play = Callable[[Stage], Awaitable[tuple[str, str, bool]]]  # -> figure, note, whether it is within reach


async def scene(stage: Stage, what: str, reach: str, play: Play) -> Row:
    """Play a scene and count what it cost: from its beginning until all messages of its time have arrived."""
    before = stage.figures()
    try:
        figure, note, good = await play(stage)
    except LabControlError as error:
        figure, note, good = "refused", str(error), False
    lost = await stage.drained()
    await asyncio.sleep(POLL + 1.0)  # what this scene cost an attempt ends before the next costs another
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
        again, healed = await _heal(stage, name, how)
        reach = stage.settings.heartbeat.window + 2.0
        return seconds(took), f"{had} users; {again}", healed and took is not None and took <= reach

    return play


async def server_added(stage: Stage) -> tuple[str, str, bool]:
    """A server joins and then devices of new users connect: until it monitors one, and how many of them it gets."""
    before = await stage.spread()
    name = await stage.pool.add_server()

    async def joined() -> bool:
        return name in await stage.servers()

    up = await until(joined, 40.0)
    newcomers = await stage.newcomers()
    try:

        async def takes() -> bool:
            return bool((await stage.spread()).get(name))

        took = await until(takes, 40.0)
        await asyncio.sleep(10.0)
        spread = await stage.spread()
        report = await newcomers.stop()
    finally:
        await newcomers.kill()
    came = sum(spread.values()) - sum(before.values())
    wrong = {key: report[key] for key in ("lost", "doubled", "failures", "monitored_twice") if report[key]}
    note = f"up after {seconds(up)}; {name} has {spread.get(name, 0)} of {came} new users"
    note += f"; theirs: {wrong}" if wrong else ""
    return seconds(took), note, took is not None and not wrong


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
        sent = stage.figures()["messages"] - sent
        again, healed = await _heal(stage, name, how)
        note = f"{had} users; {sent} messages sent meanwhile; {again}"
        return seconds(took), note, healed and took is not None and took <= 5.0

    return play


def sprayer_gone(name: str, other: str, how: str) -> Play:
    """A sprayer is killed or paused: until the devices' long polls are at the other one."""

    async def play(stage: Stage) -> tuple[str, str, bool]:
        had = (await stage.sessions())[name]
        await _hurt(stage, name, how)
        enough = stage.figures()["registered"] * 0.95

        async def goes_on() -> bool:
            return bool((await stage.sessions()).get(other, 0) >= enough)

        took = await until(goes_on, 60.0)
        again, healed = await _heal(stage, name, how)
        return seconds(took), f"{had} device connections; {again}", healed and took is not None

    return play


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
        again, healed = await _heal(stage, name, how)
        note = (f"{status['verdict']}: {told.get('what')}; next: {told.get('next')}; "
                f"servers with a lease: {sum(bool(lease) for lease in leases)}; {again}")
        return seconds(took), note, healed and took is not None

    return play


async def _hurt(stage: Stage, name: str, how: str) -> None:
    await getattr(stage.pool, how)(name)


async def _heal(stage: Stage, name: str, how: str) -> tuple[str, bool]:
    """Undo it and wait for the pool to be whole: what to say of that, and whether it is."""
    try:
        await {"kill": stage.pool.start, "pause": stage.pool.resume}[how](name)
    except LabControlError as error:
        return f"{(await stage.healthy())[0]}; {error}", False
    return await stage.healthy()

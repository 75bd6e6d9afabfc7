"""Builds a stage: an embedded pool with its load, its network and the observer beside it; all of it ends again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.lab.drill.acts.disks import small_disks
from tuiha.lab.drill.acts.hands import Hands
from tuiha.lab.drill.needs import ScenarioNeeds, needs
from tuiha.lab.drill.network import spread
from tuiha.lab.drill.observation.observer import Observer
from tuiha.lab.drill.scenario import Scenario
from tuiha.lab.drill.stage import Stage
from tuiha.lab.drill.wires import Wired, groups, wire
from tuiha.lab.embedded import EmbeddedPool, StartError
from tuiha.lab.load.database import Records
from tuiha.lab.load.devices import LoadUser, read_users
from tuiha.lab.load.process import LoadProcess
from tuiha.lab.load.setup import setting
from tuiha.lab.pool.control import LabControl

_WITNESS = 3  # every third user is the witness's; the others are the load's
_LOAD = ("--rate", "20", "--wait", "5", "--ramp", "60")


@asynccontextmanager
async def _pool(servers: int, users: int) -> AsyncIterator[EmbeddedPool]:
    """A pool; one that another program took a port from is started once more. Raises StartError."""
    pool = EmbeddedPool(servers, users, load=False)
    try:
        await pool.open()
    except StartError:
        pool = EmbeddedPool(servers, users, load=False)
        await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def staged(scenario: Scenario, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start pool, load and observer; all is gone at the end. Raises StartError, LoadFailed, NoDisk."""
    async with _pool(scenario.servers, scenario.users) as pool:
        say("the pool answers; devices register")
        wanted = needs(scenario.acts)
        wired = await _wired(pool, load(pool.config_path), wanted, say)
        async with _ended(wired), small_disks(pool, wanted.disks), watched(pool, scenario) as stage:
            stage.wired = wired
            yield stage


@asynccontextmanager
async def watched(pool: LabControl, scenario: Scenario, kind: type[Stage] = Stage) -> AsyncIterator[Stage]:
    """Load and observer on a pool that runs; both end with the stage. Raises LoadFailed."""
    settings = load(pool.config_path)
    lines = pool.users_path.read_text().splitlines(keepends=True)
    witnesses = scenario.users // _WITNESS
    of_load = pool.folder / "drill-users.txt"
    of_load.touch(mode=0o600)
    mine = len(lines) - witnesses
    of_load.write_text("".join(lines[:mine - scenario.spare]))
    databases = setting(settings, pool.folder).databases
    observer = Observer(settings, pool.folder, databases, read_users("".join(lines[-witnesses:])))
    planted = pool.folder / "drill-planted.jsonl"
    running = await LoadProcess.start(pool.config_path, of_load, *_LOAD, "--grace", f"{scenario.grace:g}",
                                      "--devices-per-user", f"{scenario.devices:g}", "--planted", str(planted))
    stage = kind(pool, settings, observer, running)
    try:
        await asyncio.to_thread(observer.start)
        async with hands(stage, scenario, read_users(of_load.read_text()),
                         read_users("".join(lines[mine - scenario.spare:mine])), planted):
            yield stage
    finally:
        await running.kill()
        await asyncio.to_thread(observer.end)
        _let_go(stage)


@asynccontextmanager
async def hands(
    stage: Stage, scenario: Scenario, of_load: Sequence[LoadUser], spare: Sequence[LoadUser], planted: Path
) -> AsyncIterator[None]:
    """Hands at mailboxes and eyes on mail connections, in a scenario of mail."""
    if scenario.mail is None:
        yield
        return
    homes = await Records(list(stage.observer.databases)).clusters()
    token = resolve(stage.settings.control.viewer, stage.pool.folder)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        stage.hands = Hands(setting(stage.settings, stage.pool.folder).clusters, homes, of_load, spare, planted,
                            {s.name: s.address for s in stage.settings.servers}, stage.layout.logs, session)
        stage.hands.watch_all(token)
        try:
            yield
        finally:
            await stage.hands.end()


async def _wired(pool: EmbeddedPool, settings: Pool, wanted: ScenarioNeeds, say: Callable[[str], None]) -> Wired | None:
    """The network that the scenario's faults need; None when they need none."""
    if not wanted.links and not wanted.hurtable and not wanted.settings:
        return None
    say("connections are led through the drill's network")
    known = groups(settings)
    links = [one for link in wanted.links for one in spread(link, known)]
    return await wire(pool, settings, links, wanted.hurtable, wanted.settings)


@asynccontextmanager
async def _ended(wired: Wired | None) -> AsyncIterator[None]:
    """The network ends with the stage."""
    try:
        yield
    finally:
        if wired is not None:
            await wired.network.close()


def _let_go(stage: Stage) -> None:
    """Let everything go that the scenario held on to."""
    for pid in stage.stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    for writer in stage.strangers:
        writer.transport.abort()
    for connection in stage.guests:
        connection.terminate()
    for program in stage.programs:
        if program.returncode is None:
            program.kill()
    if stage.terminal is not None and stage.terminal.returncode is None:
        stage.terminal.kill()

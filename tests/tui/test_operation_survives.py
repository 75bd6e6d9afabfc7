"""A real switchover, started by keys in a real terminal. Its dashboards are killed, hung up and stopped: it goes on.

The next start shows it. No key or signal of a terminal is any business of the process that runs the operation.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.tui.pty_terminal import PATIENCE, Terminal
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate import api
from tuiha.operate.journal import read_records
from tuiha.operate.state import OperationState
from tuiha.tui.widgets.paced import PACE

# At which step each dashboard is hit: before the fence, after it, and past the point of no return.
HITS: Mapping[signal.Signals, int] = {signal.SIGKILL: 2, signal.SIGHUP: 5, signal.SIGSTOP: 9}


def dashboard(config: Path) -> Terminal:
    return Terminal(["-m", "tuiha", "--config", str(config), "dashboard"])


def by_hand(terminal: Terminal, keys: str) -> None:
    for key in keys:
        terminal.read(1.2 * PACE)
        terminal.send(key)


def to_confirmation(terminal: Terminal) -> None:
    terminal.shows("q quit")
    terminal.shows("db1 PRIMARY")
    terminal.send("f")
    terminal.shows("reason:")
    terminal.send("kernel patch\r")
    terminal.shows("FAIL OVER")
    terminal.send("\r")
    terminal.shows("NO RETURN FROM HERE")
    terminal.send("c")
    terminal.shows("then ctrl+x")


def begun(settings: Pool, base: Path, step: int) -> Callable[[], bool]:
    """Whether the newest operation has begun that step."""

    def look() -> bool:
        folders = api.store_of(settings, base).folders()
        records = read_records(folders[0].journal) if folders else []
        return any(record["record"] == "step" and record["step"] >= step for record in records)

    return look


def wait_for(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.005)


def hit_all(settings: Pool, config: Path) -> OperationState:
    base = config.parent
    with dashboard(config) as starter, dashboard(config) as attached, dashboard(config) as stopped:
        terminals = dict(zip(HITS, (starter, attached, stopped), strict=True))
        for terminal in (attached, stopped):
            terminal.shows("db1 PRIMARY")
        to_confirmation(starter)
        assert not api.operations(settings, base)  # nothing has happened before the name is confirmed
        by_hand(starter, "db2\x18")
        for number, step in HITS.items():
            wait_for(begun(settings, base, step))
            terminals[number].kill(number)
        assert starter.wait() == -signal.SIGKILL
        assert attached.wait() == 0
        assert b"Traceback" not in attached.raw
        wait_for(lambda: api.operations(settings, base)[0].ended)
        stopped.kill(signal.SIGCONT)
        stopped.shows("db2 PRIMARY")
        state = api.operations(settings, base)[0]
    with dashboard(config) as again:  # the next start
        again.shows("db2 PRIMARY")
        again.send("6")
        again.until(lambda seen: seen.has("switchover db2") and seen.has("DONE") and seen.has("kernel patch"))
        again.send("\r")
        again.shows("RESULT")
        again.shows("Writes held")
    return state


async def test_no_signal_to_a_dashboard_stops_what_it_started() -> None:
    async with EmbeddedPool(servers=2, users=10, load=False) as pool:
        settings = load(pool.config_path)
        state = await asyncio.to_thread(hit_all, settings, pool.config_path)
    assert state.state == "done", state.text
    assert all(step.state == "done" and step.evidence for step in state.steps)
    assert state.reason == "kernel patch"


def opened(seen: Terminal) -> bool:
    """Whether an operation is in front."""
    return seen.has("RUN  ") or seen.has("RESULT  ")


async def test_one_that_another_terminal_starts_is_told_and_followed_with_a() -> None:
    """The dashboard was open before; the operation is started without a terminal."""
    async with EmbeddedPool(servers=2, users=10, load=False) as pool:
        settings = load(pool.config_path)
        plan = await api.make_plan(settings, pool.folder, "switchover", ["db2"])
        with dashboard(pool.config_path) as terminal:
            await asyncio.to_thread(terminal.shows, "db1 PRIMARY")
            await api.apply(settings, pool.folder, pool.config_path, plan, plan.confirm, "test", (), "ann@desk")
            await asyncio.to_thread(terminal.until, lambda seen: "a attaches" in seen.lines[1] or opened(seen))
            if not opened(terminal):  # else the dashboard had only just started, and opened it by itself
                terminal.send("a")
            await asyncio.to_thread(terminal.until, opened)
            await asyncio.to_thread(terminal.until, lambda seen: seen.has("RESULT  ") and seen.has("DONE"))
            assert terminal.has("by ann@desk")

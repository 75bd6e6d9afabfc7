"""Real switchovers, started by keys in real terminals. Dashboards are killed, hung up, stopped and stalled: they go on.

The next start shows them. No key or signal of a terminal is any business of the process that runs the operation.
`python -m tests.tui.signals` sends every signal at every screen and every step.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.tui.pty_terminal import Terminal
from tests.tui.signals import before_it_starts, begun, by_hand, dashboard, live, shown, to_screen
from tests.until import wait_until
from tuiha.cli.commands.run.demo import InBackground
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate import api
from tuiha.operate.records.journal import read_records
from tuiha.operate.records.store import store_of

# At which step each dashboard is hit: before the fence, after it, and past the point of no return.
HITS: Mapping[signal.Signals, int] = {signal.SIGKILL: 2, signal.SIGHUP: 5, signal.SIGSTOP: 9}
REJOINS = 12  # the step that makes the old primary a secondary


@pytest.fixture(scope="module")
def config() -> Iterator[Path]:
    pool = EmbeddedPool(servers=2, users=10, load=False)
    with InBackground(pool.open, pool.close) as starting:
        starting.result()
        yield pool.config_path


@pytest.mark.parametrize(("screen", "number"), [("confirm", signal.SIGKILL), ("plan", signal.SIGTERM),
                                                ("menu", signal.SIGSTOP)])
def test_a_signal_before_the_name_is_confirmed_starts_nothing(
    config: Path, screen: str, number: signal.Signals
) -> None:
    before_it_starts(config, screen, number)


def test_no_signal_to_a_dashboard_stops_what_it_started(config: Path) -> None:
    settings, base = load(config), config.parent
    with dashboard(config) as starter, dashboard(config) as attached, dashboard(config) as stopped:
        terminals = dict(zip(HITS, (starter, attached, stopped), strict=True))
        for terminal in (attached, stopped):
            live(terminal)
        name = to_screen(starter, "confirm")
        assert not api.Operator(settings, base, config).operations()  # nothing has happened before the name was typed
        by_hand(starter, f"{name}\x18")
        for number, step in HITS.items():
            wait_until(begun(settings, base, step))
            terminals[number].kill(number)
        assert starter.wait() == -signal.SIGKILL
        assert attached.wait() == 0
        assert b"Traceback" not in attached.raw
        wait_until(lambda: api.Operator(settings, base, config).operations()[0].ended)
        stopped.kill(signal.SIGCONT)
        stopped.shows(f"{name} PRIMARY")
        state = api.Operator(settings, base, config).operations()[0]
    shown(config)
    assert state.state == "done", state.text
    assert all(step.state == "done" and step.evidence for step in state.steps)
    assert state.reason == "kernel patch"


def test_a_terminal_that_nobody_reads_keeps_no_operation_waiting(config: Path) -> None:
    """It stalls when the operation is started, with far more on its way than it takes; then the screen is right."""
    settings, base = load(config), config.parent
    before = api.Operator(settings, base, config).operations()
    with dashboard(config) as terminal:
        by_hand(terminal, f"{to_screen(terminal, 'confirm')}\x18")
        for _ in range(200):
            terminal.send("\x0c")
        wait_until(begun(settings, base, 1, before[0].id if before else ""))
        wait_until(lambda: api.Operator(settings, base, config).operations()[0].ended)
        assert api.Operator(settings, base, config).operations()[0].state == "done"
        terminal.until(lambda seen: seen.has("RESULT  ") and seen.has("DONE"))
        assert any(drawn_anew_as_it_was(terminal) for _ in range(10))
        terminal.send("\x1bq")
        assert terminal.wait() == 0


def drawn_anew_as_it_was(terminal: Terminal) -> bool:
    """Whether the screen came right. It may differ once: the pool's state may have changed in between."""
    terminal.read(0.5)
    as_it_came = terminal.lines[4:-1]  # without what tells the time
    terminal.send("\x0c")
    terminal.read(0.5)
    return bool(terminal.lines[4:-1] == as_it_came)


def opened(seen: Terminal) -> bool:
    """Whether an operation is in front."""
    return seen.has("RUN  ") or seen.has("RESULT  ")


def test_one_that_another_terminal_starts_is_told_and_followed_with_a(config: Path) -> None:
    """The dashboard was open before; the operation is started without a terminal.

    Its runner is stopped while the old primary rejoins, which may take its time: a switchover can be over before a
    dashboard on a busy machine has looked.
    """
    settings, base = load(config), config.parent
    before = api.Operator(settings, base, config).operations()
    with dashboard(config) as terminal:
        live(terminal)

        async def start() -> None:
            plan = await api.Operator(settings, base, config).plan("switchover", ())
            await api.Operator(settings, base, config, "ann@desk").apply(plan, plan.confirm, "test", ())

        asyncio.run(start())
        wait_until(begun(settings, base, REJOINS, before[0].id if before else ""))
        runner = runner_of_the_newest(settings, base)
        os.kill(runner, signal.SIGSTOP)
        terminal.until(lambda seen: "a attaches" in seen.lines[1] or opened(seen))
        if not opened(terminal):  # else the dashboard had only just started, and opened it by itself
            terminal.send("a")
        terminal.until(opened)
        os.kill(runner, signal.SIGCONT)
        terminal.until(lambda seen: seen.has("RESULT  ") and seen.has("DONE"))
        assert terminal.has("by ann@desk")


def runner_of_the_newest(settings: Pool, base: Path) -> int:
    """The process that runs the newest operation."""
    records = read_records(store_of(settings, base).folders()[0].journal)
    return next(int(record["pid"]) for record in reversed(records) if "pid" in record)

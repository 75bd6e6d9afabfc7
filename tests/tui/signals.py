"""Signals at every screen and step of an operation: `python -m tests.tui.signals`, some five minutes.

SIGHUP and SIGTERM end a dashboard cleanly, SIGKILL ends it, SIGSTOP and SIGCONT leave it where it was. Before the name
is confirmed nothing has started; afterwards the operation comes to its end, and the next start shows it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.tui.pty_terminal import Terminal
from tests.until import wait_until
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate import api
from tuiha.operate.records.journal import read_records
from tuiha.operate.records.state import OperationState
from tuiha.operate.records.store import store_of

HAND = 0.2  # seconds between two keys
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP)
ENDS: Mapping[signal.Signals, int] = {signal.SIGHUP: 0, signal.SIGTERM: 0, signal.SIGKILL: -signal.SIGKILL}
# The keys to each screen, from the one before, and what it shows.
SCREENS: Mapping[str, tuple[str, str]] = {
    "unlock": ("f", "reason:"),
    "menu": ("kernel patch\r", "FAIL OVER"),
    "plan": ("\r", "POINT OF NO RETURN"),
    "confirm": ("c", "then ctrl+x"),
}


def dashboard(config: Path) -> Terminal:
    """The dashboard of a pool."""
    return Terminal(["-m", "tuiha", "--config", str(config), "dashboard"])


def by_hand(terminal: Terminal, keys: str) -> None:
    """Press them at the pace of a hand."""
    for key in keys:
        terminal.read(HAND)
        terminal.send(key)


def live(terminal: Terminal) -> str:
    """Wait for the first look; returns the database that can take over."""
    terminal.shows("q quit")
    terminal.until(lambda seen: seen.has("db1 PRIMARY") != seen.has("db2 PRIMARY") and not seen.has("STALE"))
    return "db2" if terminal.has("db1 PRIMARY") else "db1"


def to_screen(terminal: Terminal, name: str) -> str:
    """From Home to one of the screens before an operation; returns the name that confirms it."""
    second = live(terminal)
    for screen, (keys, shown) in SCREENS.items():
        terminal.send(keys)
        terminal.shows(shown)
        if screen == name:
            break
    return second


def hit(terminal: Terminal, number: signal.Signals) -> None:
    """Send a signal, and see to it that the dashboard does what it should; a stopped one goes on after a moment."""
    terminal.kill(number)
    if number is signal.SIGSTOP:
        time.sleep(0.3)
        terminal.kill(signal.SIGCONT)
    else:
        assert terminal.wait() == ENDS[number]
        assert b"Traceback" not in terminal.raw


def begun(settings: Pool, base: Path, step: int, after: str = "") -> Callable[[], bool]:
    """Whether an operation newer than `after` has begun that step, or has ended before it."""

    def look() -> bool:
        folders = store_of(settings, base).folders()
        if not folders or folders[0].id == after:
            return False
        records = read_records(folders[0].journal)
        return any(record["record"] == "end" or (record["record"] == "step" and record["step"] >= step)
                   for record in records)

    return look


def before_it_starts(config: Path, screen: str, number: signal.Signals) -> None:
    """A signal on a screen on which nothing has happened: nothing happens."""
    settings, base = load(config), config.parent
    count = len(api.Operator(settings, base, config).operations())
    with dashboard(config) as terminal:
        to_screen(terminal, screen)
        hit(terminal, number)
        if number is signal.SIGSTOP:
            terminal.send("\x0c")
            terminal.shows(SCREENS[screen][1])
    assert len(api.Operator(settings, base, config).operations()) == count


def while_it_runs(config: Path, step: int, number: signal.Signals) -> OperationState:
    """A switchover whose dashboard gets a signal when that step has begun; what became of it."""
    settings, base = load(config), config.parent
    known = api.Operator(settings, base, config).operations(1)
    before = known[0].id if known else ""
    with dashboard(config) as terminal:
        by_hand(terminal, f"{to_screen(terminal, 'confirm')}\x18")
        wait_until(begun(settings, base, step, before))
        hit(terminal, number)
        wait_until(lambda: api.Operator(settings, base, config).operations(1)[0].ended)
        if number is signal.SIGSTOP:
            terminal.until(lambda seen: seen.has("RESULT") and seen.has("DONE"))
    shown(config)
    return api.Operator(settings, base, config).operations(1)[0]


def shown(config: Path) -> None:
    """The next start shows it."""
    with dashboard(config) as again:
        again.shows("q quit")
        again.send("6")
        again.until(lambda seen: seen.has("switchover") and seen.has("DONE"))
        again.send("\r")
        again.shows("RESULT")


def steps_of(config: Path) -> int:
    """How many steps a switchover has."""
    settings, base = load(config), config.parent
    return len(asyncio.run(api.Operator(settings, base, config).plan("switchover", ())).steps)


def every(config: Path, signals: Sequence[signal.Signals] = SIGNALS) -> int:
    """All of them on one pool; returns how many cases there were."""
    cases = 0
    for number in signals:
        for screen in SCREENS:
            before_it_starts(config, screen, number)
            cases += 1
            sys.stderr.write(f"{number.name} on the screen {screen}: nothing has happened\n")
        for step in range(1, steps_of(config) + 1):
            state = while_it_runs(config, step, number)
            assert state.state == "done", state.text
            assert all(one.state == "done" and one.evidence for one in state.steps)
            cases += 1
            sys.stderr.write(f"{number.name} in step {step} of {len(state.steps)}: {state.state}\n")
    return cases


async def main() -> None:
    """All of them, on an embedded pool."""
    async with EmbeddedPool(servers=2, users=10, load=False) as pool:
        cases = await asyncio.to_thread(every, pool.config_path)
    sys.stdout.write(f"{cases} cases, all well\n")


if __name__ == "__main__":
    asyncio.run(main())

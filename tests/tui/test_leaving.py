"""Ways out: of the dashboard for a while, of a prompt, of help."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.doubles.operator import FakeOperator
from tests.tui.acting import on, running, to_confirm
from tests.tui.pty_terminal import Terminal
from tests.tui.test_app import seen, text
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.unlock import UnlockScreen
from tuiha.tui.views.help.screen import HelpScreen
from tuiha.tui.views.home.screen import HomeScreen


def test_ctrl_z_suspends_and_the_screen_is_whole_again_afterwards(tmp_path: Path) -> None:
    """Also while a line is typed into, which is there afterwards; the terminal is the shell's meanwhile."""
    with Terminal(["-m", "tests.tui.play_acting", str(tmp_path / "asked.json")]) as terminal:
        terminal.shows("STATE")
        for typed in ("", ":drain"):
            terminal.send(typed)
            if typed:
                terminal.shows(typed)
            terminal.raw.clear()
            terminal.send("\x1a")
            terminal.until(lambda _: b"\x1b[?1049l" in terminal.raw)
            stopped, status = os.waitpid(terminal.pid, os.WUNTRACED)
            assert (stopped, os.WIFSTOPPED(status)) == (terminal.pid, True)
            terminal.screen.reset()
            os.kill(terminal.pid, signal.SIGCONT)
            terminal.shows(typed or "STATE")
        terminal.send("\x03")
        terminal.until(lambda shown: not shown.has(":drain"))
        terminal.kill(signal.SIGTERM)
        assert terminal.wait() == 0


async def test_ctrl_c_drops_what_is_typed_and_only_elsewhere_leaves() -> None:
    operator = FakeOperator()
    async with running(operator, unlocked=False) as pilot:
        await pilot.press("w")
        await on(pilot, UnlockScreen)
        await pilot.press("x", "ctrl+c")
        await on(pilot, HomeScreen)
        await pilot.press(":", "d", "ctrl+c")
        await on(pilot, HomeScreen)
        assert pilot.app.is_running
        await pilot.press("ctrl+c")
        await seen(pilot, lambda: not pilot.app.is_running)


async def test_ctrl_c_confirms_nothing() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await on(pilot, ConfirmScreen)
        await pilot.press("ctrl+c")
        await on(pilot, PlanScreen)
        assert not operator.asked("apply")


async def test_q_in_help_closes_help_and_colon_q_leaves() -> None:
    async with running(FakeOperator()) as pilot:
        await pilot.press("?")
        await on(pilot, HelpScreen)
        assert "close this help" not in text(pilot)  # it shows the keys of the screen behind it
        await pilot.press("q")
        await on(pilot, HomeScreen)
        await pilot.press(":", "q", "enter")
        await seen(pilot, lambda: not pilot.app.is_running)

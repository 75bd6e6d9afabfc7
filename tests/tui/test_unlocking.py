"""Being allowed to act: by a reason, for a while, with keys that nobody presses by accident."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

import pytest

from tests.doubles.operator import FakeOperator, switchover
from tests.tui.acting import QUICK, Clock, by_hand, on, running
from tests.tui.samples import down
from tests.tui.test_app import lines, seen, text
from tuiha.tui.app import Dashboard
from tuiha.tui.operations.node_keys import ACTING_KEYS
from tuiha.tui.operations.screens.confirm import CONFIRM_KEYS, ConfirmScreen
from tuiha.tui.operations.screens.list import LIST_KEYS
from tuiha.tui.operations.screens.menu import MENU_KEYS, MenuScreen
from tuiha.tui.operations.screens.plan import PLAN_KEYS, PlanScreen
from tuiha.tui.operations.screens.rebalance import REBALANCE_KEYS
from tuiha.tui.operations.screens.result import RESULT_KEYS
from tuiha.tui.operations.screens.run import RUN_KEYS, RunScreen
from tuiha.tui.operations.screens.unlock import UnlockScreen
from tuiha.tui.operations.state import UNLOCKED_FOR
from tuiha.tui.views.home.screen import HOME_KEYS, HomeScreen
from tuiha.tui.views.users.devices import DEVICES_KEYS
from tuiha.tui.views.users.screen import USERS_KEYS


async def test_w_asks_why_unlocks_for_15_minutes_and_locks() -> None:
    clock = Clock()
    async with running(FakeOperator(), clock=clock, unlocked=False) as pilot:
        assert " LOCKED" in lines(pilot)[0]
        await pilot.press("w")
        await on(pilot, UnlockScreen)
        await pilot.press("enter")  # no reason
        assert isinstance(pilot.app.screen, UnlockScreen)
        await pilot.press(*"patch", "enter")
        await on(pilot, HomeScreen)
        assert "UNLOCKED 15:00" in lines(pilot)[0]
        clock.now += 8
        await pilot.press("j")
        await seen(pilot, lambda: "UNLOCKED 14:52" in lines(pilot)[0])
        await pilot.press("w")
        assert " LOCKED" in lines(pilot)[0]


async def test_being_unlocked_ends_by_itself() -> None:
    clock = Clock()
    async with running(FakeOperator(), clock=clock, tempo=QUICK) as pilot:
        assert "UNLOCKED" in lines(pilot)[0]
        clock.now += UNLOCKED_FOR
        await seen(pilot, lambda: " LOCKED" in lines(pilot)[0])
        await pilot.press("r")
        assert isinstance(pilot.app.screen, HomeScreen)


@pytest.mark.parametrize(("operator", "reason"), [
    (None, "this dashboard only watches"),
    (FakeOperator("control.operator is not in the configuration"), "control.operator is not in the configuration"),
    (FakeOperator(), "locked: w unlocks for 15 minutes"),
])
async def test_keys_are_greyed_and_say_why(operator: FakeOperator | None, reason: str) -> None:
    async with running(operator, unlocked=False) as pilot:
        await pilot.press("j")
        for key in ("r", "d", "e"):
            await pilot.press(key)
            assert reason in lines(pilot)[-1]
            assert isinstance(pilot.app.screen, HomeScreen)
    assert operator is None or not operator.asked("plan")


async def test_f_while_locked_asks_why_and_goes_on() -> None:
    operator = FakeOperator()
    async with running(operator, unlocked=False) as pilot:
        await pilot.press("f")
        await on(pilot, UnlockScreen)
        assert "Changes are locked" in text(pilot)
        await pilot.press("enter")  # no reason
        assert isinstance(pilot.app.screen, UnlockScreen)
        await pilot.press("escape")
        await on(pilot, HomeScreen)
        assert not operator.asked("plan")
        await pilot.press("f", *"patch", "enter")
        await on(pilot, MenuScreen)
        assert "UNLOCKED" in lines(pilot)[0]


async def test_a_pool_that_is_down_suggests_the_reason_and_leaves_one_way() -> None:
    """At three in the morning: f, enter, c, the name, ctrl+x."""
    operator = FakeOperator()
    operator.planned = replace(switchover(), kind="failover")
    async with running(operator, down(), unlocked=False) as pilot:
        await pilot.press("f")
        await on(pilot, UnlockScreen)
        assert "enter takes: db1 DOWN" in text(pilot)
        await pilot.press("enter")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: operator.asked("plan") == [("plan", "failover", ())])
        await pilot.press("c")
        await on(pilot, ConfirmScreen)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        assert operator.asked("apply")[0][3].startswith("db1 DOWN")
        assert cast("Dashboard", pilot.app).operations.changes == {"apply": 1}


async def test_the_help_says_why_a_key_does_nothing() -> None:
    async with running(FakeOperator(), unlocked=False) as pilot:
        await pilot.resize_terminal(160, 50)
        await pilot.press("question_mark")
        assert re.search(r"r d e x +not now: locked: w unlocks for 15 minutes", text(pilot))


def test_nothing_dangerous_is_on_a_key_that_comes_by_accident() -> None:
    for keys in (HOME_KEYS, PLAN_KEYS, CONFIRM_KEYS, RUN_KEYS, RESULT_KEYS, MENU_KEYS, REBALANCE_KEYS, LIST_KEYS,
                 USERS_KEYS, DEVICES_KEYS):
        ids = [key.id for key in keys]
        assert len(ids) == len(set(ids))
        for key in keys:
            for name in key.keys.split(",") if key.danger else ():
                assert not name.isdecimal()
                assert name not in ("enter", "y", "escape", "~", "left_square_bracket")
                assert name == name.lower()
                assert name.startswith("ctrl+") or len(name) == 1


def test_acting_keys_are_the_ones_that_people_know() -> None:
    assert {key.keys for key in ACTING_KEYS} == set("wrfdemux")

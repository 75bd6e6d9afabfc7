"""The confirmation: what starts an operation, and what does not."""

from __future__ import annotations

from typing import cast

import pytest
from textual import events

from tests.doubles.operator import FACTS, FakeOperator, bad, switchover
from tests.tui.acting import QUICK, Clock, at_once, by_hand, on, rest, running, timed, to_confirm
from tests.tui.test_app import seen, text
from tuiha.model.users import names
from tuiha.tui.app import Dashboard
from tuiha.tui.kit.keyboard import ended
from tuiha.tui.kit.paced import LONGEST
from tuiha.tui.operations.operator import OperatorTrouble
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.run import RunScreen
from tuiha.tui.operations.state import UNLOCKED_FOR


async def test_the_right_keys_at_the_pace_of_a_hand_start_it() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        assert operator.asked("apply") == [("apply", switchover().id, "db2", "kernel patch", ())]


@pytest.mark.parametrize("typed", [0, 2])
async def test_a_burst_is_refused_and_the_last_key_may_not_be_quick_either(typed: int) -> None:
    operator, keys = FakeOperator(), ("d", "b", "2", "ctrl+x")
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, *keys[:typed])
        rest(pilot)
        await at_once(pilot, *keys[typed:])
        assert "too quick" in text(pilot)
        await by_hand(pilot, "ctrl+x")
        assert not operator.asked("apply")


async def test_a_paste_is_refused() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        rest(pilot)
        assert pilot.app.screen.focused is not None
        pilot.app.screen.focused.post_message(timed(pilot, events.Paste("db2")))
        await by_hand(pilot, "ctrl+x")
        assert not operator.asked("apply")
        assert isinstance(pilot.app.screen, ConfirmScreen)


@pytest.mark.parametrize("keys", ["db1", "DB2", "y", ""])
async def test_another_name_is_refused(keys: str) -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, *keys, "ctrl+x")
        assert "expected: db2" in text(pilot)
        assert not operator.asked("apply")


@pytest.mark.parametrize("key", ["enter", "escape"])
async def test_enter_and_escape_go_back(key: str) -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b", "2", key)
        await on(pilot, PlanScreen)
        assert not operator.asked("apply")


async def test_a_failed_check_has_to_be_overridden_by_name() -> None:
    operator = FakeOperator()
    operator.planned = switchover(checks=(bad("lag"),))
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        assert "expected: override lag" in text(pilot)
        await by_hand(pilot, *["space" if key == " " else key for key in "override lag"], "ctrl+x")
        assert "✓ override lag" in text(pilot)
        assert not operator.asked("apply")
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        assert operator.asked("apply")[0][4] == ("lag",)


async def test_a_changed_fact_voids_the_plan_and_is_shown() -> None:
    operator = FakeOperator()
    async with running(operator, tempo=QUICK) as pilot:
        await to_confirm(pilot)
        operator.planned = switchover({**FACTS, "epoch": 13})
        await seen(pilot, lambda: "VOID" in text(pilot))
        assert "epoch: 12 ▸ 13" in text(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        assert not operator.asked("apply")
        await pilot.press("escape")
        await on(pilot, PlanScreen)


async def test_a_refusal_is_shown_and_nothing_has_happened() -> None:
    operator = FakeOperator()
    operator.started = OperatorTrouble("another operation runs: drain s2 by ann@desk, step 2 of 4")
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await seen(pilot, lambda: "drain s2 by ann@desk" in text(pilot))
        assert "REFUSED" in text(pilot)
        assert isinstance(pilot.app.screen, ConfirmScreen)


async def test_nothing_starts_when_being_unlocked_has_ended_meanwhile() -> None:
    operator, clock = FakeOperator(), Clock()
    async with running(operator, clock=clock) as pilot:
        await to_confirm(pilot)
        clock.now += UNLOCKED_FOR
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        assert "locked" in text(pilot)
        assert not operator.asked("apply")


def test_there_is_room_for_the_longest_name_and_its_end_is_shown() -> None:
    """A user's name has up to 256 letters: what nobody can type nobody can confirm."""
    assert names.LONGEST + len("override ") <= LONGEST
    assert ended("anna").sight(10) == ("anna", "")
    assert ended("n" * 200 + "@example.org").sight(12) == ("@example.org", "")
    assert ended("長い名前").sight(5) == ("名前", "")


async def test_continue_before_the_plan_is_there_says_so() -> None:
    operator = FakeOperator()
    operator.planned = OperatorTrouble("ann is disabled already: left")
    async with running(operator) as pilot:
        cast("Dashboard", pilot.app).ways.open_plan("disable-user", ("ann",))
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: "It cannot be planned now" in text(pilot))
        await pilot.press("c")
        assert "not now: it cannot be planned, for the reason above" in text(pilot)

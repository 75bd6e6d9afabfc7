"""Each operation has a reason of its own: given for it, suggested by the pool, or asked."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator, switchover
from tests.tui.acting import by_hand, on, running
from tests.tui.samples import degraded, down
from tests.tui.test_app import lines, seen, text
from tuiha.model.operations.catalogue import LONGEST_REASON, misuse
from tuiha.tui.app import Dashboard
from tuiha.tui.operations.lines.reasons import suggested
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.reason import ReasonScreen
from tuiha.tui.operations.screens.run import RunScreen
from tuiha.tui.operations.screens.unlock import UnlockScreen


def app_of(pilot: Pilot[int]) -> Dashboard:
    return cast("Dashboard", pilot.app)


async def planned(pilot: Pilot[int], kind: str, *target: str) -> None:
    """The plan of an operation."""
    app_of(pilot).ways.open_plan(kind, target)
    await on(pilot, PlanScreen)
    await seen(pilot, lambda: isinstance(pilot.app.screen, PlanScreen) and pilot.app.screen.plan is not None)


async def test_the_second_operation_does_not_inherit_the_reason_of_the_first() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await planned(pilot, "switchover")
        assert "kernel patch" in text(pilot)
        await pilot.press("c")
        await on(pilot, ConfirmScreen)
        assert "kernel patch" in text(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        await pilot.press("escape")
        await planned(pilot, "switchover")
        assert "kernel patch" not in text(pilot)
        await pilot.press("c")
        await on(pilot, ReasonScreen)
        await pilot.press("enter")  # without a reason it does not go on
        await on(pilot, ReasonScreen)
        await pilot.press(*"back", "enter")
        await on(pilot, ConfirmScreen)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        assert [call[3] for call in operator.asked("apply")] == ["kernel patch", "back"]


async def test_the_problem_that_an_operation_ends_is_its_reason() -> None:
    operator = FakeOperator()
    async with running(operator, degraded()) as pilot:
        await planned(pilot, "failover-mail", "mail2")
        assert "mail2 DOWN" in text(pilot).split("Reason", 1)[1]
        await pilot.press("escape")
        await planned(pilot, "drain", "s1")  # no problem asks for that: it is the first since unlocking
        assert "kernel patch" in text(pilot)


async def test_a_reason_typed_for_a_key_is_that_of_its_operation() -> None:
    operator = FakeOperator()
    operator.planned = replace(switchover(), kind="failover")
    async with running(operator, down(), unlocked=False) as pilot:
        await pilot.press("f")
        await on(pilot, UnlockScreen)
        await pilot.press(*"ticket 12".replace(" ", ""), "enter")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: "ticket12" in text(pilot))
        await pilot.press("escape")
        await planned(pilot, "failover")
        assert "db1 DOWN" in text(pilot).split("Reason", 1)[1]


async def test_e_changes_the_reason_and_what_the_pool_keeps_is_planned_again() -> None:
    operator = FakeOperator()
    async with running(operator, degraded()) as pilot:
        await planned(pilot, "failover-mail", "mail2")
        await pilot.press("e")
        await on(pilot, ReasonScreen)
        assert "mail2 DOWN" in lines(pilot)[-1]
        await pilot.press("ctrl+u", *"disk", "enter")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: isinstance(pilot.app.screen, PlanScreen) and pilot.app.screen.plan is not None)
        assert "disk" in text(pilot).split("Reason", 1)[1]
        assert "--option reason=disk" in app_of(pilot).screen.shell_command()  # type: ignore[attr-defined]
        await pilot.press("e", "ctrl+u", *"no", "escape")
        await on(pilot, PlanScreen)
        assert "disk" in text(pilot).split("Reason", 1)[1]


async def test_a_reason_that_the_pool_keeps_is_asked_before_the_plan() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        app_of(pilot).operations._fresh = ""  # an operation has started since unlocking
        app_of(pilot).ways.open_plan("disable-user", ("ann",))
        await on(pilot, ReasonScreen)
        assert "disable ann" in text(pilot)
        await pilot.press(*"left", "enter")
        await on(pilot, PlanScreen)
        assert "left" in text(pilot)


def test_what_is_suggested_is_of_the_operation_and_fits() -> None:
    assert suggested(down(), "failover", ("db2",)).startswith("db1 DOWN")
    assert suggested(down(), "rebalance", ()) == ""
    assert suggested(None, "failover", ()) == ""
    snapshot = down()
    worst = snapshot.problems[0]
    long = replace(worst, facts=replace(worst.facts, reason="x" * 500))  # type: ignore[call-arg]
    assert len(suggested(replace(snapshot, problems=(long,)), "failover", ())) == LONGEST_REASON


def test_a_reason_has_at_most_two_hundred_characters() -> None:
    assert misuse("disable-user", ("ann",), {"reason": "x" * LONGEST_REASON}) == ""
    assert "write at most 200" in misuse("disable-user", ("ann",), {"reason": "x" * (LONGEST_REASON + 1)})

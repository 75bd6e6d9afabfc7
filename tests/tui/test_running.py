"""The run and the result of an operation, over an operator that is a fake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doubles.operator import FakeOperator, bad, ended, operation, switchover
from tests.tui.acting import QUICK, at_once, by_hand, made, on, running, to_confirm
from tests.tui.samples import degraded
from tests.tui.test_app import lines, seen, text
from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.tui.operations.screens.list import OperationList
from tuiha.tui.operations.screens.result import ResultScreen
from tuiha.tui.operations.screens.run import RunScreen
from tuiha.tui.views.home.screen import HomeScreen


async def test_steps_are_followed_until_the_result() -> None:
    operator = FakeOperator()
    operator.known = (operation(1),)
    operator.now = operation(1)
    async with running(operator, tempo=QUICK) as pilot:
        await on(pilot, RunScreen)  # it runs already: the dashboard opens there
        await seen(pilot, lambda: "s of at most 10s" in text(pilot))
        assert "4/4 hold, 0 in flight, 31 queued" in text(pilot)
        operator.tell(operation(5))
        await seen(pilot, lambda: "5 of 6 steps" in text(pilot))
        operator.tell(ended())
        await on(pilot, ResultScreen)
        for word in ("DONE", "84 ms by the operation", "31 requests delayed, 0 failed", "6 of 6 done and verified"):
            assert word in text(pilot)
        assert " b undo" not in lines(pilot)[-1]  # nothing is offered that cannot be done
        await pilot.press("enter")
        assert "db1 follows db2" in text(pilot)
        await pilot.press("escape")
        assert "RESULT" in text(pilot)
        assert operator.followers == 0


async def test_a_result_is_copied_for_a_ticket_and_leads_to_what_the_pool_needs_next() -> None:
    operator = FakeOperator()
    operator.known = (ended(),)
    async with running(operator, degraded()) as pilot:
        await pilot.press("6")
        await seen(pilot, lambda: "db1 kernel patch" in text(pilot))
        await pilot.press("enter")
        await on(pilot, ResultScreen)
        await pilot.press("y")
        assert "copied: a summary for the ticket" in lines(pilot)[-1]
        for part in ("Operation: ", "Result: DONE", "Writes held: 84 ms by the operation", "By: oncall@bastion",
                     "Reason: db1 kernel patch", "Now: DEGRADED"):
            assert part in pilot.app.clipboard
        await pilot.press("Y")
        assert pilot.app.clipboard == ended().command
        assert "n take out of service mail2: mail2 DOWN" in text(pilot)
        await pilot.press("n")
        await seen(pilot, lambda: bool(operator.asked("plan")))
        assert operator.asked("plan")[0] == ("plan", "failover-mail", ("mail2",))


async def test_a_healthy_pool_needs_nothing_next() -> None:
    operator = FakeOperator()
    operator.known = (ended(),)
    async with running(operator) as pilot:
        await pilot.press("6")
        await seen(pilot, lambda: "db1 kernel patch" in text(pilot))
        await pilot.press("enter")
        await on(pilot, ResultScreen)
        assert " n next" not in lines(pilot)[-1]
        await pilot.press("n")
        assert "no operation is suggested now" in lines(pilot)[-1]
        assert not operator.asked("plan")


async def test_j_and_k_choose_the_step_whose_evidence_is_shown() -> None:
    operator = FakeOperator()
    operator.known, operator.now = (operation(3),), operation(3)
    async with running(operator, tempo=QUICK) as pilot:
        await on(pilot, RunScreen)
        await seen(pilot, lambda: "step 3: caught up" in text(pilot))
        await pilot.press("k", "k")
        assert "step 1: hold requests" in text(pilot)
        assert "4/4 hold, 0 in flight, 31 queued" in text(pilot)
        await pilot.press("enter")
        assert "STEPS" in text(pilot)
        await pilot.press("escape")
        assert "step 1: hold requests" in text(pilot)


async def test_leaving_the_run_and_coming_back() -> None:
    operator = FakeOperator()
    operator.known = (operation(1),)
    operator.now = operation(1)
    async with running(operator, unlocked=False, tempo=QUICK) as pilot:
        await on(pilot, RunScreen)
        await pilot.press("escape")
        await on(pilot, HomeScreen)
        await pilot.press("6")
        await seen(pilot, lambda: "db1 kernel patch" in text(pilot))
        await pilot.press("enter")
        await on(pilot, RunScreen)
        await pilot.press("escape")
        await on(pilot, OperationList)
        operator.known = (ended(),)
        await seen(pilot, lambda: "DONE" in text(pilot))
        await pilot.press("enter")
        await on(pilot, ResultScreen)
    assert {call[0] for call in operator.calls} == {"operations", "follow"}


async def test_an_operation_that_has_ended_is_not_opened_at_the_start() -> None:
    operator = FakeOperator()
    operator.known = (ended(),)
    async with running(operator, tempo=QUICK) as pilot:
        await seen(pilot, lambda: bool(operator.asked("operations")))
        await pilot.pause(0.1)
        assert isinstance(pilot.app.screen, HomeScreen)


@pytest.mark.parametrize(("key", "call"), [("x", "cancel"), ("b", "undo")])
async def test_stopping_and_undoing_take_two_presses_of_a_hand(key: str, call: str) -> None:
    operator = FakeOperator()
    operator.known = (operation(1),)
    operator.now = operation(1)
    async with running(operator, tempo=QUICK) as pilot:
        await on(pilot, RunScreen)
        await seen(pilot, lambda: operator.followers == 1)
        await at_once(pilot, key, key, key)  # a key that is held
        assert not operator.asked(call)
        await by_hand(pilot, key)
        await seen(pilot, lambda: operator.asked(call) == [(call, "7f3a9c41d02e")])


@pytest.mark.parametrize(("unlocked", "done", "reason"), [
    (False, 1, "locked"), (True, 4, "past the point of no return"),
])
async def test_no_undo_when_viewing_or_past_the_point_of_no_return(unlocked: bool, done: int, reason: str) -> None:
    operator = FakeOperator()
    operator.known = (operation(done),)
    operator.now = operation(done)
    async with running(operator, unlocked=unlocked, tempo=QUICK) as pilot:
        await on(pilot, RunScreen)
        await seen(pilot, lambda: "promote" in text(pilot))
        for key in ("x", "b"):
            await by_hand(pilot, key, key)
            assert reason in lines(pilot)[-1]
    assert not operator.asked("cancel")
    assert not operator.asked("undo")


@pytest.mark.parametrize(("state", "word", "means"), [
    ("failed", "FAILED", "certain"), ("unknown", "UNKNOWN", "check before you repeat it"),
    ("undone", "UNDONE", "undone"),
])
async def test_unknown_is_never_called_failed(state: str, word: str, means: str) -> None:
    operator = FakeOperator()
    facts = operation(2, OperationStatus(state))
    stuck = replace(facts.steps[2], state=StepStatus(state), evidence="no answer in 10 s")
    steps = (*facts.steps[:2], stuck, *facts.steps[3:])
    operator.known = (replace(facts, steps=steps),)
    async with running(operator) as pilot:
        await pilot.press("6")
        await seen(pilot, lambda: word in text(pilot))
        await pilot.press("enter")
        await on(pilot, ResultScreen)
        assert word in text(pilot)
        assert means in text(pilot)
        assert ("FAILED" in text(pilot)) == (state == "failed")


@pytest.mark.parametrize("size", [(40, 10), (60, 20), (80, 24), (120, 40), (200, 60)])
async def test_every_size(size: tuple[int, int]) -> None:
    operator = FakeOperator()
    operator.planned = switchover(checks=(bad("lag"), bad("identity")))
    app = made(operator)
    async with app.run_test(size=size) as pilot:
        assert app.operations.unlock("patch")
        await to_confirm(pilot)
        assert "CONFIRM" in text(pilot)
        app.ways.open_run("x", operation(3))
        await pilot.pause()
        assert "RUN" in text(pilot)
        app.ways.open_result(ended())
        await pilot.pause()
        assert "RESULT" in text(pilot)
        await pilot.press("escape")
        await on(pilot, HomeScreen)
        assert len(app.screen_stack) == 2

"""View 6, attaching to what others started, resuming, saving a plan: over an operator that is a fake."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import pytest

from tests.doubles.operator import FakeOperator, ended, operation, switchover
from tests.tui.acting import QUICK, at_once, by_hand, made, on, running
from tests.tui.samples import AT, SampleFeed, degraded, healthy
from tests.tui.test_app import lines, seen, text
from tests.tui.test_users_view import page
from tuiha.model.facts import Snapshot
from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.model.problems.operation import operation_problems
from tuiha.model.problems.operation import running as running_in
from tuiha.tui.app import Dashboard
from tuiha.tui.draw.current import goes_on
from tuiha.tui.draw.head import problem_line
from tuiha.tui.draw.spans import plain
from tuiha.tui.draw.view import View
from tuiha.tui.operations.lines.rebalance import LIMITS, options_of
from tuiha.tui.operations.lines.rows import OperationRow
from tuiha.tui.operations.lines.run import run_lines
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation, StepFacts
from tuiha.tui.operations.screens.list import OperationList
from tuiha.tui.operations.screens.rebalance import RebalanceScreen
from tuiha.tui.operations.screens.result import ResultScreen
from tuiha.tui.operations.screens.run import RunScreen
from tuiha.tui.views.home.screen import HomeScreen
from tuiha.words.problems import means

INTENT = {"id": "20261122-030000-beef", "kind": "rebalance", "owner": "ann@desk", "host": "desk", "since": AT - 3,
          "step": 1, "action": "take 40 users"}


def busy(snapshot: Snapshot, **other: object) -> Snapshot:
    return replace(snapshot, intent=json.dumps({**INTENT, **other}))


def feed_of(app: object) -> SampleFeed:
    return cast("SampleFeed", cast("Dashboard", app).feed)


def half(state: OperationStatus = OperationStatus.INTERRUPTED) -> StartedOperation:
    """One whose runner died at its second step."""
    return replace(operation(1, state), next="tuiha resume 7f3a9c41d02e", seconds=None)


async def test_the_list_tells_what_who_why_and_how_long() -> None:
    operator = FakeOperator()
    operator.known = (replace(ended(), id="b", target=("db2",)), replace(half(), id="a", started_at=AT - 900))
    async with running(operator) as pilot:
        await pilot.press("6")
        await seen(pilot, lambda: "DONE" in text(pilot))
        shown = text(pilot)
        for told in ("switchover db2", "INTERRUPTED", "oncall@bastion", "db1 kernel patch", "3.2s"):
            assert told in shown, told
        assert "hold requests" in shown  # the steps of the one under the cursor
        await pilot.press("slash", *"result:inter", "enter")
        await seen(pilot, lambda: "DONE" not in text(pilot))
        await pilot.press("enter")
        await on(pilot, ResultScreen)
        assert "c resume" in text(pilot)
        await pilot.press("escape")
        await on(pilot, OperationList)


@pytest.mark.parametrize(("key", "call"), [("c", "resume"), ("b", "undo")])
async def test_what_stopped_half_way_goes_on_or_back_with_two_presses(key: str, call: str) -> None:
    operator = FakeOperator()
    operator.known = (half(),)
    operator.now = operation(1)
    async with running(operator, tempo=QUICK) as pilot:
        await on(pilot, ResultScreen)  # it was not brought to its end: the dashboard opens there
        await at_once(pilot, key, key, key)
        assert not operator.asked(call)
        await by_hand(pilot, key)
        await seen(pilot, lambda: operator.asked(call) == [(call, "7f3a9c41d02e")])
        await on(pilot, RunScreen)
        assert cast("Dashboard", pilot.app).operations.changes[call] == 1


@pytest.mark.parametrize(("known", "key", "reason"), [
    (ended(), "c", "there is nothing to finish"), (ended(), "b", "plan the opposite"),
    (replace(half(), elsewhere=True, host="desk"), "c", "it was started on desk"),
    (replace(half(), undoable=False), "b", "has no way back"), (half(), "x", "is not running any more"),
])
async def test_what_cannot_be_done_says_why(known: StartedOperation, key: str, reason: str) -> None:
    operator = FakeOperator()
    operator.known = (known,)
    async with running(operator) as pilot:
        await pilot.press("6")
        await on(pilot, OperationList)
        await seen(pilot, lambda: "switchover" in text(pilot))
        await by_hand(pilot, key, key)
        assert reason in lines(pilot)[-1]
    assert not {"resume", "undo", "cancel"} & {call[0] for call in operator.calls}


async def test_one_that_another_terminal_starts_is_told_and_a_attaches() -> None:
    operator = FakeOperator()
    async with running(operator, unlocked=False) as pilot:
        await on(pilot, HomeScreen)
        await pilot.press("a")
        assert "no operation runs" in lines(pilot)[-1]
        operator.now = replace(operation(2), id=str(INTENT["id"]))
        feed_of(pilot.app).publish(busy(healthy()))
        await seen(pilot, lambda: "rebalance runs, step 1: take 40 users" in lines(pilot)[1])
        assert "a attaches" in lines(pilot)[1]
        await pilot.press("a")
        await on(pilot, RunScreen)
        await seen(pilot, lambda: operator.asked("follow") == [("follow", INTENT["id"])])
        await seen(pilot, lambda: "shut down at 0/5A3C1F28" in text(pilot))


async def test_one_on_another_host_is_followed_by_the_ledger_and_ends_with_the_copy() -> None:
    class Elsewhere(FakeOperator):
        def follow(self, operation: str, told):  # type: ignore[no-untyped-def]
            self._later(told, OperatorTrouble("there is no operation '...' here"))
            return lambda: None

    operator = Elsewhere()
    async with running(operator, busy(healthy()), unlocked=False, tempo=QUICK) as pilot:
        await seen(pilot, lambda: "a attaches" in lines(pilot)[1])
        await pilot.press("a")
        await seen(pilot, lambda: "by ann@desk, from desk" in text(pilot))
        feed_of(pilot.app).publish(busy(healthy(), step=2, action="verify"))
        await seen(pilot, lambda: "step 2: verify" in text(pilot))
        operator.known = (replace(ended(), id=str(INTENT["id"]), elsewhere=True),)
        feed_of(pilot.app).publish(healthy())
        await on(pilot, ResultScreen)
        assert "DONE" in text(pilot)


async def test_a_bad_problem_is_not_hidden_by_a_rebalance_but_by_what_repairs_it() -> None:
    operator = FakeOperator()
    async with running(operator, busy(degraded()), unlocked=False) as pilot:
        await seen(pilot, lambda: "mail2 DOWN" in lines(pilot)[1])
        feed_of(pilot.app).publish(busy(degraded(), kind="failover"))
        await seen(pilot, lambda: "failover runs" in lines(pilot)[1])


async def test_leaving_while_an_operation_runs_says_how_to_come_back() -> None:
    app = made(FakeOperator(), busy(healthy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("q")
    assert "rebalance by ann@desk continues without this terminal. `tuiha` opens it again" in app.goodbye
    assert goes_on(running_in(healthy())) == ""


async def test_s_keeps_the_plan_and_says_the_command_and_y_copies_both() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        cast("Dashboard", pilot.app).ways.open_plan("switchover", ("db2",))
        await seen(pilot, lambda: "hold requests" in text(pilot))
        await pilot.press("s")
        plan = switchover().id
        await seen(pilot, lambda: f"Saved      tuiha apply {plan} --confirm db2 --reason 'kernel patch'" in text(pilot))
        assert operator.asked("save") == [("save", plan)]
        await pilot.press("y")
        assert pilot.app.clipboard == (
            f"tuiha plan switchover db2 && tuiha apply {plan} --confirm db2 --reason 'kernel patch'")


async def test_the_sheet_of_a_rebalance_has_limits_that_are_planned_with() -> None:
    operator = FakeOperator()
    servers = [
        {"server": name, "part": "takes", "target": 505.0, "users_before": before, "users_after": 505,
         "devices_before": 9, "devices_after": 9} for name, before in (("s1", 1012), ("s2", 0))
    ]
    operator.planned = switchover(details={
        "servers": servers, "moves_planned": 507, "minimum": 507, "forced": 0, "logins": {"mail1": 507},
        "pace": {"rate": 20.0, "in_flight": 5},
    })
    async with running(operator) as pilot:
        await pilot.press("r")
        await on(pilot, RebalanceScreen)
        await seen(pilot, lambda: "507 users: the fewest that do it, in about 25s at 20 a second" in text(pilot))
        assert "1,012" in text(pilot)
        assert "-507" in text(pilot)
        await pilot.press("right", "j", "j", "left")
        assert cast("RebalanceScreen", pilot.app.screen).shell_command() == (
            "tuiha plan rebalance --option rate=50 --option trigger=0.1")
    assert options_of([limit.option.usual for limit in LIMITS]) == {}


def test_what_needs_somebody_comes_before_what_runs_and_what_is_over() -> None:
    ranks = {state: OperationRow(operation(1, OperationStatus(state)), AT).rank for state in (
        "interrupted", "failed", "unknown", "running", "cancelled", "done", "undone")}
    assert ranks == {"interrupted": 0, "failed": 0, "unknown": 0, "running": 1, "cancelled": 2, "done": 3, "undone": 3}


def test_a_step_that_counts_tells_its_rate_and_what_is_left() -> None:
    step = StepFacts(1, "s1", "take users", StepStatus.RUNNING, 60, True, False, started_at=AT - 10, done=200, of=1000)
    shown = "\n".join(plain(line) for line in run_lines(replace(operation(0), steps=(step,)), AT, 80, 19, None))
    assert "200 of 1,000  20/s, 40s left" in shown


@pytest.mark.parametrize("size", [(40, 10), (60, 20), (80, 24), (200, 60)])
async def test_every_size(size: tuple[int, int]) -> None:
    operator = FakeOperator()
    operator.known = (ended(),)  # nothing half-way: a dashboard would open there
    operator.page = page(*[f"user{n}" for n in range(50)], more=True)
    app = made(operator, busy(healthy()))
    async with app.run_test(size=size) as pilot:
        assert app.operations.unlock("patch")
        for key, word in (("6", "switchover"), ("5", "user1")):
            await pilot.press(key)
            await seen(pilot, lambda word=word: word in text(pilot))  # type: ignore[misc]
            await pilot.press("enter")
            await pilot.press("1")
        await on(pilot, HomeScreen)
        await pilot.press("r")
        await on(pilot, RebalanceScreen)
        assert "rate" in text(pilot)


@pytest.mark.parametrize("width", [80, 120])
def test_line_two_of_one_that_has_stopped_says_so_and_the_key_that_leads_to_its_end(width: int) -> None:
    stopped = busy(healthy(), beat=AT - 60.0, ways=["resume", "undo", "cancel"], gives_way=True)
    found = running_in(stopped)
    assert found is not None
    problems = tuple(operation_problems("east", found, "STEADY"))
    line = plain(problem_line(View("east", AT, snapshot=replace(stopped, problems=problems)), width, {"a": "a"}))
    assert "INTERRUPTED" in line
    assert "rebalance, step 1" in line
    assert "next: a" in line
    assert "runs" not in line
    for way, key in (("resume", "c"), ("undo", "b"), ("cancel", "x")):
        assert f"`tuiha {way} {found.id}` (key a, then {key} twice)" in means(problems[0])

"""Keys and screens of operations, over an operator that is a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest
from textual import events
from textual.pilot import Pilot

from tests.tui.fake_operator import CHECKS, FACTS, FakeOperator, bad, ended, operation, switchover
from tests.tui.samples import AT, SampleFeed, degraded, down, healthy
from tests.tui.test_app import lines, seen, text
from tuiha.model.facts import Snapshot
from tuiha.operate.plan import CheckVerdict
from tuiha.tui.app import Dashboard
from tuiha.tui.arming import ARMED_FOR
from tuiha.tui.operator import Operator, Trouble
from tuiha.tui.screens.acting import ACTING_KEYS
from tuiha.tui.screens.arm import ArmScreen
from tuiha.tui.screens.confirm import CONFIRM_KEYS, ConfirmScreen
from tuiha.tui.screens.home import HOME_KEYS, HomeScreen
from tuiha.tui.screens.menu import MENU_KEYS, MenuScreen
from tuiha.tui.screens.operation_list import LIST_KEYS, OperationList
from tuiha.tui.screens.plan import PLAN_KEYS, PlanScreen
from tuiha.tui.screens.rebalance import REBALANCE_KEYS, RebalanceScreen
from tuiha.tui.screens.result import RESULT_KEYS, ResultScreen
from tuiha.tui.screens.run import RUN_KEYS, RunScreen
from tuiha.tui.screens.users import USERS_KEYS
from tuiha.tui.theme import load_theme
from tuiha.tui.widgets.paced import PACE

HAND = 1.2 * PACE  # seconds between two keys of a hand


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = AT + 0.2

    def __call__(self) -> float:
        return self.now


def made(operator: Operator | None, snapshot: Snapshot | None = None, clock: Clock | None = None) -> Dashboard:
    return Dashboard(
        SampleFeed(snapshot or healthy()), "corp-east", load_theme("dark"), now=clock or Clock(), operator=operator
    )


@asynccontextmanager
async def running(
    operator: Operator | None, snapshot: Snapshot | None = None, clock: Clock | None = None, *, armed: bool = True
) -> AsyncIterator[Pilot[int]]:
    app = made(operator, snapshot, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        if armed:
            assert app.operations.arm("kernel patch")
            app.paint()
        await pilot.pause()
        yield pilot


async def on(pilot: Pilot[int], screen: type) -> None:
    await seen(pilot, lambda: isinstance(pilot.app.screen, screen))
    await pilot.pause()


async def by_hand(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.pause(HAND)
        await pilot.press(key)


async def at_once(pilot: Pilot[int], *keys: str) -> None:
    """As a burst arrives, or a held key: all of them before any is acted on."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await pilot.pause()


async def to_confirm(pilot: Pilot[int]) -> None:
    await pilot.press("f", "enter")
    await seen(pilot, lambda: isinstance(pilot.app.screen, PlanScreen) and pilot.app.screen.plan is not None)
    await pilot.press("c")
    await on(pilot, ConfirmScreen)


# Arming


async def test_w_asks_why_arms_for_15_minutes_and_disarms() -> None:
    clock = Clock()
    async with running(FakeOperator(), clock=clock, armed=False) as pilot:
        assert "VIEW" in lines(pilot)[0]
        await pilot.press("w")
        await on(pilot, ArmScreen)
        await pilot.press("enter")  # no reason
        assert isinstance(pilot.app.screen, ArmScreen)
        await pilot.press(*"patch", "enter")
        await on(pilot, HomeScreen)
        assert "WRITE 15:00" in lines(pilot)[0]
        clock.now += 8
        await pilot.press("j")
        await seen(pilot, lambda: "WRITE 14:52" in lines(pilot)[0])
        await pilot.press("w")
        assert "VIEW" in lines(pilot)[0]


async def test_being_armed_ends_by_itself() -> None:
    clock = Clock()
    async with running(FakeOperator(), clock=clock) as pilot:
        assert "WRITE" in lines(pilot)[0]
        clock.now += ARMED_FOR
        await seen(pilot, lambda: "VIEW" in lines(pilot)[0])
        await pilot.press("r")
        assert isinstance(pilot.app.screen, HomeScreen)


@pytest.mark.parametrize(("operator", "reason"), [
    (None, "this dashboard only watches"),
    (FakeOperator("control.operator is not in the configuration"), "control.operator is not in the configuration"),
    (FakeOperator(), "not armed: w arms for 15 minutes"),
])
async def test_keys_are_greyed_and_say_why(operator: FakeOperator | None, reason: str) -> None:
    async with running(operator, armed=False) as pilot:
        await pilot.press("j")
        for key in ("r", "d", "e"):
            await pilot.press(key)
            assert reason in lines(pilot)[-1]
            assert isinstance(pilot.app.screen, HomeScreen)
    assert operator is None or not operator.asked("plan")


async def test_f_that_is_not_armed_asks_why_and_goes_on() -> None:
    operator = FakeOperator()
    async with running(operator, armed=False) as pilot:
        await pilot.press("f")
        await on(pilot, ArmScreen)
        assert "the key that you pressed goes on" in text(pilot)
        await pilot.press("enter")  # no reason
        assert isinstance(pilot.app.screen, ArmScreen)
        await pilot.press("escape")
        await on(pilot, HomeScreen)
        assert not operator.asked("plan")
        await pilot.press("f", *"patch", "enter")
        await on(pilot, MenuScreen)
        assert "WRITE" in lines(pilot)[0]


async def test_a_pool_that_is_down_suggests_the_reason_and_leaves_one_way() -> None:
    """At three in the morning: f, enter, c, the name, ctrl+x."""
    operator = FakeOperator()
    operator.planned = replace(switchover(), kind="failover")
    async with running(operator, down(), armed=False) as pilot:
        await pilot.press("f")
        await on(pilot, ArmScreen)
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
    async with running(FakeOperator(), armed=False) as pilot:
        await pilot.resize_terminal(160, 50)
        await pilot.press("question_mark")
        assert "plan to rebalance users over the servers (not now: not armed: w arms for 15 minutes)" in text(pilot)


def test_nothing_dangerous_is_on_a_key_that_comes_by_accident() -> None:
    for keys in (HOME_KEYS, PLAN_KEYS, CONFIRM_KEYS, RUN_KEYS, RESULT_KEYS, MENU_KEYS, REBALANCE_KEYS, LIST_KEYS,
                 USERS_KEYS):
        ids = [key.id for key in keys]
        assert len(ids) == len(set(ids))
        for key in keys:
            for name in key.keys.split(",") if key.danger else ():
                assert not name.isdecimal()
                assert name not in ("enter", "y", "escape", "~", "left_square_bracket")
                assert name == name.lower()
                assert name.startswith("ctrl+") or len(name) == 1


# From key to plan


async def test_r_plans_a_rebalance_and_plans_again_while_it_is_read() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await pilot.press("r")
        await on(pilot, RebalanceScreen)
        await seen(pilot, lambda: operator.asked("plan") == [("plan", "rebalance", ())])
        await pilot.press("c")
        await seen(pilot, lambda: "hold requests" in text(pilot))
        await seen(pilot, lambda: len(operator.asked("plan")) >= 3)
        await pilot.press("escape")
        await on(pilot, RebalanceScreen)
        await pilot.press("escape")
        await on(pilot, HomeScreen)


@pytest.mark.parametrize(("key", "kind"), [("d", "drain"), ("e", "enable")])
async def test_d_and_e_take_the_server_under_the_cursor_or_the_marked(key: str, kind: str) -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        home = pilot.app.screen
        assert isinstance(home, HomeScreen)
        rows = [row.name for row in home.table.rows]
        await pilot.press(*["j"] * rows.index("s2"), key)
        await seen(pilot, lambda: operator.asked("plan") == [("plan", kind, ("s2",))])
        await pilot.press("escape", "m", "j", "m")
        assert "marked: s2 s3" in text(pilot)
        await pilot.press("g", key)
        await seen(pilot, lambda: ("plan", kind, ("s2", "s3")) in operator.asked("plan"))
        await pilot.press("escape", "u")
        assert "marked" not in text(pilot)


async def test_d_on_what_is_no_server_says_so() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await pilot.press("G", "d")
        assert "put the cursor on a server" in lines(pilot)[-1]
        assert not operator.asked("plan")


async def test_f_offers_what_fits_and_says_why_not() -> None:
    async with running(FakeOperator()) as pilot:
        await pilot.press("f")
        await on(pilot, MenuScreen)
        assert "switch over  db1 ──▶ db2" in text(pilot)
        await pilot.press("j")
        assert "not now: db1 takes writes: switch over instead" in text(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, MenuScreen)
        await pilot.press("G")
        assert "put the cursor on a mail server first" in text(pilot)


async def test_f_on_a_mail_server_plans_for_it() -> None:
    operator = FakeOperator()
    async with running(operator, degraded()) as pilot:
        await pilot.press("f")  # the cursor is on mail2, the worst
        await on(pilot, MenuScreen)
        assert "take mail2 out of service" in text(pilot)
        await pilot.press("enter")
        await seen(pilot, lambda: ("plan", "failover-mail", ("mail2",)) in operator.asked("plan"))


async def test_what_cannot_be_planned_says_why() -> None:
    operator = FakeOperator()
    operator.planned = Trouble("another operation runs: rebalance by ann@desk, step 2")
    async with running(operator) as pilot:
        await pilot.press("r")
        await seen(pilot, lambda: "rebalance by ann@desk" in text(pilot))
        await pilot.press("c")
        assert isinstance(pilot.app.screen, PlanScreen)


async def test_a_fact_that_changes_while_the_plan_is_read_is_shown() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await pilot.press("f", "enter")
        await seen(pilot, lambda: "hold requests" in text(pilot))
        operator.planned = switchover({**FACTS, "servers": ["s1", "s2", "s3"]})
        await seen(pilot, lambda: "servers: s1, s2, s3, s4 ▸ s1, s2, s3" in text(pilot))


async def test_what_nobody_may_override_stops_at_the_plan() -> None:
    operator = FakeOperator()
    operator.planned = switchover(checks=(bad("identity", CheckVerdict.NEVER),))
    async with running(operator) as pilot:
        await pilot.press("f", "enter")
        await seen(pilot, lambda: "identity" in text(pilot))
        await pilot.press("c")
        assert isinstance(pilot.app.screen, PlanScreen)
        assert "cannot be overridden" in lines(pilot)[-1]


# Confirmation


async def test_the_right_keys_at_the_pace_of_a_hand_start_it() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        assert operator.asked("apply") == [("apply", switchover().id, "db2", "kernel patch", ())]


async def test_a_burst_is_refused() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await at_once(pilot, "d", "b", "2", "ctrl+x")
        assert "too quick" in text(pilot)
        await by_hand(pilot, "ctrl+x")
        assert not operator.asked("apply")


async def test_the_last_key_may_not_be_quick_either() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b")
        await pilot.pause(HAND)
        await at_once(pilot, "2", "ctrl+x")
        assert "too quick" in text(pilot)
        await by_hand(pilot, "ctrl+x")
        assert not operator.asked("apply")


async def test_a_paste_is_refused() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await pilot.pause(HAND)
        assert pilot.app.screen.focused is not None
        pilot.app.screen.focused.post_message(events.Paste("db2"))
        await by_hand(pilot, "ctrl+x")
        assert not operator.asked("apply")
        assert isinstance(pilot.app.screen, ConfirmScreen)


@pytest.mark.parametrize("keys", ["db1", "DB2", "y", ""])
async def test_another_name_is_refused(keys: str) -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, *keys, "ctrl+x")
        assert "that is not it: db2 is to be typed" in text(pilot)
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
        assert "that is not it: override lag is to be typed" in text(pilot)
        await by_hand(pilot, *["space" if key == " " else key for key in "override lag"], "ctrl+x")
        assert "✓ override lag" in text(pilot)
        assert not operator.asked("apply")
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await on(pilot, RunScreen)
        assert operator.asked("apply")[0][4] == ("lag",)


async def test_a_changed_fact_voids_the_plan_and_is_shown() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
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
    operator.started = Trouble("another operation runs: drain s2 by ann@desk, step 2 of 4")
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        await seen(pilot, lambda: "drain s2 by ann@desk" in text(pilot))
        assert "REFUSED" in text(pilot)
        assert isinstance(pilot.app.screen, ConfirmScreen)


async def test_nothing_starts_when_being_armed_has_ended_meanwhile() -> None:
    operator, clock = FakeOperator(), Clock()
    async with running(operator, clock=clock) as pilot:
        await to_confirm(pilot)
        clock.now += ARMED_FOR
        await by_hand(pilot, "d", "b", "2", "ctrl+x")
        assert "not armed" in text(pilot)
        assert not operator.asked("apply")


# Run and result


async def test_steps_are_followed_until_the_result() -> None:
    operator = FakeOperator()
    operator.known = (operation(1),)
    operator.now = operation(1)
    async with running(operator) as pilot:
        await on(pilot, RunScreen)  # it runs already: the dashboard opens there
        await seen(pilot, lambda: "s of 10s" in text(pilot))
        assert "4/4 hold, 0 in flight, 31 queued" in text(pilot)
        operator.tell(operation(5))
        await seen(pilot, lambda: "5 of 6 steps" in text(pilot))
        operator.tell(ended())
        await on(pilot, ResultScreen)
        for word in ("DONE", "84 ms", "31 requests", "tuiha apply 7f3a9c41d02e", "db1 follows db2"):
            assert word in text(pilot)
        assert operator.followers == 0


async def test_leaving_the_run_and_coming_back() -> None:
    operator = FakeOperator()
    operator.known = (operation(1),)
    operator.now = operation(1)
    async with running(operator, armed=False) as pilot:
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
    async with running(operator) as pilot:
        await seen(pilot, lambda: bool(operator.asked("operations")))
        await pilot.pause(0.1)
        assert isinstance(pilot.app.screen, HomeScreen)


@pytest.mark.parametrize(("key", "call"), [("x", "cancel"), ("b", "undo")])
async def test_stopping_and_undoing_take_two_presses_of_a_hand(key: str, call: str) -> None:
    operator = FakeOperator()
    operator.known = (operation(1),)
    operator.now = operation(1)
    async with running(operator) as pilot:
        await on(pilot, RunScreen)
        await seen(pilot, lambda: operator.followers == 1)
        await at_once(pilot, key, key, key)  # a key that is held
        assert not operator.asked(call)
        await by_hand(pilot, key)
        await seen(pilot, lambda: operator.asked(call) == [(call, "7f3a9c41d02e")])


@pytest.mark.parametrize(("armed", "done", "reason"), [
    (False, 1, "not armed"), (True, 4, "past the point of no return"),
])
async def test_no_undo_when_viewing_or_past_the_point_of_no_return(armed: bool, done: int, reason: str) -> None:
    operator = FakeOperator()
    operator.known = (operation(done),)
    operator.now = operation(done)
    async with running(operator, armed=armed) as pilot:
        await on(pilot, RunScreen)
        await seen(pilot, lambda: "promote" in text(pilot))
        for key in ("x", "b"):
            await by_hand(pilot, key, key)
            assert reason in lines(pilot)[-1]
    assert not operator.asked("cancel")
    assert not operator.asked("undo")


@pytest.mark.parametrize(("state", "word", "means"), [
    ("failed", "FAILED", "certain"), ("unknown", "UNKNOWN", "do not take it for failed"),
    ("undone", "UNDONE", "taken back"),
])
async def test_unknown_is_never_called_failed(state: str, word: str, means: str) -> None:
    operator = FakeOperator()
    facts = operation(2, state)
    steps = (*facts.steps[:2], replace(facts.steps[2], state=state, evidence="no answer in 10 s"), *facts.steps[3:])
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
        assert app.operations.arm("patch")
        await to_confirm(pilot)
        assert "CONFIRM" in text(pilot)
        app.operations.open_run("x", operation(3))
        await pilot.pause()
        assert "RUN" in text(pilot)
        app.operations.open_result(ended())
        await pilot.pause()
        assert "RESULT" in text(pilot)
        await pilot.press("escape")
        await on(pilot, HomeScreen)
        assert len(app.screen_stack) == 2


def test_acting_keys_are_the_ones_that_people_know() -> None:
    assert {key.keys for key in ACTING_KEYS} == set("wrfdemu")




async def test_more_checks_than_fit_are_told_in_short_but_for_those_that_matter() -> None:
    operator = FakeOperator()
    many = tuple(replace(CHECKS[0], name=f"check{number}") for number in range(20))
    operator.planned = switchover(checks=(*many, bad("delay")))
    async with running(operator) as pilot:
        await pilot.press("f", "enter")
        await seen(pilot, lambda: "20 good: check0, check1" in text(pilot))
        assert "4.2 MB behind" in text(pilot)
        assert "NO RETURN FROM HERE" in text(pilot)
        await pilot.press("v")
        assert "check3       db2  synchronous, 0 B behind" in text(pilot)

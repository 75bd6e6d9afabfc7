"""From a key to a plan, over an operator that is a fake."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import CHECKS, FACTS, FakeOperator, bad, switchover
from tests.tui.acting import QUICK, on, running
from tests.tui.samples import degraded, healthy
from tests.tui.test_app import lines, seen, text
from tuiha.model.codes import Effect, Lost, ProblemCode, plan
from tuiha.model.facts import NodeKind, Problem, Protection, Severity
from tuiha.model.operations.plans import CheckVerdict
from tuiha.tui.app import Dashboard
from tuiha.tui.operations.lines.choices import Judged
from tuiha.tui.operations.operator import OperatorTrouble
from tuiha.tui.operations.screens.menu import MenuScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.rebalance import RebalanceScreen
from tuiha.tui.views.home.screen import HomeScreen


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


async def planned(pilot: Pilot[int]) -> str:
    """The shell command of the plan that comes to the front."""
    await on(pilot, PlanScreen)
    await seen(pilot, lambda: "hold requests" in text(pilot))
    screen = pilot.app.screen
    assert isinstance(screen, PlanScreen)
    return screen.shell_command().partition(" && ")[0]


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
        await seen(pilot, lambda: f"{kind} s2 s3" in text(pilot) and "hold requests" in text(pilot))
        await pilot.press("escape", "u")
        assert "marked" not in text(pilot)


async def test_x_plans_to_forget_the_server_under_the_cursor() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        home = pilot.app.screen
        assert isinstance(home, HomeScreen)
        rows = [row.name for row in home.table.rows]
        await pilot.press(*["j"] * rows.index("s2"), "x")
        await seen(pilot, lambda: operator.asked("plan") == [("plan", "forget-server", ("s2",))])
        await pilot.press("escape", "G", "x")
        assert "put the cursor on a server" in lines(pilot)[-1]


async def test_d_on_what_is_no_server_says_so() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await pilot.press("G", "d")
        assert "put the cursor on a server" in lines(pilot)[-1]
        assert not operator.asked("plan")


async def test_what_an_operation_does_not_take_is_refused_by_the_operator_of_these_tests_too() -> None:
    """Negative control: were drain to take one server, the test above would fail."""
    operator = FakeOperator()
    async with running(operator) as pilot:
        assert isinstance(pilot.app, Dashboard)
        pilot.app.ways.open_plan("move", ("ann",))
        await seen(pilot, lambda: "move takes USER SERVER, not ann" in text(pilot))


async def test_f_asks_the_operations_own_checks_and_says_what_they_say() -> None:
    operator = FakeOperator()
    operator.judged = {"failover": Judged("db1: takes writes, wanted gone; switch over instead"),
                       "rejoin": Judged(bad=("disk",))}
    async with running(operator) as pilot:
        await pilot.press("f")
        await on(pilot, MenuScreen)
        assert "switch over  db1 ──▶ db2" in text(pilot)
        await seen(pilot, lambda: {call[1] for call in operator.asked("plan")} == {
            "switchover", "failover", "degrade", "protect", "rejoin"})
        await seen(pilot, lambda: "stopped by disk" in text(pilot))
        await pilot.press("j")
        assert "not now: db1: takes writes, wanted gone; switch over instead" in text(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MenuScreen)
        await pilot.press("G")
        assert "put the cursor on a mail server first" in text(pilot)


async def test_f_offers_the_way_out_that_line_2_names_however_the_pair_looks() -> None:
    """The secondary hangs: what the screen suggests is what its own menu begins with, and plans."""
    base = healthy()
    lost = Problem(Severity.BAD, NodeKind.DATABASE, "db2", ProblemCode.NOT_STREAMING, Lost(Effect.STOPS, active="db1"),
                   next=plan("degrade"))
    snapshot = replace(base, problems=(lost,), protection=Protection.UNPROTECTED)
    operator = FakeOperator()
    operator.judged = {"switchover": Judged("db2 does not answer"), "failover": Judged("db1 takes writes")}
    async with running(operator, snapshot) as pilot:
        await pilot.press("f")
        await on(pilot, MenuScreen)
        await seen(pilot, lambda: "db2 does not answer" in text(pilot))
        await pilot.press("enter")
        assert await planned(pilot) == "tuiha plan degrade"


async def test_f_on_a_mail_server_plans_for_it() -> None:
    operator = FakeOperator()
    async with running(operator, degraded()) as pilot:
        await pilot.press("f")  # the cursor is on mail2, the worst
        await on(pilot, MenuScreen)
        assert "take mail2 out of service" in text(pilot)
        await pilot.press("enter")
        assert (await planned(pilot)).startswith(
            "tuiha plan failover-mail mail2 --option 'reason=mail2 DOWN imap 143: connection refused'")


async def test_what_cannot_be_planned_says_why() -> None:
    operator = FakeOperator()
    operator.planned = OperatorTrouble("another operation runs: rebalance by ann@desk, step 2")
    async with running(operator) as pilot:
        await pilot.press("r")
        await seen(pilot, lambda: "rebalance by ann@desk" in text(pilot))
        await pilot.press("c")
        assert isinstance(pilot.app.screen, PlanScreen)


async def test_a_fact_that_changes_while_the_plan_is_read_is_shown() -> None:
    operator = FakeOperator()
    async with running(operator, tempo=QUICK) as pilot:
        await pilot.press("f", "enter")
        await seen(pilot, lambda: "hold requests" in text(pilot))
        operator.planned = switchover({**FACTS, "servers": ["s1", "s2", "s3"]})
        await seen(pilot, lambda: "servers: s1, s2, s3, s4 ▸ s1, s2, s3" in text(pilot))


async def test_what_nobody_may_override_stops_at_the_plan() -> None:
    operator = FakeOperator()
    operator.planned = switchover(checks=(bad("identity", CheckVerdict.NEVER),))
    async with running(operator) as pilot:
        cast("Dashboard", pilot.app).ways.open_plan("switchover", ())  # the menu would not lead there
        await seen(pilot, lambda: "identity" in text(pilot))
        await pilot.press("c")
        assert isinstance(pilot.app.screen, PlanScreen)
        assert "cannot be overridden" in lines(pilot)[-1]


async def test_more_checks_than_fit_are_told_in_short_but_for_those_that_matter() -> None:
    operator = FakeOperator()
    many = tuple(replace(CHECKS[0], name=f"check{number}") for number in range(20))
    operator.planned = switchover(checks=(*many, bad("delay")))
    async with running(operator) as pilot:
        await pilot.press("f", "enter")
        await seen(pilot, lambda: "20 passed" in text(pilot))
        assert "4.2 MB behind" in text(pilot)
        assert "POINT OF NO RETURN" in text(pilot)
        await pilot.press("v")
        assert "check3       db2  synchronous, 0 B behind" in text(pilot)

"""Looks: each screen as it was when somebody last looked at it and found it good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import CHECKS, FakeOperator, bad, ended, operation, switchover
from tests.tui.samples import AT, SAMPLES, SampleFeed
from tests.tui.test_app import seen, text
from tuiha.model.operations.plans import Extent, Loss, Unit
from tuiha.model.operations.statements import plain
from tuiha.tui.app import Dashboard
from tuiha.tui.operations.screens.result import ResultScreen
from tuiha.tui.theme import load_theme


def look(sample: str, theme: str = "dark") -> Dashboard:
    snapshot, happened = SAMPLES[sample]()
    return Dashboard(SampleFeed(snapshot, happened), snapshot.pool, load_theme(theme), now=lambda: AT + 0.2)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("sample", ["healthy", "degraded", "split", "down"])
def test_home(snap_compare: Callable[..., Any], sample: str, size: tuple[int, int]) -> None:
    assert snap_compare(look(sample), terminal_size=size)


def test_home_in_light(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("split", "light"), terminal_size=(120, 40))


def test_detail_of_a_mail_server_that_is_down(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("degraded"), press=["enter"], terminal_size=(80, 24))


def test_help_on_home(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("healthy"), press=["question_mark"], terminal_size=(80, 24))


def test_filter_being_typed(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("degraded"), press=["slash", *"role:mail"], terminal_size=(80, 24))


def acting(operator: FakeOperator) -> Dashboard:
    snapshot, happened = SAMPLES["healthy"]()
    app = Dashboard(
        SampleFeed(snapshot, happened), snapshot.pool, load_theme("dark"), now=lambda: AT + 0.2, operator=operator
    )
    assert app.operations.unlock("db1 kernel patch")
    return app


async def planned(pilot: Pilot[int]) -> None:
    await pilot.press("f", "enter")
    await seen(pilot, lambda: "rejoin as secondary" in text(pilot))


async def confirming(pilot: Pilot[int]) -> None:
    await planned(pilot)
    await pilot.press("c")
    await seen(pilot, lambda: "CONFIRM" in text(pilot))


@pytest.mark.parametrize("when", ["well", "stopped"])
def test_plan(snap_compare: Callable[..., Any], when: str) -> None:
    operator = FakeOperator()
    if when == "stopped":
        operator.planned = switchover(
            checks=(*CHECKS, bad("lag")), loss=Loss(
                Extent.UP_TO, plain("up to 4.2 MB of commits that db2 does not have yet"), 4_200_000, Unit.BYTES)
        )
    assert snap_compare(acting(operator), run_before=planned, terminal_size=(80, 24))


def test_fail_over_menu(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(acting(FakeOperator()), press=["f", "j"], terminal_size=(80, 24))


def test_confirm(snap_compare: Callable[..., Any]) -> None:
    operator = FakeOperator()
    operator.planned = switchover(checks=(*CHECKS, bad("lag")))
    assert snap_compare(acting(operator), run_before=confirming, terminal_size=(80, 24))


def test_run(snap_compare: Callable[..., Any]) -> None:
    operator = FakeOperator()
    operator.known, operator.now = (operation(4),), operation(4)

    async def attached(pilot: Pilot[int]) -> None:
        await seen(pilot, lambda: operator.followers == 1 and "4 of 6 steps" in text(pilot))

    assert snap_compare(acting(operator), run_before=attached, terminal_size=(80, 24))


def test_result(snap_compare: Callable[..., Any]) -> None:
    operator = FakeOperator()
    operator.known = (ended(),)

    async def shown(pilot: Pilot[int]) -> None:
        await pilot.press("6")
        await seen(pilot, lambda: "switchover" in text(pilot))
        await pilot.press("enter")
        await seen(pilot, lambda: isinstance(pilot.app.screen, ResultScreen))
        await pilot.pause()

    assert snap_compare(acting(operator), run_before=shown, terminal_size=(80, 24))


def test_home_while_viewing_with_an_operator(snap_compare: Callable[..., Any]) -> None:
    app = acting(FakeOperator())
    app.operations.lock()
    assert snap_compare(app, terminal_size=(80, 24))

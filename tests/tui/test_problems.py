"""`!`: what is wrong, worst first, on every screen, with the key that ends it; and help that begins with it."""

from __future__ import annotations

from typing import cast

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator
from tests.tui.acting import on, running
from tests.tui.samples import degraded, down, healthy, split
from tests.tui.test_app import lines, seen, text
from tuiha.model.facts import Snapshot
from tuiha.tui.app import Dashboard
from tuiha.tui.keymap import all_screens
from tuiha.tui.keys import PROBLEMS, VIEWS
from tuiha.tui.operations.screens.menu import MenuScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.unlock import UnlockScreen
from tuiha.tui.views.detail.screen import DetailScreen
from tuiha.tui.views.help.screen import HelpScreen
from tuiha.tui.views.home.screen import HomeScreen
from tuiha.tui.views.problems.screen import ProblemScreen, ProblemsScreen
from tuiha.words import explain

BANG = "exclamation_mark"


async def shown(pilot: Pilot[int]) -> str:
    """The list, as one text without line breaks."""
    await pilot.press(BANG)
    await on(pilot, ProblemsScreen)
    return " ".join(text(pilot).split())


@pytest.mark.parametrize("snapshot", [degraded(), split(), down()], ids=["degraded", "split", "down"])
async def test_each_problem_says_what_users_notice_and_what_to_do(snapshot: Snapshot) -> None:
    async with running(FakeOperator(), snapshot) as pilot:
        await pilot.resize_terminal(120, 60)
        told = await shown(pilot)
        for problem in snapshot.problems:
            found = explain.problem(problem.code)
            for part in (found.meaning, found.users, found.remedy):
                assert " ".join(part.split())[:90] in told, problem.code


async def test_the_worst_is_first_and_enter_shows_one_in_full() -> None:
    async with running(FakeOperator(), degraded()) as pilot:
        told = await shown(pilot)
        assert told.index("mail2 DOWN") < told.index("s2 ")
        assert "2 problems" in told
        await pilot.press("enter")
        await on(pilot, ProblemScreen)
        full = text(pilot)
        assert "Since" in full
        assert "docs/runbooks/" in full
        await pilot.press("enter")
        await on(pilot, DetailScreen)
        await pilot.press("escape", "escape", "escape")
        await on(pilot, HomeScreen)


async def test_the_key_beside_a_problem_plans_what_it_says() -> None:
    operator = FakeOperator()
    async with running(operator, degraded(), unlocked=False) as pilot:
        await shown(pilot)
        await pilot.press("j", "e")  # the second: s2 is drained
        await on(pilot, UnlockScreen)
        await pilot.press("escape", "k", "f")
        await on(pilot, UnlockScreen)
        await pilot.press("enter")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: ("plan", "failover-mail", ("mail2",)) in operator.asked("plan"))
        await pilot.press(BANG)  # back to the list: nothing has happened
        await on(pilot, ProblemsScreen)
        await pilot.press("j", "e")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: ("plan", "enable", ("s2",)) in operator.asked("plan"))


async def test_over_the_screen_of_an_operation_nothing_else_is_planned() -> None:
    async with running(FakeOperator(), degraded()) as pilot:
        await pilot.press("f")
        await on(pilot, MenuScreen)
        await pilot.press(BANG)
        await on(pilot, ProblemsScreen)
        await pilot.press("f")
        assert "leave this operation first" in lines(pilot)[-1]
        await pilot.press("escape")
        await on(pilot, MenuScreen)


async def test_without_a_problem_it_says_so() -> None:
    async with running(FakeOperator()) as pilot:
        assert "No problem is known" in await shown(pilot)
        await pilot.press("enter", "j", "G")
        await on(pilot, ProblemsScreen)


@pytest.mark.parametrize("view", [view.key for view in VIEWS])
async def test_it_is_named_and_opens_on_each_view(view: str) -> None:
    async with running(FakeOperator(), degraded()) as pilot:
        await pilot.press(view)
        await seen(pilot, lambda: "! 2 problems" in lines(pilot)[-1])
        assert "1-7 views  ! 2 problems" in lines(pilot)[-1]
        await pilot.press(BANG)
        await on(pilot, ProblemsScreen)
        await pilot.press("3")
        assert not isinstance(pilot.app.screen, ProblemsScreen)


async def test_the_views_have_their_names_where_there_is_room() -> None:
    async with running(FakeOperator()) as pilot:
        await pilot.resize_terminal(200, 50)
        await seen(pilot, lambda: "1 Home  2 DB  3 Sprayers  4 Mail  5 Users  6 Ops  7 Events" in lines(pilot)[-1])


async def test_f_begins_on_what_line_2_says_and_says_why() -> None:
    async with running(FakeOperator(), degraded()) as pilot:
        await pilot.press("f")
        await on(pilot, MenuScreen)
        assert "The cursor is on the next step for: mail2 DOWN" in text(pilot)
        assert "▸ take mail2 out of service" in text(pilot)


# Each key on each screen


def test_every_screen_of_the_pool_has_the_key_of_the_problems() -> None:
    without = {screen.__name__ for screen in all_screens() if PROBLEMS not in screen.KEYS}
    assert without <= {"ConfirmScreen"}  # there every key is text


WAYS = {"Home": "", "Help": "?", "Problems": "!", "Problem": "! enter", "Detail": "enter", "Plan": "f enter",
        "Menu": "f", "Rebalance": "r", **{view.title: view.key for view in VIEWS}}
SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize("way", WAYS)
async def test_no_key_of_a_footer_is_dead_and_help_has_every_key_on_one_page(way: str, size: tuple[int, int]) -> None:
    named = {"?": "question_mark", "!": BANG}
    async with running(FakeOperator(), healthy() if way != "Problem" else degraded()) as pilot:
        await pilot.resize_terminal(*size)
        for key in WAYS[way].split():
            await pilot.press(named.get(key, key))
            await pilot.pause()
        app = cast("Dashboard", pilot.app)
        screen = app.screen
        bound = screen.bound_keys()  # type: ignore[attr-defined]
        footer = f"{lines(pilot)[-1]}  "
        for one in bound:
            if one.key.short and f" {one.names[0]} {one.key.short}  " in footer:
                name, _, _rest = one.key.action.partition("(")
                assert hasattr(app if name.startswith("app.") else screen, f"action_{name.removeprefix('app.')}"), name
        if isinstance(screen, HelpScreen):
            return
        await pilot.press("question_mark")
        await on(pilot, HelpScreen)
        page = text(pilot)
        words = set(page.split())
        for one in bound:
            assert one.names[0] in words, (one.key.id, page)
        assert "No action is needed." in page or "NOW" in page
        assert "more" not in lines(pilot)[-1]  # marks and filter, too


@pytest.mark.parametrize("view", [view.key for view in VIEWS])
async def test_help_has_one_page_also_where_something_is_wrong_and_changes_are_locked(view: str) -> None:
    async with running(FakeOperator(), degraded(), unlocked=False) as pilot:
        await pilot.press(view, "question_mark")
        await on(pilot, HelpScreen)
        assert "! explains it" in text(pilot)
        assert "MARKS" in text(pilot)
        assert "more" not in lines(pilot)[-1]

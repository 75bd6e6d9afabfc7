"""View 5 over an operator that is a fake: typing, pages, late answers, and the way to a move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator
from tests.tui.acting import on, running
from tests.tui.samples import AT
from tests.tui.test_app import lines, seen, text
from tuiha.model.users.placement import Biases, Candidate
from tuiha.tui.operations.screens.list import OperationList
from tuiha.tui.operations.screens.menu import MenuScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.views.help.screen import HelpScreen
from tuiha.tui.views.home.screen import HomeScreen
from tuiha.tui.views.problems.screen import ProblemsScreen
from tuiha.tui.views.users.pages import PAGE
from tuiha.tui.views.users.screen import UsersScreen
from tuiha.watch.lookup import NoPage, UserPage
from tuiha.watch.reader import UserRow, UserWithoutMail

SERVERS = {
    "s1": Candidate("s1", "127.0.0.1:1", 60, True, 40, 100),
    "s2": Candidate("s2", "127.0.0.1:2", 80, True, 20, 100),
    "s3": Candidate("s3", "127.0.0.1:3", -200, True, 0, 100),
}
THEN = datetime.fromtimestamp(AT, UTC)


def row(name: str, server: str | None = "s1", **other: Any) -> UserRow:
    facts: dict[str, Any] = {"since": THEN - timedelta(hours=3), "locked_until": None, "devices": 2,
                             "mail_server": "mail1", "last_sync": THEN - timedelta(seconds=7), "mail_cluster": "east"}
    return UserRow(name=name, server=server, **{**facts, "generation": 4, **other})


def page(*names: str, more: bool = False) -> UserPage:
    return UserPage(tuple(map(row, names)), more, SERVERS, Biases(), "db1", True)


class Slow(FakeOperator):
    """Answers when a test says so, and in the order that it says."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str, Callable[[UserPage | NoPage], None]]] = []

    def find_users(self, pattern: str, after: str, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        self.open.append((pattern, after, answer))

    def reply(self, pattern: str, found: UserPage | NoPage) -> None:
        for _, _, answer in [one for one in self.open if one[0] == pattern]:
            self._later(answer, found)


async def opened(pilot: Pilot[int]) -> None:
    await pilot.press("5")
    await on(pilot, UsersScreen)


async def test_it_finds_while_one_types_and_tells_where_and_why() -> None:
    operator = FakeOperator()
    operator.page = page("ann", "anna")
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "anna" in text(pilot))
        await pilot.press("slash", "a", "n")
        await seen(pilot, lambda: ("find_users", "an", "", PAGE) in operator.asked("find_users"))
        await pilot.press("down", "enter")
        await seen(pilot, lambda: "── anna ─" in text(pilot))
        shown = text(pilot)
        for told in ("s1, for 3h00m, generation 4", "s1 scores best: 90 (60 free + 30", "if s1 is lost: s2",
                     "mail1 of east; 2 devices, last sync 7s ago", "s3 draining", "names from 'an': 2"):
            assert told in shown, told
        await pilot.press("escape", "escape")
        await on(pilot, HomeScreen)


async def test_a_user_without_mail_is_marked_and_never_called_monitored() -> None:
    operator = FakeOperator()
    since = THEN - timedelta(seconds=46)
    none = UserWithoutMail("no-answer", "connection refused", since, "mail2")
    operator.page = UserPage((row("ann"), row("bob", no_mail=none), row("cid", mail_server=None), row("dan", None)),
                             False, SERVERS, Biases(), "db1", True)
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "bob" in text(pilot))
        bob, = [line for line in lines(pilot) if " bob " in line]
        assert "▲" in bob
        assert "NO MAIL" in bob
        await pilot.press("j")
        await seen(pilot, lambda: "── bob ─" in text(pilot))
        line, = [line for line in lines(pilot) if "No mail" in line]
        assert "mail server does not answer (connection refused by mail2), for 46s;" in line
        assert "monitored through" not in text(pilot)
        await pilot.press("j")
        await seen(pilot, lambda: "not monitored yet: no server of east is chosen" in text(pilot))
        await pilot.press("j")
        await seen(pilot, lambda: "not monitored, because no pool server has this user" in text(pilot))


async def test_what_is_typed_right_after_the_slash_is_a_name() -> None:
    operator = FakeOperator()
    operator.page = page("ann")
    async with running(operator) as pilot:
        await pilot.press("5", "slash", "w", "a", "6")
        await seen(pilot, lambda: ("find_users", "wa6", "", PAGE) in operator.asked("find_users"))
        assert isinstance(pilot.app.screen, UsersScreen)


@pytest.mark.parametrize(("key", "screen"), [
    ("6", OperationList), ("1", HomeScreen), ("question_mark", HelpScreen), ("exclamation_mark", ProblemsScreen),
])
async def test_keys_lead_away_as_everywhere(key: str, screen: type) -> None:
    operator = FakeOperator()
    operator.page = page("ann")
    async with running(operator) as pilot:
        await opened(pilot)
        await pilot.press("b", key)  # a letter alone finds nobody
        await on(pilot, screen)
        assert {call[1] for call in operator.asked("find_users")} == {""}


async def test_q_leaves_from_the_users_and_a_search_is_shown_until_esc() -> None:
    operator = FakeOperator()
    operator.page = page("ann")
    async with running(operator) as pilot:
        await opened(pilot)
        assert "/ finds a user" in text(pilot)
        await pilot.press("slash", "a", "enter")
        assert "names from 'a': 1   esc shows all" in text(pilot)
        await pilot.press("escape")
        assert "all names: 1" in text(pilot)
        await pilot.press("q")
        await seen(pilot, lambda: not pilot.app.is_running)


async def test_an_answer_that_comes_late_never_replaces_a_newer_one() -> None:
    operator = Slow()
    async with running(operator) as pilot:
        await opened(pilot)
        await pilot.press("slash", "a", "n", "n")
        await seen(pilot, lambda: [one[0] for one in operator.open][-3:] == ["a", "an", "ann"])
        operator.reply("ann", page("ann"))
        await seen(pilot, lambda: "── ann ─" in text(pilot))
        for earlier in ("", "a", "an"):
            operator.reply(earlier, page("abel", "zoe"))
        for thread in operator.threads:
            thread.join()
        await pilot.pause(0.1)
        assert "abel" not in text(pilot)
        assert "ann" in text(pilot)


async def test_the_screen_goes_on_while_nothing_is_answered() -> None:
    operator = Slow()
    async with running(operator) as pilot:
        await opened(pilot)
        assert "all names: reading" in text(pilot)
        await pilot.press("slash", "x")
        await seen(pilot, lambda: "names from 'x': reading" in text(pilot))
        operator.reply("x", NoPage("the database did not answer in 5 s"))
        await seen(pilot, lambda: "did not answer in 5 s" in text(pilot))


async def test_the_next_page_is_read_near_the_end_of_the_one_before() -> None:
    operator = FakeOperator()
    names = [f"user{n:03d}" for n in range(PAGE)]
    operator.page = page(*names, more=True)
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "100 and more" in text(pilot))
        operator.page = page("userz", more=False)
        await pilot.press("G")
        await seen(pilot, lambda: ("find_users", "", "user099", PAGE) in operator.asked("find_users"))
        await seen(pilot, lambda: "all names: 101" in text(pilot))


async def test_m_offers_servers_and_plans_the_move() -> None:
    operator = FakeOperator()
    operator.page = page("ann")
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "── ann ─" in text(pilot))
        await pilot.press("m")
        await on(pilot, MenuScreen)
        shown = text(pilot)
        assert "move ann to s2" in shown
        assert "draining" in shown
        assert "ann is there" in shown
        await pilot.press("enter")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: operator.asked("plan")[0] == ("plan", "move", ("ann", "s2")))
        assert "move ann to s2" in text(pilot)
        await pilot.press("escape", "escape")
        await on(pilot, UsersScreen)


async def test_m_is_greyed_unless_unlocked() -> None:
    operator = FakeOperator()
    operator.page = page("ann")
    async with running(operator, unlocked=False) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "── ann ─" in text(pilot))
        await pilot.press("m")
        assert "locked" in lines(pilot)[-1]
        assert isinstance(pilot.app.screen, UsersScreen)


async def test_a_dashboard_that_only_watches_says_so() -> None:
    async with running(None, unlocked=False) as pilot:
        await opened(pilot)
        assert "no database to look users up in" in text(pilot)

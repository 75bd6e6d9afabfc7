"""The command line and the palette: the shell's words, every action by name, and why one does nothing now."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator, operation
from tests.tui.samples import AT, SampleFeed, degraded, healthy
from tests.tui.test_app import dashboard, home, lines, seen, text
from tests.tui.test_devices_view import PHONE
from tests.tui.test_users_view import page
from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.model.operations.plans import OperationStatus
from tuiha.tui.app import Dashboard
from tuiha.tui.command.asked import MOST, AskedNames
from tuiha.tui.command.grammar import COMMANDS, Unclear, complete, completed, parse
from tuiha.tui.command.palette import PaletteScreen
from tuiha.tui.command.screen import CommandScreen
from tuiha.tui.draw.spans import plain
from tuiha.tui.keys import EVERYWHERE
from tuiha.tui.kit.offers import Offer, offer_lines
from tuiha.tui.operations.operator import Desk
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.state import Operations
from tuiha.tui.theme import load_theme
from tuiha.tui.views.detail.screen import DetailScreen
from tuiha.tui.views.home.screen import HOME_KEYS, HomeScreen
from tuiha.watch.lookup import NoPage, UserPage

Answer = Callable[[UserPage | NoPage], None]


def made(operator: Desk | None) -> Dashboard:
    return Dashboard(SampleFeed(degraded()), "corp-east", load_theme("dark"), now=lambda: AT + 0.2, operator=operator)


class Waiting:
    """Operations of a pool that answers when a test says so."""

    only_watches = False

    def __init__(self) -> None:
        self.questions: list[tuple[str, Answer]] = []

    def find_users(self, pattern: str, after: str, limit: int, answer: Answer) -> None:
        self.questions.append((pattern, answer))


async def typed(pilot: Pilot[int], command: str) -> None:
    await pilot.press("colon", *("space" if letter == " " else letter for letter in command))


# The grammar


def test_every_kind_of_operation_is_a_command_with_the_shells_words() -> None:
    for name, kind in OPERATIONS.items():
        command = COMMANDS[name]
        assert command.danger, name
        assert command.takes == kind.takes, name


def test_only_operations_lead_to_changes() -> None:
    assert {name for name, command in COMMANDS.items() if command.danger} == set(OPERATIONS)


@pytest.mark.parametrize("line", ["drain s2", "plan drain s2", "tuiha plan drain s2", "  drain   's2' "])
def test_a_shells_line_is_understood(line: str) -> None:
    command, words, options = parse(line)
    assert command is COMMANDS["drain"]
    assert words == ("s2",)
    assert not options


def test_options_are_written_as_in_the_shell() -> None:
    assert parse("rebalance --option rate=50 --option=in-flight=2")[2] == {"rate": "50", "in-flight": "2"}


@pytest.mark.parametrize(("line", "part"), [
    ("", "type a command"), ("drian s2", "did you mean drain"), ("drain", "drain takes SERVER"),
    ("move ann", "move takes USER SERVER"), ("rebalance s1", "rebalance takes no target, not s1"),
    ("drain 's2", "never closed"),
    ("status now", "takes nothing more"), ("drain s1 s1", "name each once"),
    ("rebalance --option rat=5", "did you mean 'rate'"), ("rebalance --option rate=x", "write a number from 0 to"),
    ("rebalance --option rate", "NAME=VALUE"), ("rebalance --option", "NAME=VALUE"),
])
def test_what_is_not_understood_says_what_to_type(line: str, part: str) -> None:
    with pytest.raises(Unclear, match=part):
        parse(line)


def test_completion_offers_commands_then_what_they_take() -> None:
    snapshot = healthy()
    assert [offer.name for offer in complete("dr", snapshot, None)] == ["drain"]
    assert [offer.name for offer in complete("drain ", snapshot, None)] == ["s1", "s2", "s3", "s4"]
    assert [offer.name for offer in complete("drain s1 s", snapshot, None)] == ["s1", "s2", "s3", "s4"]
    assert [offer.name for offer in complete("plan failover-mail mail1", snapshot, None)] == ["mail1"]
    assert [offer.name for offer in complete("move ann s3", snapshot, None)] == ["s3"]
    assert complete("rebalance ", snapshot, None) == ()
    assert complete("nonsense ", snapshot, None) == ()
    assert all(offer.against == "locked" for offer in complete("drain", snapshot, "locked"))


def test_completing_keeps_what_was_typed() -> None:
    assert completed("plan dr", "drain") == "plan drain "
    assert completed("plan drain ", "s2") == "plan drain s2 "
    assert completed("", "it's") == "'it'\"'\"'s' "


# The screen


async def test_a_command_plans_when_unlocked() -> None:
    operator = FakeOperator()
    app = made(operator)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.operations.unlock("patch")
        await typed(pilot, "drain s2")
        await pilot.press("enter")
        await seen(pilot, lambda: isinstance(app.screen, PlanScreen))
        await seen(pilot, lambda: bool(operator.asked("plan")))
        assert operator.asked("plan")[0][1:3] == ("drain", ("s2",))
        assert not operator.asked("apply")


async def test_failover_of_a_mail_server_is_the_one_that_is_meant() -> None:
    operator = FakeOperator()
    app = made(operator)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.operations.unlock("patch")
        await typed(pilot, "failover mail2")
        await pilot.press("enter")
        await seen(pilot, lambda: bool(operator.asked("plan")))
        assert operator.asked("plan")[0][1:3] == ("failover-mail", ("mail2",))


@pytest.mark.parametrize("unlocked", [False, True])
async def test_what_is_not_allowed_says_why_and_stays(unlocked: bool) -> None:
    operator = FakeOperator() if not unlocked else None
    app = made(operator)
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(pilot, "drain s2")
        await pilot.press("enter")
        assert isinstance(app.screen, CommandScreen)
        assert ("locked" if operator else "only watches") in lines(pilot)[-1]
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


async def test_tab_completes_and_the_list_says_what_there_is() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await typed(pilot, "nod")
        await pilot.press("tab")
        assert ":node " in lines(pilot)[-1]
        assert "mail server  UP" in text(pilot)
        await pilot.press(*"db", "down", "tab")
        assert ":node db2 " in lines(pilot)[-1]
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, DetailScreen)
        assert " db2  " in lines(pilot)[4]


async def test_a_node_that_is_not_there_gets_a_hint() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await typed(pilot, "node mial1")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, CommandScreen)
        assert "did you mean mail1" in lines(pilot)[-1]


async def test_filtering_pausing_and_leaving_by_command() -> None:
    app = dashboard(degraded())
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(pilot, "filter role:mail")
        await pilot.press("enter")
        assert len(home(pilot).table.rows) == 4
        await typed(pilot, "filter")
        await pilot.press("enter")
        assert len(home(pilot).table.rows) == 12
        await typed(pilot, "pause")
        await pilot.press("enter")
        assert "PAUSED" in lines(pilot)[0]
        await typed(pilot, "quit")
        await pilot.press("enter")
        await seen(pilot, lambda: app._exit)


async def test_unlocking_by_command() -> None:
    app = made(FakeOperator())
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(pilot, "unlock kernel patch")
        await pilot.press("enter")
        await seen(pilot, lambda: "UNLOCKED" in lines(pilot)[0])
        unlocked = app.operations.unlocked
        assert unlocked is not None
        assert unlocked.reason == "kernel patch"


async def test_arrows_recall_on_the_empty_line_and_else_move_in_the_list() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        for command in ("filter role:mail", "filter"):
            await typed(pilot, command)
            await pilot.press("enter")
        await typed(pilot, "node ")
        await pilot.press("down", "down")  # two rows
        await pilot.press("tab")
        assert ":node s3 " in lines(pilot)[-1]
        await pilot.press("ctrl+u", "down", "up", "up")
        assert ":filter▏" in lines(pilot)[-1]
        await pilot.press("up")
        assert ":filter role:mail▏" in lines(pilot)[-1]
        await pilot.press("ctrl+n", "ctrl+n")
        assert ":▏" in lines(pilot)[-1]


async def test_users_devices_and_operations_are_completed_by_what_the_pool_answers() -> None:
    operator = FakeOperator()
    operator.page = page("anna", "anton")
    operator.devices = (PHONE,)
    operator.known = (operation(2, OperationStatus.FAILED),)
    app = made(operator)
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(pilot, "move an")
        await seen(pilot, lambda: "anton" in text(pilot))
        assert operator.asked("find_users")[-1] == ("find_users", "an", "", MOST)
        await pilot.press("down", "tab")
        assert ":move anton " in lines(pilot)[-1]
        assert "server  UP" in text(pilot)
        await pilot.press("ctrl+u", *"revoke-device", "space", *"anna", "space")
        await seen(pilot, lambda: PHONE.name in text(pilot))
        assert operator.asked("devices_of")[-1] == ("devices_of", "anna")
        await pilot.press("ctrl+u", *"reclaim", "space")
        await seen(pilot, lambda: operator.known[0].id in text(pilot))


async def test_each_beginning_is_asked_once_and_late_answers_are_dropped() -> None:
    operations = Waiting()
    asked = AskedNames(lambda: cast(Operations, operations), lambda: None)
    for begun in ("a", "a", "an"):
        assert asked.names("USER", (), begun) == ()
    assert [pattern for pattern, _ in operations.questions] == ["a", "an"]
    operations.questions[0][1](page("abel"))
    assert asked.names("USER", (), "an") == ()
    operations.questions[1][1](page("anna"))
    assert [name for name, _ in asked.names("USER", (), "an")] == ["anna"]
    assert asked.names("SERVER", (), "") == ()


# The palette


async def test_the_palette_has_every_action_of_the_screen_and_every_command() -> None:
    async with dashboard(healthy()).run_test(size=(120, 100)) as pilot:
        await pilot.press("ctrl+p")
        assert isinstance(pilot.app.screen, PaletteScreen)
        shown = text(pilot)
        for key in (*HOME_KEYS, *EVERYWHERE):
            if not key.id.startswith(("move.", "app.palette")):
                assert key.description[:50] in shown, key.id
        for name in COMMANDS:
            assert name in shown


async def test_the_palette_does_what_the_key_does_on_the_screen_behind() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *"sort by", "enter")
        assert isinstance(pilot.app.screen, HomeScreen)
        assert "NODE▾" in text(pilot)
        await pilot.press("ctrl+p", *"detail of the node", "enter")
        assert isinstance(pilot.app.screen, DetailScreen)
        await pilot.press("ctrl+p")
        assert "sort by the next column" not in text(pilot)


async def test_the_palette_greys_what_is_not_allowed_and_says_why() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *"rebalance")
        assert "not now: this dashboard only watches" in text(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, PaletteScreen)
        await pilot.press("ctrl+u", *"zzz", "enter")
        assert isinstance(pilot.app.screen, HomeScreen)


async def test_a_command_chosen_in_the_palette_is_completed_on_the_command_line() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *"node NODE", "enter")
        await seen(pilot, lambda: isinstance(pilot.app.screen, CommandScreen))
        await pilot.pause()
        assert ":node " in lines(pilot)[-1]


async def test_y_copies_what_comes_next_for_the_node_under_the_cursor() -> None:
    app = dashboard(degraded())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("y")
        assert app.clipboard == "tuiha plan failover-mail mail2"
        assert "copied: tuiha plan failover-mail mail2" in lines(pilot)[-1]
        await pilot.press("G", "y")
        assert app.clipboard == "tuiha status"


def test_why_an_offer_cannot_be_chosen_is_seen_under_a_list_that_is_longer_than_the_screen() -> None:
    offers = [Offer(f"o{n}", "a title " * 12, "k", "id", "nobody may") for n in range(40)]
    seen_lines = [plain(line).strip() for line in offer_lines(offers, 20, 80, 12)]
    assert len(seen_lines) == 12
    assert seen_lines[-1] == "not now: nobody may"
    assert " ".join(seen_lines[-3:-1]) == ("a title " * 12).strip()

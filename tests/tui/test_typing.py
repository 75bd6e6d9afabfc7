"""Typing: the keys of a shell edit a line, a hand is quick enough to confirm, and a paste or a burst is not a hand."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from textual import events
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator, bad, switchover
from tests.tui.acting import on, rest, running, timed, to_confirm
from tests.tui.test_app import text
from tuiha.tui.kit.keyboard import KEPT, Entered, HandPace, Typed, ended
from tuiha.tui.operations.screens.run import RunScreen

EIGHT = 1 / 8  # seconds from key to key at eight keys a second
TWENTY = 1 / 20
JITTER = 0.4  # of it, more or less


def gaps(mean: float, number: int, seed: int) -> list[float]:
    """Times between the keys of a hand that is not a clock."""
    chance = random.Random(seed)
    return [mean * chance.uniform(1 - JITTER, 1 + JITTER) for _ in range(number)]


def refused(mean: float, word: str, seed: int) -> bool:
    """Whether a word at that pace is refused somewhere."""
    pace, found = HandPace((0.0,)), False
    for time in accumulate(gaps(mean, len(word) + 1, seed)):
        pace = pace.after(time)
        found = found or pace.too_quick
    return found


async def type_at(pilot: Pilot[int], word: str, mean: float, seed: int = 1) -> None:
    """A word and ctrl+x at that pace, by the clock of key events alone: this machine may be slow."""
    keys = [*("space" if letter == " " else letter for letter in word), "ctrl+x"]
    rest(pilot, 5.0)
    begin = timed(pilot, events.Key("escape", None)).time
    for key, after in zip(keys, accumulate(gaps(mean, len(keys), seed)), strict=True):
        event = events.Key(key, " " if key == "space" else key if len(key) == 1 else None)
        event.time = begin + after
        pilot.app.post_message(event)
        await pilot.pause()
    rest(pilot, len(keys) * mean)


@pytest.mark.parametrize("word", ["db2", "override servers", "anna.long-name@example.org"])
def test_eight_keys_a_second_are_never_refused_and_twenty_are(word: str) -> None:
    assert not any(refused(EIGHT, word, seed) for seed in range(500))
    assert all(refused(TWENTY, word, seed) for seed in range(500))


async def test_an_override_and_the_name_are_typed_at_eight_keys_a_second() -> None:
    operator = FakeOperator()
    operator.planned = switchover(checks=(bad("servers"),))
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await type_at(pilot, "override servers", EIGHT)
        assert "✓ override servers" in text(pilot)
        await type_at(pilot, "db2", EIGHT)
        await on(pilot, RunScreen)
        assert operator.asked("apply")[0][4] == ("servers",)


async def test_a_burst_of_twenty_keys_a_second_starts_nothing_and_says_what_to_do() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        await type_at(pilot, "db2", TWENTY)
        assert "Type it again, one key after the other" in text(pilot)
        assert not operator.asked("apply")
        await type_at(pilot, "db2", EIGHT)
        await on(pilot, RunScreen)


async def test_the_confirmation_is_edited_as_in_a_shell() -> None:
    operator = FakeOperator()
    async with running(operator) as pilot:
        await to_confirm(pilot)
        for keys in ((*"override x", "ctrl+u"), (*"db2 xyz", "ctrl+w", "backspace"), ("ctrl+a", "ctrl+e")):
            for key in keys:
                rest(pilot, EIGHT)
                pilot.app.post_message(timed(pilot, events.Key("space" if key == " " else key,
                                                               key if len(key) == 1 else None)))
                await pilot.pause()
        await type_at(pilot, "", EIGHT)
        await on(pilot, RunScreen)


@pytest.mark.parametrize(("line", "key", "expected"), [
    (ended("drain s1 s2"), "ctrl+w", Typed("drain s1 ", 9)),
    (ended("drain s1 "), "ctrl+w", Typed("drain ", 6)),
    (ended("drain"), "ctrl+w", Typed("", 0)),
    (Typed("drain s1", 5), "ctrl+k", Typed("drain", 5)),
    (Typed("drain s1", 6), "ctrl+u", Typed("s1", 0)),
    (Typed("drain s1", 6), "ctrl+w", Typed("s1", 0)),
    (ended("drain"), "ctrl+a", Typed("drain", 0)),
    (Typed("drain", 0), "ctrl+e", ended("drain")),
    (Typed("drain", 0), "backspace", Typed("drain", 0)),
    (Typed("drain", 0), "delete", Typed("rain", 0)),
    (ended("drain"), "left", Typed("drain", 4)),
    (ended("drain"), "right", ended("drain")),
])
def test_keys_edit_as_in_a_shell(line: Typed, key: str, expected: Typed) -> None:
    assert line.edited(key) == expected


def test_a_letter_goes_in_at_the_cursor_and_a_long_line_keeps_the_cursor_in_sight() -> None:
    assert Typed("dran", 3).added("i", 200) == Typed("drain", 4)
    assert ended("abc").added("def", 5) == ended("abcde")
    before, after = Typed("x" * 100 + "y" * 100, 100).sight(40)
    assert before.endswith("x")
    assert after.startswith("y")
    assert len(before + after) <= 40


def test_what_was_entered_comes_back_in_its_order_and_each_once() -> None:
    entered = Entered()
    assert (entered.before(""), entered.after("")) == (None, None)
    for one in ("node s1", " drain s2 ", "", "node s1"):
        entered = entered.kept(one)
    assert entered.texts == ("drain s2", "node s1")
    assert entered.before("") == "node s1"
    assert entered.before("node s1") == "drain s2"
    assert entered.before("drain s2") is None
    assert entered.after("drain s2") == "node s1"
    assert entered.after("node s1") == ""
    assert (entered.before("something else"), entered.after("something else")) == (None, None)


def test_a_line_remembers_so_many_texts() -> None:
    entered = Entered()
    for number in range(3 * KEPT):
        entered = entered.kept(str(number))
    assert entered.texts == tuple(str(number) for number in range(2 * KEPT, 3 * KEPT))

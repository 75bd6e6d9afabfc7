"""Every text for people keeps the rules of language."""

from __future__ import annotations

import pytest

from tests.words.pools import snapshots
from tests.words.rules import broken, turns_late
from tests.words.texts import Text, texts
from tuiha.model.codes import ProblemCode
from tuiha.words import states
from tuiha.words.problems import detail

NOTE = 28  # characters of a note at 80 columns
SEEDS = range(40)


@pytest.mark.parametrize("one", texts("words", "tui", "cli"), ids=lambda one: one.place)
def test_a_text_is_plain(one: Text) -> None:
    assert list(broken(one.text)) == []


@pytest.mark.parametrize(("text", "rule"), [
    ("it goes on by itself", "'goes on'"),
    ("s1: None", "Python"),
    ("servers: ['s1', 's3']", "Python"),
    ("started at 1795997113.9905", "a unix time"),
    ("a; b; c", "2 semicolons"),
    (" ".join(["word"] * 26), "26 words"),
    ("somebody must act", "'somebody'"),
])
def test_the_rules_find_what_they_are_for(text: str, rule: str) -> None:
    assert any(why.startswith(rule) for why in broken(text))


@pytest.mark.parametrize("text", ["`tuiha resume ID` continues it", "27 words: " + "`a b c d e f g h` " * 6,
                                  "epoch 12, 1,795,366,738 bytes"])
def test_the_rules_leave_what_is_right(text: str) -> None:
    assert list(broken(text)) == []


def test_a_note_that_is_cut_keeps_its_meaning() -> None:
    """What turns the meaning of a problem's facts comes within the room of a note."""
    for note in (states.OUT_OF_SERVICE, states.NOT_OURS, states.NOT_REPLICATING):
        assert len(note) <= NOTE
    told = {detail(one) for seed in SEEDS for snapshot in snapshots(seed) for one in snapshot.problems
            if one.code is not ProblemCode.RECORDED}
    settings = "synchronous_standby_names is "  # the name of a setting says what is wrong
    assert [text for text in sorted(told) if turns_late(text, NOTE) and not text.startswith(settings)] == []

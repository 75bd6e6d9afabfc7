"""What the input thread makes of bytes: the same keys, however they come together."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from textual import events
from textual.message import Message

from tuiha.tui.terminal.driver import Keys


def names(found: Iterable[Message]) -> list[str]:
    return [message.key for message in found if isinstance(message, events.Key)]


def parsed(text: str) -> list[str]:
    parser = Keys()
    return names([*parser.feed(text), *parser.feed("")])  # nothing more comes


@pytest.mark.parametrize("key", [*"jG2590-=bf/:?", "\t", "\x7f"])
def test_an_esc_and_a_key_in_one_piece_are_both_keys(key: str) -> None:
    assert parsed("\x1b" + key) == ["escape", *parsed(key)]
    assert parsed("\x1b\x1b" + key) == ["escape", "escape", *parsed(key)]
    assert parsed(f"\x1b{key}\x1b{key}j") == ["escape", *parsed(key), "escape", *parsed(key), "j"]


@pytest.mark.parametrize(("sequence", "key"), [
    ("\x1b[A", "up"), ("\x1bOB", "down"), ("\x1b[5~", "pageup"), ("\x1b[Z", "shift+tab"), ("\x1bOP", "f1"),
])
def test_sequences_are_keys_of_their_own(sequence: str, key: str) -> None:
    assert parsed(sequence) == [key]
    assert parsed("\x1b" + sequence) == ["escape", key]


def test_a_paste_is_no_keys() -> None:
    found = [*Keys().feed("\x1b[200~a2b\x1b[201~q")]
    assert [type(message) for message in found] == [events.Paste, events.Key]

"""What the input thread makes of bytes: the same keys, however they come together."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message

from tuiha.tui.terminal.sequences import Keys


def names(found: Iterable[Message]) -> list[str]:
    return [message.key for message in found if isinstance(message, events.Key)]


def parsed(text: str) -> list[str]:
    parser = Keys()
    return names([*parser.feed(text), *parser.end()])  # nothing more comes


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


@pytest.mark.parametrize(("sequence", "keys"), [
    ("\x1b[113;1u", ["q"]), ("\x1b[113u", ["q"]), ("\x1b[113;1:1u", ["q"]), ("\x1b[113;1:2u", ["q"]),
    ("\x1b[106;;106u", ["j"]), ("\x1b[106:74:106;2;74u", ["J"]), ("\x1b[120;5u", ["ctrl+x"]),
    ("\x1b[1;1:1B", ["down"]), ("\x1b[5;1:2~", ["pageup"]), ("\x1b[13u", ["enter"]), ("\x1b[27u", ["escape"]),
    ("\x1b[57414;1u", ["enter"]),
])
def test_kittys_keys_are_keys_in_every_form(sequence: str, keys: list[str]) -> None:
    assert parsed(sequence) == keys
    assert parsed("".join(f"{sequence}{sequence}")) == keys * 2


NOTHING = [
    "\x1b[113;1:3u", "\x1b[113;:3u", "\x1b[113;1:4u", "\x1b[113;1:99999u", "\x1b[113;999u", "\x1b[1;1:3A",
    "\x1b[3;5:3~", "\x1b[9999999999u", "\x1b[1114112u", "\x1b[55296u", "\x1b[57005u", "\x1b[0;;1114112u",
    "\x1b[0;;24u", "\x1b[0;;113:13u", "\x1b[113;1;;;;u", "\x1b[:::;;;u", "\x1b[24;80R",
    "\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18q", f"\x1b[{'9' * 200}q", "\x1b[?1;2c", "\x1b[>1q",
    "\x1b[48;24;80;480;800t", "\x1b[48;0;0;0;0t", "\x1b[I", "\x1b[O", "\x1b[<0;5;5M", "\x1b[<64;1;1m",
    "\x1b[?2048;1$y", "\x1b]52;c;cXVpdA==\x07", "\x1b]11;rgb:0/0/0\x1b\\", "\x1bP>|xq\x1b\\",
    "\x1b_Gi=1;OK\x1b\\", "\x1b[1\ufffd", "\x1b[;;\x18", "\x1bO5Q", "\x1b[201~", "\x1b[!q", "\x1b[\x20q",
]


@pytest.mark.parametrize("sequence", NOTHING)
def test_what_no_key_sends_is_nothing_in_any_pieces(sequence: str) -> None:
    """Neither a fault, nor keys made of its parts: each of them has a `q`, or digits, that would act."""
    assert parsed(sequence) == []
    for cut in range(1, len(sequence)):
        parser = Keys()
        found = [*parser.feed(sequence[:cut]), *parser.feed(sequence[cut:]), *parser.feed("j")]
        assert names(found) == ["j"]


def test_half_a_sequence_is_given_up_after_a_while_and_no_key_is_made_of_it() -> None:
    time = [0.0]
    for begun in ("\x1b[113;1", "\x1b]52;c;", "\x1bO5", "\x1bP1"):
        parser = Keys(lambda: time[0])
        assert [*parser.feed(begun)] == []
        time[0] += 0.5
        assert [*parser.tick()] == []
        time[0] += 1.0
        assert [*parser.tick()] == []
        assert names(parser.feed("j")) == ["j"]


def test_a_slow_paste_stays_one() -> None:
    time = [0.0]
    parser, found = Keys(lambda: time[0]), list[Message]()
    for piece in ("\x1b[200~dr", "ain\r\x1b[", "q\x1b[20", "1~"):
        found += [*parser.feed(piece)]
        time[0] += 60.0
        found += [*parser.tick()]
    assert [message.text for message in found if isinstance(message, events.Paste)] == ["drain\r\x1b[q"]
    assert len(found) == 1


def test_textuals_own_parser_ends_on_a_key_that_is_released() -> None:
    """Negative control: why its parser is not the one that reads here."""
    with pytest.raises(ValueError, match="invalid literal"):
        [*XTermParser().feed("\x1b[113;1:3u")]


def test_a_paste_is_no_keys() -> None:
    found = [*Keys().feed("\x1b[200~a2b\x1b[201~q")]
    assert [type(message) for message in found] == [events.Paste, events.Key]

"""The keys of a shell on a real terminal: a line is edited and left as there, and a hand is quick enough to confirm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.play_acting import STARTS
from tests.tui.pty_terminal import Terminal
from tests.tui.test_streams import asked
from tests.tui.test_terminal import play

EIGHT = 1 / 8  # seconds from key to key at eight keys a second
TRIES = 20  # a machine that is busy may deliver two keys of a hand at once: then they are typed again

REFUSED = ("too quick", "expected: db2")


def acting(target: Path) -> Terminal:
    return Terminal(["-m", "tests.tui.play_acting", str(target)])


def to_confirm(terminal: Terminal) -> None:
    terminal.shows("UNLOCKED")
    terminal.send(":switchover\r")
    terminal.shows("c continue")
    terminal.send("c")
    terminal.shows("ctrl+x")
    terminal.read(0.5)  # a hand rests before it begins


def by_hand(terminal: Terminal, keys: str) -> None:
    for key in keys:
        terminal.send(key)
        terminal.read(EIGHT)


def test_the_name_at_eight_keys_a_second_starts_it(tmp_path: Path) -> None:
    with acting(tmp_path / "asked.json") as terminal:
        to_confirm(terminal)
        for _ in range(TRIES):
            by_hand(terminal, "db2\x18")
            terminal.until(lambda seen: any(map(seen.has, REFUSED)) or not seen.has("ctrl+x"))
            if not terminal.has("ctrl+x"):
                break
        assert asked(terminal, tmp_path / "asked.json")["apply"] == 1


@pytest.mark.parametrize("sent", ["db2\x18", "\x1b[200~db2\x1b[201~"])
def test_a_burst_and_a_paste_start_nothing(sent: str, tmp_path: Path) -> None:
    with acting(tmp_path / "asked.json") as terminal:
        to_confirm(terminal)
        terminal.send(sent)
        terminal.shows("refused")
        found = asked(terminal, tmp_path / "asked.json")
        assert not any(found[name] for name in STARTS)


def test_a_line_is_edited_as_in_a_shell() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        for sent, line in ((":drain s1 s2", ":drain s1 s2▏"), ("\x17", ":drain s1 ▏"), ("\x7f", ":drain s1▏"),
                           ("\x01", ":▏drain s1"), ("\x05", ":drain s1▏"), ("\x02\x02\x0b", ":drain ▏"),
                           ("\x15", ":▏   tab complete"), ("dr\t", ":drain ▏"), ("s\t", ":drain s1 ▏")):
            terminal.send(sent)
            terminal.shows(line)
        terminal.send("\x03")  # drops the line, and no more
        terminal.until(lambda seen: seen.has("STATE") and not seen.has(":drain"))
        terminal.send("/s2\x17s1")
        terminal.shows("/s1▏")
        terminal.send("\x15")
        terminal.until(lambda seen: seen.has("/▏") and seen.has("s2 "))


def test_q_in_help_closes_it_and_colon_q_leaves() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.send("?")
        terminal.shows("q close")
        terminal.send("q")
        terminal.until(lambda seen: seen.has("q quit") and not seen.has("NOW  "))
        terminal.send(":q\r")
        assert terminal.wait() == 0


def test_ctrl_c_leaves_where_no_line_is_typed_into() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.send("?")
        terminal.shows("NOW  ")
        terminal.send("\x03")
        assert terminal.wait() == 0

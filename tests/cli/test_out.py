"""Nothing that comes from elsewhere steers a terminal."""

from __future__ import annotations

import pytest

from tuiha.cli.output.streams import put, say
from tuiha.tui.draw.spans import clean

HOSTILE = "anna\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08\x7f\u202egnp.exe"


def test_what_is_written_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    put(f"a\t{HOSTILE}\nb é 漢")
    say(HOSTILE)
    told = capsys.readouterr()
    assert told.out.startswith("a\tanna ")
    assert told.out.endswith("\nb é 漢\n")
    assert not set(told.out + told.err) & set("\x1b\x07\x9b\r\x08\x7f\u202e")


def test_the_dashboard_draws_nothing_of_it() -> None:
    assert not set(clean(HOSTILE)) & set("\x1b\x07\x9b\r\x08\x7f\u202e")

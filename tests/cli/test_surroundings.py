"""What the command does where its surroundings are poor: a full disk, a narrow terminal, one without a screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.pty_terminal import Terminal
from tuiha.cli.main import COMMANDS, build_parser
from tuiha.cli.output.help import HelpFormatter
from tuiha.config.places import data_file

EXAMPLE = str(data_file("config/pool.example.yaml"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["completion", "bash"], ["completion", "bash", "--names", "kinds"]])
def test_output_that_cannot_be_written_is_told_as_it_is(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "tuiha", *words], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    assert done.returncode == 1
    assert "the output could not be written to where stdout leads: No space left on device" in done.stderr
    assert "fault of tuiha" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_narration_that_nobody_can_read_changes_nothing() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "tuiha", "nonsense"], stdout=subprocess.PIPE, stderr=full,
                              timeout=60, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("columns", ["80", "40"])
def test_help_fits_and_breaks_no_word(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    parser = build_parser(whole=True)
    (commands,) = (action for action in parser._actions if action.dest == "command")
    assert commands.choices is not None
    for name in (None, *COMMANDS):
        one = parser if name is None else dict(commands.choices)[name]
        shown = one.format_help()
        if columns == "80":
            assert [line for line in shown.splitlines() if len(line) > 80] == [], name
        words = set(" ".join(filter(None, (one.description, one.epilog))).split())
        assert words <= set(shown.split()), name


def test_tables_in_help_keep_their_columns() -> None:
    text = "Rows:\n\n  short   " + "word " * 12 + "\n  a-name  one two"
    filled = HelpFormatter("tuiha", width=60)._fill_text(text, 60, "")
    assert filled.splitlines()[2:] == [
        "  short   word word word word word word word word word word",
        "          word word", "  a-name  one two"]


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_terminal_without_a_screen_gets_the_text(kind: str, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path), "TERM": kind}
    with Terminal(["-m", "tuiha", "--config", str(tmp_path / "none.yaml")], environment=state) as terminal:
        code = terminal.wait()
    said = terminal.raw.decode()
    assert "has no screen to draw on; this is `tuiha status`" in said
    assert "\x1b" not in said
    assert code == 2  # as `tuiha status` says of a configuration that is not there
    assert os.listdir(tmp_path) == []

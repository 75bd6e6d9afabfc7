"""The first picture: old, marked as old, there at once, and gone with the first frame."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.terminal_pool import black_hole
from tests.tui.pty_terminal import TOP, Terminal
from tuiha.cli.screens.first import FirstPicture

EXAMPLE = TOP / "config" / "pool.example.yaml"
HOME = [f" corp-east  HEALTHY{'age <1s  03:12:07Z':>61}", *[f" line {number}".ljust(80) for number in range(22)],
        " q quit".ljust(80)]


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def dashboard(configuration: Path) -> Terminal:
    return Terminal(["-m", "tuiha", "--config", str(configuration), "dashboard"])


@pytest.fixture
def configuration(tmp_path: Path) -> Iterator[Path]:
    """A pool of which nothing ever answers."""
    with black_hole(tmp_path) as path:
        yield path


def test_what_home_showed_is_there_first_and_says_how_old_it_is(tmp_path: Path, configuration: Path) -> None:
    FirstPicture(configuration).keep(HOME, 1_795_144_327.0)
    kept = next((tmp_path / "tuiha").iterdir())
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    FirstPicture(configuration).keep(HOME, time.time() - 60)
    assert len(list((tmp_path / "tuiha").iterdir())) == 1
    with dashboard(configuration) as terminal:
        terminal.until(lambda seen: "HEALTHY" in seen.lines[0] and "STALE, as of" in seen.lines[0])
        assert terminal.has(" line 21")
        assert not terminal.has("q quit")  # no key does anything yet
        terminal.shows("q quit")  # nothing answers: after two seconds the dashboard says so itself
        assert not terminal.has("STALE, as of")
        assert not terminal.has("line 7")
        terminal.send("q")
        assert terminal.wait() == 0
        assert b"Traceback" not in terminal.raw


def test_a_key_ends_it(configuration: Path) -> None:
    FirstPicture(configuration).keep(HOME, time.time() - 60)
    with dashboard(configuration) as terminal:
        terminal.shows("STALE, as of")
        terminal.send("?")
        terminal.shows("NOW  ")


def test_a_configuration_that_cannot_be_used_is_said_on_a_terminal_that_was_given_back(tmp_path: Path) -> None:
    broken = tmp_path / "pool.yaml"
    broken.write_text("pool: [\n", encoding="utf-8")
    FirstPicture(broken).keep(HOME, time.time() - 60)
    with dashboard(broken) as terminal:
        assert terminal.wait() == 2
        terminal.read(0.2)
        raw = bytes(terminal.raw)
        assert raw.index(b"STALE, as of") < raw.index(b"\x1b[?1049l") < raw.index(b"not valid YAML")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"at": 1, "lines": ["a"]}', '{"at": "x", "lines": 3}', "\x00"])
def test_a_picture_that_is_none_is_left_alone(
    content: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((80, 24)))
    picture = FirstPicture(EXAMPLE)
    path = picture._path()
    assert path is not None
    path.write_text(content, encoding="utf-8")
    picture.paint(time.time())
    assert not picture.painted
    assert capfd.readouterr().err == ""


def test_a_picture_of_another_size_or_last_week_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((80, 25)))
    picture = FirstPicture(EXAMPLE)
    picture.keep(HOME, 1000.0)
    picture.paint(1001.0)
    assert not picture.painted
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((80, 24)))
    picture.paint(1000.0 + 8 * 86400)
    assert not picture.painted
    picture.paint(1001.0)
    assert picture.painted


def test_control_characters_are_never_sent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((80, 24)))
    picture = FirstPicture(EXAMPLE)
    picture.keep(["\x1b[31mred", *HOME[1:]], 1000.0)
    picture.paint(1001.0)
    assert not picture.painted
    assert capfd.readouterr().err == ""

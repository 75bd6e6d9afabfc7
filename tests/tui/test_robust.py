"""What terminals, clocks, names and polls may do: the screen stays whole and says what it knows."""

from __future__ import annotations

import logging
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.doubles.operator import FakeOperator
from tests.tui.samples import AT, SampleFeed, healthy, mail, many, server
from tests.tui.test_app import dashboard, home, lines, seen, text
from tuiha.cli.logfile import log_to_file
from tuiha.config.secrets import HIDDEN, resolve
from tuiha.config.values import Secret
from tuiha.model.facts import Snapshot
from tuiha.model.reports import ServerState
from tuiha.tui.alarms import BELL, Alarms
from tuiha.tui.app import Dashboard
from tuiha.tui.draw.ascii import in_ascii
from tuiha.tui.looks import Looks
from tuiha.tui.operations.state import UNLOCKED_FOR, unlock
from tuiha.tui.theme import load_theme

NAMES = (
    "e\u0301\u0302\u0303" * 8,  # combining
    "\u05e9\u05e8\u05ea-\u0627\u0644\u062e\u0627\u062f\u0645",  # right to left
    "\u202eevil\u202c", "a" * 60, "東京" * 10, "👩‍🚀" * 5, "\x1b[31m\x07\x9b2J", "tab\there\nnew line", "\u200b\ufeff",
)
SIZES = ((60, 20), (80, 24), (120, 40), (200, 60))


def oddly_named() -> Snapshot:
    base = healthy()
    return replace(
        base, pool=NAMES[0], servers=(*(server(name, 12, note=name) for name in NAMES), *base.servers),
        mail=(*(mail(name, name, 3) for name in NAMES[:4]), *base.mail),
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_odd_names_break_no_line(ascii_only: bool, size: tuple[int, int]) -> None:
    palette = replace(load_theme("dark"), ascii=ascii_only)
    app = Dashboard(SampleFeed(oddly_named()), NAMES[2], palette, now=lambda: AT + 0.2)
    async with app.run_test(size=size) as pilot:
        for keys in ((), ("o", "enter"), ("escape", "ctrl+p"), ("escape", "colon", *"node", "space"), ("escape",)):
            await pilot.press(*keys)
            for line in lines(pilot):
                assert cell_len(line) <= size[0]
                assert line.isprintable()
                assert line.isascii() or not ascii_only


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -1e9, 86400.0 * 400])
async def test_a_clock_that_jumps_is_survived_and_ends_no_message_late(jump: float) -> None:
    now = AT + 0.2
    app = Dashboard(SampleFeed(healthy()), "corp-east", load_theme("dark"), now=lambda: now, operator=FakeOperator())
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.operations.unlock("patch")
        await pilot.press("y")
        now += jump
        app.paint()
        await pilot.pause()
        assert "UNLOCKED" not in lines(pilot)[0]  # whichever way the clock went
        await pilot.press("enter", "escape")
        assert "corp-east" in lines(pilot)[0]
        if jump > 0:
            assert "!" in lines(pilot)[0]  # the age is marked


def test_a_clock_set_back_ends_being_unlocked() -> None:
    unlocked = unlock("patch", 1000.0)
    assert unlocked is not None
    assert unlocked.left(1000.0) == UNLOCKED_FOR
    assert unlocked.left(999.0) == 0
    assert unlocked.left(1000.0 + UNLOCKED_FOR) == 0


async def test_a_thousand_nodes_are_there_and_the_last_is_one_key_away() -> None:
    async with dashboard(many(1000)).run_test(size=(120, 40)) as pilot:
        assert len(home(pilot).table.rows) >= 1000
        await pilot.press("G")
        assert "▸" in text(pilot)
        await pilot.press("slash", *"s100", "enter")
        assert "s1000" in text(pilot)


async def test_resize_storms_end_in_the_right_picture() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        for turn in range(60):
            await pilot.resize_terminal(20 + (turn * 37) % 180, 4 + (turn * 13) % 56)
        await pilot.resize_terminal(80, 24)
        await seen(pilot, lambda: len(lines(pilot)) == 24 and "q quit" in lines(pilot)[-1])
        assert "HEALTHY" in lines(pilot)[0]


async def test_a_feed_that_hangs_holds_no_key_up() -> None:
    """Watching is on a thread of its own: one that hangs there is not waited for."""
    hanging = threading.Event()
    feed = SampleFeed(healthy())
    app = dashboard(None, feed, ready=lambda: bool(hanging.wait(30.0)) or None)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(5):
            await pilot.press("question_mark")
            assert "EVERYWHERE" in text(pilot)
            await pilot.press("escape")
        hanging.set()


# Alarms


def with_down(*names: str) -> Snapshot:
    base = healthy()
    return replace(base, servers=tuple(
        replace(facts, state=ServerState.DOWN) if facts.name in names else facts for facts in base.servers
    ))


def test_a_bell_once_for_each_that_is_newly_down() -> None:
    alarms = Alarms(bell=True, notify=False)
    sounds = [alarms.sound(with_down(*names)) for names in
              (("s1",), ("s1",), ("s1", "s2"), ("s1", "s2"), (), ("s1",))]
    assert sounds == ["", "", BELL, "", "", BELL]


def test_a_message_for_the_desktop_only_when_asked_for() -> None:
    alarms = Alarms(bell=False, notify=True)
    assert alarms.sound(healthy()) == ""
    assert alarms.sound(replace(with_down("s1", "s2"), pool="p;q\x1b")) == "\x1b]9;p,q·: s1 s2 DOWN\x1b\\"
    silent = Alarms(bell=False, notify=False)
    assert (silent.sound(healthy()), silent.sound(with_down("s1"))) == ("", "")


# ASCII


def test_everything_drawn_has_an_ascii_form_of_the_same_width() -> None:
    for code in [*range(0x2500, 0x2580), *range(0x2800, 0x2900), *map(ord, "▁▂▃▄▅▆▇█▮●✗▲○▸…·東é")]:
        drawn = in_ascii(chr(code))
        assert drawn.isascii()
        assert len(drawn) == cell_len(chr(code))
    assert in_ascii("▮▯") == "#."
    assert in_ascii("┌─┬│┼━┃╋") == "+-+|+=|+"


# No clock, themes at run time


async def test_without_a_clock_line_1_has_neither_time_nor_age() -> None:
    app = Dashboard(SampleFeed(healthy()), "corp-east", load_theme("dark"), now=lambda: AT + 0.2,
                    looks=Looks(clock=False))
    async with app.run_test(size=(80, 24)) as pilot:
        assert lines(pilot)[0].endswith("LOCKED")


async def test_a_theme_is_used_at_once_and_on_save(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(load_theme("dark").path.read_text(encoding="utf-8"), encoding="utf-8")  # type: ignore[union-attr]
    app = Dashboard(SampleFeed(healthy()), "corp-east", load_theme(str(own)), now=lambda: AT + 0.2)
    async with app.run_test(size=(80, 24)) as pilot:
        before = app.palette
        own.write_text(own.read_text(encoding="utf-8").replace("#4cc2ff", "#123456"), encoding="utf-8")
        await seen(pilot, lambda: app.palette is not before)
        assert app.palette.colours["flow"] == "#123456"
        own.write_text("nonsense", encoding="utf-8")
        await seen(pilot, lambda: "not a theme" in text(pilot))
        assert app.palette.colours["flow"] == "#123456"
        await pilot.press("colon", *"theme", "space", *"ansi", "enter")
        assert app.palette.name == "ansi"
        assert "HEALTHY" in text(pilot)


# The log


def test_the_log_is_private_and_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("A_PASSWORD", "hunter2-correct-horse")
    secret = resolve(Secret(env="A_PASSWORD"), tmp_path)
    before = logging.getLogger().handlers[:]
    try:
        path = log_to_file()
        assert path is not None
        log = logging.getLogger("tuiha.test")
        log.info("nothing else")
        try:
            raise ValueError(f"cannot log in with {secret}")
        except ValueError:
            log.exception("failed for %s", secret)
        said = path.read_text(encoding="utf-8")
    finally:
        logging.basicConfig(handlers=before, force=True)
    assert secret not in said
    assert said.count(HIDDEN) >= 2
    assert "Traceback" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

"""The wall and the list of pools: what they show, and what they can never do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from textual.pilot import Pilot

from tests.drivers.daemons import free_port
from tests.tui.pty_terminal import Terminal
from tests.tui.samples import AT, SAMPLES, SampleFeed, healthy, split
from tests.tui.test_app import lines, seen, text
from tuiha.config.errors import ConfigError, ConfigProblem
from tuiha.model.codes import Change, EventKind
from tuiha.model.facts import Event, Severity, Verdict
from tuiha.tui.draw.spans import plain
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View, no_history
from tuiha.tui.theme import load_theme
from tuiha.tui.views.wall.day import day_line, stretches
from tuiha.tui.views.wall.feeds import Watched
from tuiha.tui.views.wall.letters import LARGEST, fitting_scale, large, rows_of, width_of_large
from tuiha.tui.views.wall.picker import Picker
from tuiha.tui.views.wall.picture import wall_lines
from tuiha.tui.views.wall.pools import OnWall
from tuiha.tui.views.wall.screen import Wall
from tuiha.watch.child.messages import News, receive
from tuiha.watch.recording.reader import Recording

SIZES = [(20, 5), (60, 20), (80, 24), (120, 40), (200, 60)]


def watched(sample: str, name: str = "") -> Watched:
    snapshot, happened = SAMPLES[sample]()
    snapshot = replace(snapshot, pool=name or snapshot.pool)
    return Watched(snapshot.pool, SampleFeed(snapshot, happened), lambda: None)


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.at = AT + 0.2

    def __call__(self) -> float:
        return self.at


def wall(*pools: Watched, now: Clock | None = None) -> Wall:
    return Wall(pools, load_theme("dark"), now=now or Clock())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sample", SAMPLES)
async def test_it_fits_any_size(sample: str, size: tuple[int, int]) -> None:
    async with wall(watched(sample), watched("healthy", "other")).run_test(size=size) as pilot:
        await pilot.pause()
        assert len(lines(pilot)) == size[1]
        if size[0] >= 60:
            assert "WALL" in lines(pilot)[0]
            assert SAMPLES[sample]()[0].pool[:5] in lines(pilot)[0]


async def test_what_is_wrong_is_said_large_and_in_words() -> None:
    async with wall(watched("split")).run_test(size=(120, 40)) as pilot:
        shown = text(pilot)
        assert all(row.rstrip() in shown for row in large("SPLIT", 2))
        assert "S P L I T" in shown
        assert "489 of 2,004 users are not served" in shown
        assert "3 of 4 servers serve" in shown
        assert "SERVERS  ● ● ● ✗" in shown


async def test_old_data_are_called_old() -> None:
    now = Clock()
    async with wall(watched("healthy"), watched("healthy", "other"), now=now).run_test(size=(80, 24)) as pilot:
        now.at = AT + 2.9
        wall_app(pilot).paint()
        assert "OLD" not in text(pilot)
        now.at = AT + 3.5  # more than three polls of a second
        wall_app(pilot).paint()
        await pilot.pause()
        assert "THIS IS 3s OLD: nobody knows how the pool is now" in lines(pilot)[1]
        assert "other ▲ OLD" in lines(pilot)[-1]


def wall_app(pilot: Pilot[int]) -> Wall:
    assert isinstance(pilot.app, Wall)
    return pilot.app


async def test_pools_take_turns_and_all_are_named() -> None:
    now = Clock()
    async with wall(watched("healthy", "east"), watched("down", "west"), now=now).run_test(size=(80, 24)) as pilot:
        assert "east" in lines(pilot)[0]
        assert "1 of 2" in lines(pilot)[0]
        assert "east ● HEALTHY   west ✗ DOWN" in lines(pilot)[-1]
        now.at += 10
        wall_app(pilot).paint()
        await pilot.pause()
        assert "west" in lines(pilot)[0]


async def test_a_pool_that_cannot_be_watched_does_not_hide_the_others() -> None:
    def start() -> None:
        raise ConfigError(ConfigProblem("the token cannot be read"))

    bad = Watched("west", SampleFeed(None), start)
    async with wall(watched("healthy", "east"), bad).run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda: "west ✗ NOT WATCHED" in lines(pilot)[-1])
        assert "HEALTHY" in lines(pilot)[-1]


async def test_no_key_but_q() -> None:
    app = wall(watched("healthy"))
    async with app.run_test(size=(80, 24)) as pilot:
        assert set(app.screen.active_bindings) == {"q", "ctrl+c", "ctrl+z"}
        await pilot.press("w", "r", "f", "d", "e", "enter", "t", "colon", "ctrl+p", "escape")
        assert "WALL" in lines(pilot)[0]
        assert len(app.screen_stack) == 2
        await pilot.press("q")
    assert app.return_code == 0


def test_large_letters_have_one_height() -> None:
    for word in ("HEALTHY", "DEGRADED", "DISPUTED", "SPLIT", "DOWN", "0123456789", "1,024", "4/4", "12k", "1.05M", "-"):
        for scale in range(LARGEST + 1):
            drawn = large(word, scale)
            assert len(drawn) == rows_of(scale)
            assert {len(row) for row in drawn} == {width_of_large(word, scale)}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_letters_grow_with_the_screen(verdict: Verdict) -> None:
    sizes = [(40, 9), (80, 9), (120, 15), (200, 24)]
    scales = [fitting_scale(verdict.value, width - 2, rows) for width, rows in sizes]
    assert None not in scales
    assert scales == sorted(scales, key=lambda scale: scale or 0)
    assert len(set(scales)) >= 3


async def test_the_band_has_the_ground_of_the_state_and_old_data_are_called_old_over_it() -> None:
    for sample, ground in (("healthy", "well"), ("degraded", "warning"), ("down", "bad")):
        snapshot, happened = SAMPLES[sample]()
        pool = OnWall(View(snapshot.pool, AT, "WALL", False, snapshot, happened), Trends(no_history))
        drawn = wall_lines([pool], 0, 120, 40)
        assert {line.ground for line in drawn[1:8]} == {ground}


def test_the_day_shows_what_is_known_of_it_and_the_last_incident() -> None:
    def turned(hours: float, before: str, after: str) -> Event:
        return Event(AT - hours * 3600, Severity.BAD, "east", EventKind.VERDICT, Change(before, after))

    events = (turned(2.0, "DOWN", "HEALTHY"), turned(2.5, "HEALTHY", "DOWN"))
    known = stretches(events, AT, healthy(), AT - 3 * 3600)
    shown = plain(day_line(known, AT, 120))
    assert "DOWN from 00:42Z, 30m00s" in shown
    marks = shown.split()[2]
    assert (len(marks), marks.count("✗"), marks.count("●"), marks.count("·")) == (48, 2, 5, 41)


def test_an_outage_lasts_as_long_on_the_line_of_the_day_as_in_the_band() -> None:
    snapshot, _ = SAMPLES["down"]()
    event = Event(AT - 2, Severity.BAD, "east", EventKind.VERDICT, Change("DEGRADED", "DOWN"))
    earlier = Event(AT - 4, Severity.WARNING, "east", EventKind.VERDICT, Change("HEALTHY", "DEGRADED"))
    known = stretches((event, earlier), AT, replace(snapshot, unserved_since=AT - 12), AT - 60)
    assert known == [(AT - 12, AT, Verdict.DOWN), (AT - 60, AT - 12, Verdict.HEALTHY)]
    assert "DOWN from 03:11Z, now for 12s" in plain(day_line(known, AT, 120))


async def test_what_is_old_has_no_colour_and_does_not_last_on() -> None:
    snapshot, happened = SAMPLES["down"]()
    view = View(snapshot.pool, AT + 3600, "WALL", False, snapshot, happened)
    drawn = wall_lines([OnWall(view, Trends(no_history))], 0, 120, 40)
    assert "THIS IS 1h00m OLD" in plain(drawn[1])
    assert {line.ground for line in drawn[2:]} == {"ground"}
    assert {style for line in drawn[2:] for text, style in line.spans if text.strip()} <= {"quiet"}
    assert any("nobody is served for 6s" in plain(line) for line in drawn)


# The list of pools


async def test_the_list_names_each_pool_with_its_worst_problem_and_opens_one() -> None:
    now = Clock()
    picker = Picker([watched("healthy", "east"), watched("degraded", "west")], load_theme("dark"), now=now)
    async with picker.run_test(size=(100, 20)) as pilot:
        rows = [line for line in lines(pilot) if "4/4" in line]
        assert "east" in rows[0]
        assert "HEALTHY" in rows[0]
        assert "west" in rows[1]
        assert "mail2 DOWN" in rows[1]
        assert " LOCKED" in lines(pilot)[0]
        feed = picker.pools[0].feed
        assert isinstance(feed, SampleFeed)
        feed.publish(replace(split(), pool="east"))
        await seen(pilot, lambda: "SPLIT" in text(pilot))
        await pilot.press("j", "j", "enter")
    assert picker.chosen == 1


async def test_leaving_the_list_opens_none() -> None:
    picker = Picker([watched("healthy", "east")], load_theme("dark"))
    async with picker.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
    assert picker.chosen is None


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("sample", ["healthy", "degraded", "split", "down"])
def test_looks(snap_compare: Callable[..., Any], sample: str, size: tuple[int, int]) -> None:
    assert snap_compare(wall(watched(sample, "east"), watched("degraded", "west")), terminal_size=size)


def test_the_list_looks(snap_compare: Callable[..., Any]) -> None:
    pools = [watched("healthy", "east"), watched("degraded", "west"), watched("split", "lab")]
    assert snap_compare(Picker(pools, load_theme("dark"), now=Clock()), press=["j"], terminal_size=(80, 24))


# Nothing that acts, and no operator's secret, in a process of its own on a real terminal

AUDITED = """
import json, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
from tuiha.cli.main import main
code = main(sys.argv[2:])
acting = sorted(n for n in sys.modules if n.startswith((
    "tuiha.operate", "tuiha.lab", "tuiha.server", "tuiha.cli.operations", "tuiha.tui.operations.",
    "tuiha.tui.kit.screen", "tuiha.tui.command", "tuiha.tui.app"))
    and not n.startswith("tuiha.tui.operations.lines")
    or n.startswith("tuiha.tui.views.") and not n.startswith("tuiha.tui.views.wall")
    and n.endswith((".screen", ".screens", ".pages", ".devices", ".server_users", ".registry")))
with open(sys.argv[1], "w") as file:
    json.dump({"code": code, "acting": acting, "opened": opened}, file)
"""


SECRETS = {"viewer", "watcher", "operator", "coordinator", "pool"}


def configuration(folder: Path) -> Path:
    """A pool that is not there, with a secret of every kind in a file of its own."""
    def secret(name: str) -> dict[str, str]:
        (folder / name).write_text(f"secret of {name}\n")
        (folder / name).chmod(0o600)
        return {"file": name}

    roles = {name: {"user": f"tuiha_{name}", "password": secret(name)} for name in ("pool", "watcher", "coordinator")}
    settings: dict[str, Any] = {
        "pool": "nowhere", "database": {"nodes": [{"name": name, "address": f"127.0.0.1:{free_port()}"}
                                                  for name in ("db1", "db2")], "roles": roles},
        "servers": [{"name": "s1", "address": f"http://127.0.0.1:{free_port()}"}],
        "control": {"viewer": secret("viewer"), "operator": secret("operator")},
        "ledger": {"path": "ledger.json"}, "recording": {"path": "recording.sqlite"},
    }
    file = folder / "tuiha.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.mark.parametrize("command", ["wall", "dashboard"])
def test_the_wall_loads_nothing_that_acts_and_reads_no_secret_of_an_operator(tmp_path: Path, command: str) -> None:
    """The dashboard is the negative control: the same look at it finds what acts."""
    report = tmp_path / "report.json"
    with Terminal(["-c", AUDITED, str(report), command, "--config", str(configuration(tmp_path))]) as terminal:
        terminal.shows("nowhere")
        terminal.shows("refused" if command == "wall" else "s1")
        terminal.read(1.5)  # the dashboard attaches to operations a moment after its first frame
        terminal.send("q")
        assert terminal.wait() == 0
    found = json.loads(report.read_text())
    files = {Path(name).name for name in found["opened"] if Path(name).parent == tmp_path}
    assert found["code"] == 0
    assert not files & SECRETS  # they are read in the process that watches
    assert bool(found["acting"]) is (command == "dashboard")
    recording = tmp_path / "recording.sqlite"
    assert recording.exists() is (command == "dashboard")
    if recording.exists():  # by default the dashboard records
        assert Recording(recording).last >= 1
        assert recording.stat().st_mode & 0o777 == 0o600


WATCHING = """
import json, os, sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
from tuiha.cli.screens.watcher import main
code = main(Path(sys.argv[2]), recorded=False)
acting = sorted(n for n in sys.modules if n.startswith(("tuiha.operate", "tuiha.lab", "tuiha.server", "tuiha.tui")))
with open(sys.argv[1], "w") as file:
    json.dump({"code": code, "acting": acting, "opened": opened}, file)
"""


def test_the_process_that_watches_for_it_reads_what_looking_needs_and_no_more(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = [sys.executable, "-c", WATCHING, str(report), str(configuration(tmp_path))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while not isinstance(receive(process.stdout.fileno()), News):
            pass
        process.stdin.close()
        process.wait(30.0)
    found = json.loads(report.read_text())
    files = {Path(name).name for name in found["opened"] if Path(name).parent == tmp_path}
    assert files & SECRETS == {"viewer", "watcher"}
    assert (found["code"], found["acting"]) == (0, [])
    assert not (tmp_path / "recording.sqlite").exists()


def test_two_configurations_begin_with_the_list(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    words = []
    for folder in folders:
        folder.mkdir()
        file = configuration(folder)
        file.write_text(file.read_text().replace("nowhere", f"pool-{folder.name}"))
        words += ["--config", str(file)]
    with Terminal(["-m", "tuiha", *words], 100, 24) as terminal:
        terminal.shows("pool-one")
        terminal.shows("pool-two")
        terminal.shows("DOWN")
        terminal.send("j\r")
        terminal.until(lambda seen: "pool-two" in seen.lines[0])
        terminal.send("q")
        terminal.until(lambda seen: "2 pools" in seen.lines[0])
        terminal.send("q")
        assert terminal.wait() == 0
    assert healthy().pool not in terminal.lines[0]

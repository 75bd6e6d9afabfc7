"""Keys of one's own, and that those that come with tuiha keep the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.pty_terminal import Terminal
from tests.tui.samples import AT, SampleFeed, healthy
from tests.tui.test_app import lines, text
from tuiha.config.errors import ConfigError
from tuiha.config.places import data_file
from tuiha.tui.app import Dashboard
from tuiha.tui.keymap import FIXED, all_screens, clashes, keymap, textual_name, unsafe
from tuiha.tui.keys import Key
from tuiha.tui.looks import Looks
from tuiha.tui.theme import load_theme


def place(id: str) -> tuple[Path | None, int | None]:
    return Path("pool.yaml"), 7


def said(wanted: dict[str, list[str]]) -> str:
    with pytest.raises(ConfigError) as caught:
        keymap(wanted, place)
    return str(caught.value)


def test_the_keys_that_come_with_tuiha_keep_the_rules() -> None:
    for screen in all_screens():
        for key in screen.KEYS:
            for name in key.keys.split(","):
                assert unsafe(key, name) is None, (screen.__name__, key.id, name)
    assert not list(clashes({screen.__name__: screen.KEYS for screen in all_screens()}, {}))


def test_the_rules_can_be_broken() -> None:
    """The control: the checks above do find something."""
    assert unsafe(Key("a", "x", "a", "a", danger=True), "A")
    one, two = Key("a", "x", "a", "a"), Key("b", "x", "b", "b")
    assert list(clashes({"screen": (one, two)}, {}))


def test_every_id_means_one_thing_and_is_described() -> None:
    meant: dict[str, str] = {}
    for screen in all_screens():
        ids = [key.id for key in screen.KEYS]
        assert len(ids) == len(set(ids)), screen.__name__
        for key in screen.KEYS:
            assert key.description
            assert meant.setdefault(key.id, key.action) == key.action, key.id


@pytest.mark.parametrize(("wanted", "parts"), [
    ({"home.sotr": ["z"]}, ["pool.yaml:7: keys.home.sotr", "no screen has this", "did you mean 'home.sort'"]),
    ({"home.sort": ["pgdwn"]}, ["'pgdwn' is no key", "did you mean 'pgdn'"]),
    ({"home.sort": []}, ["has no key"]),
    ({"home.sort": ["ctrl+b"]}, ["tmux takes it"]),
    ({"home.sort": ["ctrl+i"]}, ["it is tab"]),
    ({"home.sort": ["esc"]}, ["esc only ever goes back"]),
    ({"home.drain": ["D"]}, ["no changing action is on a capital"]),
    ({"home.drain": ["4"]}, ["no changing action is on a capital or a digit"]),
    ({"home.drain": ["["]}, ["no changing action is on ["]),
    ({"home.drain": ["F5"]}, ["function key"]),
    ({"home.drain": ["enter"]}, ["pressed without thinking"]),
    ({"home.drain": ["y"]}, ["pressed without thinking"]),
    ({"home.sort": ["j"]}, ["'j' is move.down already on the screen 'Home'", "write another key"]),
    ({"confirm.start": ["z"]}, ["always ctrl+x"]),
])
def test_what_cannot_be_used_is_said_with_its_reason(wanted: dict[str, list[str]], parts: list[str]) -> None:
    message = said(wanted)
    for part in parts:
        assert part in message


def test_everything_wrong_is_said_at_once() -> None:
    assert len(said({"home.sotr": ["z"], "home.drain": ["D"], "home.enable": ["ctrl+a"]}).splitlines()) == 3


def test_two_keys_may_change_places() -> None:
    wanted = {"home.sort": ["p"], "table.sort": ["p"], "app.pause": ["o"]}
    assert keymap(wanted, place) == {"home.sort": "p", "table.sort": "p", "app.pause": "o"}
    assert "already" in said({"home.sort": ["p"]})


@pytest.mark.parametrize(("written", "name"), [
    ("z", "z"), ("?", "question_mark"), ("pgdn", "pagedown"), ("esc", "escape"), ("Space", "space"), ("F5", "f5"),
    ("ctrl+X", "ctrl+x"), ("ctrl+[", "ctrl+left_square_bracket"), ("shift+tab", "shift+tab"), ("", None), ("zz", None),
    (" ", None),
])
def test_keys_as_people_write_them(written: str, name: str | None) -> None:
    assert textual_name(written) == name


async def test_remapped_keys_work_and_are_shown() -> None:
    looks = Looks(keys=keymap({"home.sort": ["z"], "app.help": ["f1"], "view.home": ["h"]}, place))
    app = Dashboard(SampleFeed(healthy()), "corp-east", load_theme("dark"), now=lambda: AT + 0.2, looks=looks)
    async with app.run_test(size=(200, 60)) as pilot:
        assert "z sort" in lines(pilot)[-1]
        await pilot.press("o")
        assert "STATE▾" in text(pilot)
        await pilot.press("z")
        assert "NODE▾" in text(pilot)
        await pilot.press("f1")
        assert "   f1  " in text(pilot)


def test_the_dashboard_refuses_them_before_anything_is_painted(tmp_path: Path) -> None:
    example = data_file("config/pool.example.yaml").read_text(encoding="utf-8")
    path = tmp_path / "pool.yaml"
    path.write_text(example + "  home.sotr: z\n  home.drain: D, x\n", encoding="utf-8")
    line = len(example.splitlines()) + 1
    with Terminal(["-m", "tuiha", "--config", str(path), "dashboard"]) as terminal:
        assert terminal.wait() == 2
        terminal.read(0.2)
        said = " ".join(terminal.raw.decode().split())
        assert f"pool.yaml:{line}: keys.home.sotr: no screen has this; did you mean 'home.sort'?" in said
        assert f"pool.yaml:{line + 1}: keys.home.drain: 'D' cannot be used" in said
        assert b"\x1b[?1049h" not in terminal.raw


def test_what_is_fixed_exists() -> None:
    known = {key.id for screen in all_screens() for key in screen.KEYS}
    assert set(FIXED) <= known

"""Themes: contrast, and what is said of a theme that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tuiha.config.places import data_file
from tuiha.tui.draw.marks import STATE_STYLES
from tuiha.tui.theme import COLOURS, GROUNDS, TEXTS, Palette, ThemeError, contrast, load_theme, read_theme

SHIPPED = ("dark", "light")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(data_file("themes/dark.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def changed(path: Path, **colours: object) -> Path:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, value in colours.items():
        if value is None:
            del content["colors"][name]
        else:
            content["colors"][name] = value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_can_be_read_on_every_ground(name: str, ground: str, text: str) -> None:
    palette = load_theme(name)
    assert contrast(palette.colours[text], palette.colours[ground]) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_style_that_is_drawn_exists(name: str) -> None:
    palette = load_theme(name)
    for style in STATE_STYLES.values():
        assert palette.style(style).color is not None
    assert palette.style("bad bold").bold
    assert palette.style("bad@alarm").bgcolor == palette.style("bad", "alarm").bgcolor
    assert palette.style("bad@alarm").bgcolor != palette.style("bad").bgcolor


def test_dark_is_what_nobody_asked_for() -> None:
    assert load_theme(None) == load_theme("dark")
    assert not load_theme("light").dark


def test_a_file_is_a_theme_too(own: Path) -> None:
    palette = load_theme(str(changed(own, flow="#00FF00")))
    assert isinstance(palette, Palette)
    assert palette.colours["flow"] == "#00ff00"


def test_a_theme_of_ones_own_goes_before_the_shipped(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "tuiha" / "themes"
    folder.mkdir(parents=True)
    (folder / "dark.yaml").write_text(changed(own, flow="#123456").read_text(encoding="utf-8"), encoding="utf-8")
    assert load_theme("dark").colours["flow"] == "#123456"


@pytest.mark.parametrize(("colours", "field", "parts"), [
    ({"flow": "blue"}, "colors.flow", ["'blue' is not a colour", "six hexadecimal digits"]),
    ({"flow": 12}, "colors.flow", ["12 is not a colour"]),
    ({"flow": None}, "colors.flow", ["missing", 'flow: "#4cc2ff"']),
    ({"flwo": "#000000"}, "colors.flwo", ["unknown key", "did you mean colors.flow?"]),
])
def test_a_wrong_colour_is_named_with_its_file(
    own: Path, colours: dict[str, object], field: str, parts: list[str]
) -> None:
    with pytest.raises(ThemeError) as caught:
        read_theme(changed(own, **colours))
    message = str(caught.value)
    assert str(own) in message
    for part in (field, *parts):
        assert part in message


@pytest.mark.parametrize(("text", "part"), [
    ("- a\n- b\n", "not a theme"),
    ("name: x\n", "colors: missing"),
    ("colours: {}\n", "did you mean colors?"),
    ("name: [unclosed\n", "not YAML"),
    ("dark: perhaps\ncolors: {}\n", "neither true nor false"),
])
def test_what_is_no_theme_is_said(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ThemeError, match=part.replace("?", r"\?")):
        read_theme(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ThemeError, match="not YAML"):
        read_theme(path)


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(ThemeError, match="did you mean 'light'"):
        load_theme("lihgt")
    with pytest.raises(ThemeError, match="cannot be read"):
        load_theme("/nowhere/theme.yaml")


def test_every_colour_is_text_ground_or_line() -> None:
    assert set(COLOURS) == {*TEXTS, *GROUNDS, "lines"}

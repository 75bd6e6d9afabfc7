"""Themes: contrast, and what is said of a theme that cannot be used."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import pytest
import yaml
from rich.cells import cell_len

from tuiha.config.places import data_file
from tuiha.tui.draw.ascii import in_ascii, on_console
from tuiha.tui.draw.marks import STATE_STYLES, gauge
from tuiha.tui.draw.spans import Line
from tuiha.tui.kit.paper import strip_of
from tuiha.tui.looks import Looks, ThemeFile, only_ascii
from tuiha.tui.theme import (
    COLOURS,
    GROUNDS,
    TEXTS,
    Palette,
    ThemeError,
    contrast,
    for_terminal,
    load_theme,
    read_theme,
    theme_names,
)

SHIPPED = ("dark", "light", "color-blind", "high-contrast")
WORDS = ("ansi", "plain")  # of the terminal's own colours
# What a terminal shows for its names: the usual values on a dark and on a light ground (xterm's, Windows Terminal's).
USUAL = {"default": "#e5e5e5", "cyan": "#00cdcd", "green": "#00cd00", "yellow": "#cdcd00", "red": "#ff5f5f",
         "magenta": "#e05fe0"}
# Seen without one kind of cone (Machado, Oliveira and Fernandes 2009), on linear red, green and blue.
CONES = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no long": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no middle": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no short": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


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


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("ground", ["cursor", "alarm"])
def test_grounds_can_be_told_from_the_background(name: str, ground: str) -> None:
    palette = load_theme(name)
    assert contrast(palette.colours[ground], palette.colours["ground"]) >= 1.6


def test_the_control_grounds_of_before_could_hardly_be_told_from_the_background() -> None:
    assert contrast("#16202b", "#0b0f14") < 1.2


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("ground", ["cursor", "alarm"])
def test_grounds_in_the_terminals_own_colours_are_those_colours_reversed(name: str, ground: str) -> None:
    """The colours that a terminal has are not known; its text can be read on its background, so also the other way."""
    assert load_theme(name).style("text", ground).reverse


@pytest.mark.parametrize("name", [*SHIPPED, *WORDS])
def test_a_state_can_be_the_ground_of_a_whole_line(name: str) -> None:
    """All texts of such a line have one colour: that of the background, on the state's own."""
    palette = load_theme(name)
    for state in ("well", "warning", "bad"):
        styles = {palette.style(text, state) for text in TEXTS}
        assert len(styles) == 1
        (style,) = styles
        assert style.reverse
        assert (style.color, style.bgcolor) == (palette.style(state).color, palette.style("text").bgcolor)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_high_contrast_is_high(ground: str, text: str) -> None:
    palette = load_theme("high-contrast")
    assert contrast(palette.colours[text], palette.colours[ground]) >= 7.0


@pytest.mark.parametrize("text", TEXTS)
def test_quiet_text_in_the_terminals_own_colours_is_no_dimmer_than_its_text(text: str) -> None:
    colour, *attributes = load_theme("ansi").colours[text].split()
    assert "dim" not in attributes
    assert contrast(USUAL[colour], "#000000") >= 4.5


def lab(colour: str, cones: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    r, g, b = (min(1.0, max(0.0, sum(w * v for w, v in zip(row, linear, strict=True)))) for row in cones)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def apart(name: str) -> float:
    """How far the three states are apart at least, whoever looks (CIE 1976)."""
    colours = load_theme(name).colours
    return min(
        math.dist(lab(colours[one], cones), lab(colours[other], cones))
        for cones in CONES.values() for one, other in itertools.combinations(("well", "warning", "bad"), 2)
    )


def test_states_stay_apart_for_the_colour_blind() -> None:
    assert apart("color-blind") >= 25.0
    assert apart("dark") < 15.0  # the control: red and green, which only their words tell apart


@pytest.mark.parametrize(("environment", "name"), [
    ({"TERM": "xterm-256color"}, "dark"),
    ({"TERM": "xterm", "COLORTERM": "truecolor"}, "dark"),
    ({"TERM": "xterm-256color", "SSH_CONNECTION": "10.0.0.1 2 10.0.0.2 22"}, "ansi"),
    ({"TERM": "xterm-16color"}, "ansi"),
    ({"TERM": "linux"}, "ansi"),
    ({"TERM": "vt100"}, "plain"),
    ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "plain"),
    ({"TERM": "xterm-256color", "NO_COLOR": ""}, "dark"),
])
def test_the_theme_fits_the_terminal(environment: dict[str, str], name: str) -> None:
    assert for_terminal(environment) == name


def test_plain_has_attributes_and_no_colour() -> None:
    palette = load_theme("plain")
    for name in (*TEXTS, "lines"):
        for ground in GROUNDS:
            style = palette.style(name, ground)
            assert style.color is not None
            assert style.color.is_default
            assert style.bgcolor is not None
            assert style.bgcolor.is_default
    assert palette.style("text", "alarm").reverse
    assert palette.style("bad").bold


def test_a_saved_theme_file_is_used_and_a_broken_one_is_said(own: Path) -> None:
    watched = ThemeFile(load_theme(str(own)))
    assert watched.changed() is None
    changed(own, flow="#123456")
    os.utime(own, ns=(1, 1))
    found = watched.changed()
    assert isinstance(found, Palette)
    assert found.colours["flow"] == "#123456"
    assert watched.changed() is None
    changed(own, flow="blau")
    assert isinstance(watched.changed(), ThemeError)
    own.unlink()
    assert watched.changed() is None


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", [*SHIPPED, *WORDS])
def test_every_style_that_is_drawn_exists(name: str) -> None:
    palette = load_theme(name)
    for style in STATE_STYLES.values():
        assert palette.style(style).color is not None
    assert palette.style("bad bold").bold
    assert palette.style("bad@alarm").bgcolor == palette.style("bad", "alarm").bgcolor
    assert palette.style("bad@alarm") != palette.style("bad")


def test_dark_is_what_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
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
    (folder / "mine.yaml").write_text((folder / "dark.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert set(theme_names()) == {*SHIPPED, *WORDS, "mine"}


@pytest.mark.parametrize(("colours", "field", "parts"), [
    ({"flow": "blau"}, "colors.flow", ["'blau' is not a colour", "six hexadecimal digits"]),
    ({"flow": 12}, "colors.flow", ["12 is not a colour"]),
    ({"flow": None}, "colors.flow", ["missing", 'flow: "#4cc2ff"']),
    ({"flow": "cyan blink"}, "colors.flow", ["'cyan blink' is not a colour"]),
    ({"ground": "reverse"}, "colors.ground", ["'reverse' is not a colour"]),
    ({"cursor": "red bold"}, "colors.cursor", ["'red bold' is not a colour"]),
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


@pytest.mark.parametrize("name", WORDS)
def test_an_alarm_within_a_line_is_one_ground_and_no_patches(name: str) -> None:
    palette = load_theme(name)
    grounds = {(style.color, style.reverse) for style in (palette.style(f"{text}@alarm") for text in TEXTS)}
    assert len(grounds) == 1


def test_words_are_underlined_and_what_fills_their_column_is_not() -> None:
    strip = strip_of(Line((("DOWN   ", "bad"), ("4m", "quiet"))), 12, load_theme("plain"))
    lined = {segment.text for segment in strip if segment.style is not None and segment.style.underline}
    assert lined == {"DOWN"}


@pytest.mark.parametrize(("environment", "is_ascii"), [
    ({"LC_ALL": "C"}, True), ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, True), ({"LANG": "C"}, True),
    ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # as Python makes it of LANG=C
    ({"LC_ALL": "C.UTF-8"}, False), ({"LANG": "C.UTF-8"}, False), ({"LANG": "en_GB.utf8"}, False), ({}, False),
    ({"LC_CTYPE": "de_DE.ISO-8859-1"}, True),
])
def test_who_asks_for_a_locale_without_more_gets_ascii(environment: dict[str, str], is_ascii: bool) -> None:
    assert only_ascii({"TERM": "xterm-256color", **environment}) is is_ascii


def test_the_console_of_linux_gets_glyphs_that_its_font_has() -> None:
    font = {chr(code) for code in range(32, 127)} | set(bytes(range(128, 255)).decode("cp437"))
    for code in (*range(0xA0, 0x180), *range(0x2010, 0x2600), *range(0x2700, 0x27C0), *range(0x2800, 0x2900)):
        drawn = on_console(chr(code))
        assert set(drawn) <= font, chr(code)
        assert cell_len(drawn) == cell_len(chr(code)), chr(code)
    assert on_console("─●▮▯") == "─■█░"


def test_the_empty_part_of_a_gauge_differs_without_colours() -> None:
    drawn = "".join(text for text, _ in gauge(1, 4, 4, "flow"))
    assert len(set(drawn)) == 2
    assert len(set(in_ascii(drawn))) == 2
    assert len(set(on_console(drawn))) == 2


def test_it_is_the_console_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for kind, console in (("linux", True), ("linux-16color", True), ("xterm-256color", False)):
        monkeypatch.setenv("TERM", kind)
        assert Looks().palette().console is console

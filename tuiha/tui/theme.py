"""Themes: YAML files with a handful of named colours."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.color import Color
from rich.style import Style

from tuiha.config.errors import ConfigError, ConfigProblem
from tuiha.config.places import config_folder, data_file
from tuiha.tui.draw.spans import clean

GROUNDS = ("ground", "cursor", "alarm")
TEXTS = ("text", "strong", "quiet", "heading", "flow", "well", "warning", "bad", "armed")
COLOURS = (*GROUNDS, *TEXTS, "lines")
DEFAULT = "dark"
ANSI = "ansi"
PLAIN = "plain"
ATTRIBUTES = ("bold", "dim", "underline")
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
NAMES = frozenset(("default", *_NAMES, *(f"bright_{name}" for name in _NAMES)))
_REVERSE = "reverse"
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_WITHOUT_COLOURS = ("vt", "dumb", "xterm-mono", "screen-m")
_KEYS = ("name", "dark", "colors")


class ThemeError(ConfigError):
    """A theme that cannot be used; the message says which file and field, what is wrong and what to write."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme, and the styles made of them."""

    name: str
    dark: bool
    colours: dict[str, str]
    path: Path | None = None  # the file it was read from
    ascii: bool = False  # nothing but ASCII is drawn
    console: bool = False  # nothing but what the font of Linux's own console has
    _made: dict[tuple[str, str], Style] = field(default_factory=dict, compare=False, repr=False)

    def style(self, name: str, ground: str = "ground") -> Style:
        """The style of a span: a colour of the theme, then `bold` or not, then `@` and a ground of its own or not.

        A ground is one of `GROUNDS`, or a text's colour turned round: on `bad` every text has the colour of the ground.
        """
        made = self._made.get((name, ground))
        if made is None:
            look, _, own = name.partition("@")
            colour, _, bold = look.partition(" ")
            ground_of_it = own or ground
            if ground_of_it in GROUNDS:
                text = self._turned(self.colours[colour], ground_of_it)
                made = self._make(text, self.colours[ground_of_it], bool(bold))
            else:
                made = self._reversed(self.colours[ground_of_it], bool(bold))
            self._made[name, ground] = made
        return made

    def _reversed(self, text: str, bold: bool) -> Style:
        """The colour of a text as a ground. Where it has no colour, only the attributes make it stand out."""
        return Style(color=Color.parse(text.split()[0]), bgcolor=Color.parse(self.colours["ground"]), reverse=True,
                     bold=bold or None)

    def _turned(self, text: str, ground: str) -> str:
        """A text where the ground is the text's colour turned round: one for the whole line, or it would be patches."""
        if self.colours[ground] != _REVERSE:
            return text
        whole = self.colours["bad" if ground == "alarm" else "text"].split()[0]
        return " ".join((whole, *text.split()[1:]))

    @property
    def native(self) -> bool:
        """Whether the ground is the terminal's own."""
        return not self.colours["ground"].startswith("#")

    @staticmethod
    def _make(text: str, ground: str, bold: bool) -> Style:
        colour, *attributes = text.split()
        turned = ground == _REVERSE
        return Style(
            color=Color.parse(colour), bgcolor=Color.parse("default" if turned else ground), reverse=turned or None,
            bold="bold" in attributes or bold or None,
            dim=("dim" in attributes and not turned) or None, underline="underline" in attributes or None,
        )


def load_theme(name: str | None) -> Palette:
    """The theme of that name or file.

    A name is looked up in the user's configuration folder first, then among the themes that come
    with tuiha. Without a name it is the one for this terminal. Raises ThemeError.
    """
    return read_theme(_path(name or for_terminal(os.environ)))


def for_terminal(environment: Mapping[str, str]) -> str:
    """The name of the theme that fits a terminal: no colours where none are wanted, few over a slow line."""
    terminal = environment.get("TERM", "")
    if environment.get("NO_COLOR") or terminal.startswith(_WITHOUT_COLOURS):
        return PLAIN
    remote = environment.get("SSH_CONNECTION") or environment.get("SSH_TTY")
    many = environment.get("COLORTERM") in ("truecolor", "24bit") or "256" in terminal or "direct" in terminal
    return ANSI if remote or not many else DEFAULT


def theme_names() -> tuple[str, ...]:
    """The themes that there are: the user's own and those that come with tuiha."""
    own = config_folder() / "themes"
    return tuple(sorted({path.stem for path in own.glob("*.yaml")} | set(_shipped())))


def _path(name: str) -> Path:
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name).expanduser()
    own = config_folder() / "themes" / f"{name}.yaml"
    if own.is_file():
        return own
    shipped = _shipped()
    if name in shipped:
        return shipped[name]
    near = difflib.get_close_matches(name, list(shipped), 1)
    hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(sorted(shipped))}"
    raise ThemeError(ConfigProblem(f"there is no theme '{clean(name)}' in {own.parent} nor among tuiha's own", hint))


def _shipped() -> dict[str, Path]:
    folder = data_file(f"themes/{DEFAULT}.yaml").parent
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_theme(path: Path) -> Palette:
    """Read and check one theme file. Raises ThemeError with file, field and what to write."""
    import yaml

    try:
        content: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ThemeError(ConfigProblem(f"cannot be read: {error.strerror}", file=path)) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ThemeError(ConfigProblem(f"this is not YAML: {clean(str(error))}", file=path)) from error
    if not isinstance(content, dict):
        raise ThemeError(ConfigProblem("this is not a theme", f"write the keys {', '.join(_KEYS)}", file=path))
    _known(path, "", content, _KEYS)
    colours = content.get("colors")
    if not isinstance(colours, dict):
        raise ThemeError(ConfigProblem("missing", f"write a colour for each of {', '.join(COLOURS)}", "colors", path))
    dark = content.get("dark", True)
    if not isinstance(dark, bool):
        raise ThemeError(ConfigProblem(f"{dark!r} is neither true nor false", "write one of them", "dark", path))
    return Palette(str(content.get("name", path.stem)), dark, _colours(path, colours), path)


def _colours(path: Path, colours: dict[object, object]) -> dict[str, str]:
    _known(path, "colors.", colours, COLOURS)
    checked: dict[str, str] = {}
    for name in COLOURS:
        value = colours.get(name)
        look = value.lower().strip() if isinstance(value, str) else ""
        if not _drawable(name, look):
            wrong = "missing" if value is None else f"{value!r} is not a colour"
            remedy = f'write six hexadecimal digits in quotes, for example {name}: "#4cc2ff", or a name such as cyan'
            raise ThemeError(ConfigProblem(wrong, remedy, f"colors.{name}", path))
        checked[name] = look
    return checked


def _drawable(name: str, look: str) -> bool:
    """Whether that is a colour; texts may have attributes, grounds may be the text's colours turned round."""
    colour, *attributes = look.split() or [""]
    if name in GROUNDS:
        turned = colour == _REVERSE and name != "ground"
        return not attributes and (bool(_HEX.fullmatch(colour)) or colour in NAMES or turned)
    return bool(_HEX.fullmatch(colour) or colour in NAMES) and set(attributes) <= set(ATTRIBUTES)


def _known(path: Path, prefix: str, content: dict[object, object], known: tuple[str, ...]) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(known)}"
            raise ThemeError(ConfigProblem("unknown key", hint, f"{prefix}{clean(str(key))}", path))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (`#rrggbb`) as WCAG 2 defines it, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

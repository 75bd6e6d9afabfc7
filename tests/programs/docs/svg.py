"""A screen as a small SVG: a rectangle for each ground, a text for each run of one look, shapes for what is no letter.

Braille dots, blocks and lines are drawn, as fonts have them in other widths or not at all; every other sign that is no
ASCII has its own place, so that none shifts those after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME

WIDE, HIGH = 10, 20  # of a cell
EDGE = 10  # around the screen
GAP = 2  # cells
Run = tuple[int, str, Style]  # cell in its line, text, look
FONT = "'Fira Code','DejaVu Sans Mono',Menlo,Consolas,monospace"

Box = tuple[float, float, float, float]  # left, top, width, height in a cell
_EIGHTH = 1 / 8
_BLOCKS: dict[str, tuple[Box, ...]] = {
    **{chr(0x2580 + n): ((0, 1 - n * _EIGHTH, 1, n * _EIGHTH),) for n in range(1, 9)},
    **{chr(0x2588 + n): ((0, 0, 1 - n * _EIGHTH, 1),) for n in range(1, 8)},
    "▀": ((0, 0, 1, 0.5),), "▐": ((0.5, 0, 0.5, 1),), "▔": ((0, 0, 1, _EIGHTH),), "▕": ((1 - _EIGHTH, 0, _EIGHTH, 1),),
    "▮": ((0.15, 0.2, 0.7, 0.62),), "▬": ((0.1, 0.4, 0.8, 0.24),),
    "▯": ((0.15, 0.2, 0.7, 0.06), (0.15, 0.76, 0.7, 0.06), (0.15, 0.2, 0.12, 0.62), (0.73, 0.2, 0.12, 0.62)),
}
_QUARTERS = {1: (0.0, 0.0), 2: (0.5, 0.0), 4: (0.0, 0.5), 8: (0.5, 0.5)}  # upper left, upper right, lower ones
_BLOCKS.update({
    sign: tuple((*_QUARTERS[quarter], 0.5, 0.5) for quarter in _QUARTERS if which & quarter)
    for sign, which in zip("▖▗▘▙▚▛▜▝▞▟", (4, 8, 1, 13, 9, 7, 11, 2, 6, 14), strict=True)})
_SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
# Lines: which arms a sign has, left, right, up, down; 1 is light, 2 is heavy.
_LINES: dict[str, tuple[int, int, int, int]] = {
    "─": (1, 1, 0, 0), "━": (2, 2, 0, 0), "│": (0, 0, 1, 1), "┃": (0, 0, 2, 2), "┌": (0, 1, 0, 1), "┐": (1, 0, 0, 1),
    "└": (0, 1, 1, 0), "┘": (1, 0, 1, 0), "├": (0, 1, 1, 1), "┤": (1, 0, 1, 1), "┬": (1, 1, 0, 1), "┴": (1, 1, 1, 0),
    "┼": (1, 1, 1, 1), "╭": (0, 1, 0, 1), "╮": (1, 0, 0, 1), "╰": (0, 1, 1, 0), "╯": (1, 0, 1, 0), "┏": (0, 2, 0, 2),
    "┓": (2, 0, 0, 2), "┗": (0, 2, 2, 0), "┛": (2, 0, 2, 0), "┣": (0, 2, 2, 2), "┫": (2, 0, 2, 2), "┳": (2, 2, 0, 2),
    "┻": (2, 2, 2, 0), "╋": (2, 2, 2, 2), "╴": (1, 0, 0, 0), "╶": (0, 1, 0, 0), "╵": (0, 0, 1, 0), "╷": (0, 0, 0, 1),
    "╸": (2, 0, 0, 0), "╺": (0, 2, 0, 0), "╹": (0, 0, 2, 0), "╻": (0, 0, 0, 2),
}
_BRAILLE = range(0x2800, 0x2900)
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # column and row of each bit
_DASHED = {"╌": "─", "╍": "━", "┄": "─", "┈": "─"}
_DOUBLE = {"═"}
_SLANTED: dict[str, str] = {"╱": "m0 14l10 -14", "╲": "l10 14", "╳": "l10 14m0 -14l-10 14"}  # in a part of the cell


class Sheet:
    """The looks of texts in one picture, each with the name of its class."""

    def __init__(self) -> None:
        """None yet."""
        self._looks: dict[str, str] = {}

    def name(self, look: str) -> str:
        """The class of a look."""
        return self._looks.setdefault(look, f"c{len(self._looks)}")

    def rules(self) -> str:
        """All of them, as a style sheet has them."""
        return "".join(f".{name}{{{look}}}" for look, name in self._looks.items())


def svg(lines: Sequence[Iterable[Segment]], width: int) -> str:
    """The lines of a screen of so many columns."""
    sheet = Sheet()
    ground, drawn = screen(lines, sheet)
    return page(width * WIDE + 2 * EDGE, len(lines) * HIGH + 2 * EDGE, sheet.rules(), [
        f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>',
        f'<g transform="translate({EDGE},{EDGE})">', *drawn, "</g>"])


def page(width: int, height: int, rules: str, parts: Iterable[str]) -> str:
    """A whole file."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'xml:space="preserve" font-size="16.6" style="font-variant-ligatures:none" font-family="{FONT}">\n'
        f"<style>text{{white-space:pre}}rect{{shape-rendering:crispEdges}}{rules}</style>\n"
        + "\n".join(parts) + "\n</svg>\n"
    )


def screen(lines: Sequence[Iterable[Segment]], sheet: Sheet) -> tuple[str, list[str]]:
    """The ground of a screen, and what is drawn on it."""
    runs = [(row, *run) for row, line in enumerate(lines) for run in _runs(line)]
    grounds: Counter[str] = Counter()
    for _, _, text, style in runs:
        grounds[_colours(style)[1]] += len(text)
    ground = grounds.most_common(1)[0][0]
    drawn: list[str] = []
    for row, x, text, style in runs:
        drawn += _grounds(x, row, text, style, ground)
        for at, part, kind in _parts(text):
            drawn += _DRAWN[kind](x + at, row, part, style, sheet)
    return ground, drawn


def _runs(line: Iterable[Segment]) -> Iterator[Run]:
    """Segments with their places; neighbours that look alike become one, also with a small gap between them."""
    at, start, text, look = 0, 0, "", Style()
    for segment in line:
        style, size = segment.style or Style(), cell_len(segment.text)
        gap = size <= GAP and not segment.text.strip() and _grounded(style) == _grounded(look)
        if text and (style == look or gap):
            text += segment.text
        else:
            if text:
                yield start, text, look
            start, text, look = at, segment.text, style
        at += size
    if text:
        yield start, text, look


def _kind(sign: str) -> str:
    if ord(sign) in _BRAILLE:
        return "dots"
    if sign in _BLOCKS or sign in _SHADES:
        return "blocks"
    if sign in _LINES or sign in _DASHED or sign in _DOUBLE or sign in _SLANTED:
        return "lines"
    return "words" if sign.isascii() else "sign"


def _parts(text: str) -> Iterator[tuple[int, str, str]]:
    """What of a run is drawn in one way: its cell in the run, the signs, the way."""
    at = 0
    for kind, signs in groupby(text, key=_kind):
        for part in ("".join(signs),) if kind != "sign" else tuple(signs):
            yield at, part, kind
            at += cell_len(part)


def _grounded(style: Style) -> tuple[str, bool]:
    """What of a look can be seen where there is no text."""
    return _colours(style)[1], bool(style.underline)


def _colours(style: Style) -> tuple[str, str]:
    """Text and ground."""
    text, ground = (colour.get_truecolor(SVG_EXPORT_THEME, foreground).hex if colour else default.hex
                    for colour, foreground, default in (
                        (style.color, True, SVG_EXPORT_THEME.foreground_color),
                        (style.bgcolor, False, SVG_EXPORT_THEME.background_color)))
    return (ground, text) if style.reverse else (text, ground)


def _grounds(x: int, row: int, text: str, style: Style, ground: str) -> list[str]:
    own = _colours(style)[1]
    if own == ground:
        return []
    return [f'<rect x="{x * WIDE}" y="{row * HIGH}" width="{cell_len(text) * WIDE}" height="{HIGH}" fill="{own}"/>']


def _words(x: int, row: int, text: str, style: Style, sheet: Sheet) -> list[str]:
    words = text.rstrip()
    start = len(words) - len(words.lstrip())
    words = words.lstrip()
    if not words:
        return []
    look = f"fill:{_colours(style)[0]}"
    look += ";font-weight:bold" * bool(style.bold) + ";text-decoration:underline" * bool(style.underline)
    look += ";opacity:.6" * bool(style.dim)
    place, length = (x + start) * WIDE, cell_len(words) * WIDE
    where = f'x="{place}" y="{row * HIGH + 15}" textLength="{length}"'
    return [f'<text class="{sheet.name(look)}" {where}>{escape(words, False)}</text>']


def _sign(x: int, row: int, text: str, style: Style, sheet: Sheet) -> list[str]:
    """One sign, in the middle of its cell whatever its font makes of it."""
    look = f"fill:{_colours(style)[0]};text-anchor:middle" + ";font-weight:bold" * bool(style.bold)
    look += ";opacity:.6" * bool(style.dim)
    middle = (x + cell_len(text) / 2) * WIDE
    return [f'<text class="{sheet.name(look)}" x="{middle:g}" y="{row * HIGH + 15}">{escape(text, False)}</text>']


def _stroke(style: Style, width: float) -> str:
    return f"stroke:{_colours(style)[0]};stroke-width:{width:g};fill:none" + ";opacity:.6" * bool(style.dim)


def _dots(x: int, row: int, text: str, style: Style, sheet: Sheet) -> list[str]:
    """Braille: a round point for each dot."""
    across, down = WIDE / 2, HIGH / 4
    points = [f"M{(x + place) * WIDE + (column + 0.5) * across:g} {row * HIGH + (line + 0.5) * down:g}h.01"
              for place, sign in enumerate(text) for bit, (column, line) in enumerate(_DOTS)
              if ord(sign) - _BRAILLE.start >> bit & 1]
    name = sheet.name(_stroke(style, 3.6) + ";stroke-linecap:round")
    return [f'<path class="{name}" d="{"".join(points)}"/>'] if points else []


def _blocks(x: int, row: int, text: str, style: Style, sheet: Sheet) -> list[str]:
    """Blocks: rectangles; equal ones that touch become one."""
    drawn, at = [], x
    for sign, signs in groupby(text):
        size = len(tuple(signs))
        shade = f' opacity="{_SHADES[sign]:g}"' if sign in _SHADES else ' opacity=".6"' if style.dim else ""
        for left, top, width, height in _BLOCKS.get(sign, ((0, 0, 1, 1),)):
            whole = left == 0 and width == 1
            for place, cells in ((at, size),) if whole else [(at + n, 1) for n in range(size)]:
                drawn.append(f'<rect x="{(place + left) * WIDE:g}" y="{(row + top) * HIGH:g}" '
                             f'width="{(cells if whole else width) * WIDE:g}" height="{height * HIGH:g}" '
                             f'fill="{_colours(style)[0]}"{shade}/>')
        at += size
    return drawn


def _lines(x: int, row: int, text: str, style: Style, sheet: Sheet) -> list[str]:
    """Lines: an arm to each side that the sign has one to."""
    drawn, at = [], x
    middle = (row + 0.5) * HIGH
    for sign, signs in groupby(text):
        size = len(tuple(signs))
        left, right = at * WIDE, (at + size) * WIDE
        if sign in _DOUBLE:
            path, look = f"M{left} {middle - 2:g}H{right}M{left} {middle + 2:g}H{right}", _stroke(style, 1.4)
        elif sign in _SLANTED:
            path = "".join(f"M{left + n * WIDE} {row * HIGH + 3}{_SLANTED[sign]}" for n in range(size))
            look = _stroke(style, 1.4)
        elif sign in _DASHED:
            path = "".join(f"M{left + 5 * n + 1:g} {middle:g}h3" for n in range(2 * size))
            look = _stroke(style, 1.4 if _DASHED[sign] == "─" else 3)
        else:
            arms = _LINES[sign]
            look = _stroke(style, 1.4 if max(arms) == 1 else 3)
            path = f"M{left} {middle:g}H{right}" if arms[:2] == (arms[0],) * 2 and arms[0] and not any(arms[2:]) else \
                "".join(_arms(at + n, row, arms) for n in range(size))
        drawn.append(f'<path class="{sheet.name(look)}" d="{path}"/>')
        at += size
    return drawn


def _arms(x: int, row: int, arms: tuple[int, int, int, int]) -> str:
    centre, middle = (x + 0.5) * WIDE, (row + 0.5) * HIGH
    ends = (f"H{x * WIDE}", f"H{(x + 1) * WIDE}", f"V{row * HIGH}", f"V{(row + 1) * HIGH}")
    return "".join(f"M{centre:g} {middle:g}{end}" for end, there in zip(ends, arms, strict=True) if there)


_DRAWN = {"words": _words, "sign": _sign, "dots": _dots, "blocks": _blocks, "lines": _lines}

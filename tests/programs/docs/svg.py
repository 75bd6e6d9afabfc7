"""A screen as a small SVG: a rectangle for each ground, a text for each run of one look, nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME

WIDE, HIGH = 10, 20  # of a cell
EDGE = 10  # around the screen
GAP = 2  # cells
Run = tuple[int, str, Style]  # cell in its line, text, look


def svg(lines: Sequence[Iterable[Segment]], width: int) -> str:
    """The lines of a screen of so many columns."""
    looks: dict[str, str] = {}
    drawn: list[str] = []
    grounds: Counter[str] = Counter()
    for _, text, style in (run for line in lines for run in _runs(line)):
        grounds[_colours(style)[1]] += len(text)
    ground = grounds.most_common(1)[0][0]
    for row, line in enumerate(lines):
        for x, text, style in _runs(line):
            drawn += _grounds(x, row, text, style, ground)
            drawn += _words(x, row, text, style, looks)
    rules = "".join(f".{name}{{{look}}}" for look, name in looks.items())
    size = (width * WIDE + 2 * EDGE, len(lines) * HIGH + 2 * EDGE)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'xml:space="preserve" font-size="16.6" style="font-variant-ligatures:none" '
        f"font-family=\"'Fira Code','DejaVu Sans Mono',Menlo,Consolas,monospace\">\n"
        f"<style>text{{white-space:pre}}{rules}</style>\n"
        f'<rect width="{size[0]}" height="{size[1]}" rx="8" fill="{ground}"/>\n'
        f'<g transform="translate({EDGE},{EDGE})">\n' + "\n".join(drawn) + "\n</g>\n</svg>\n"
    )


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


def _words(x: int, row: int, text: str, style: Style, looks: dict[str, str]) -> list[str]:
    words = text.rstrip()
    start = len(words) - len(words.lstrip())
    words = words.lstrip()
    if not words:
        return []
    look = f"fill:{_colours(style)[0]}"
    look += ";font-weight:bold" * bool(style.bold) + ";text-decoration:underline" * bool(style.underline)
    look += ";opacity:.6" * bool(style.dim)
    name = looks.setdefault(look, f"c{len(looks)}")
    place, length = (x + start) * WIDE, cell_len(words) * WIDE
    where = f'x="{place}" y="{row * HIGH + 15}" textLength="{length}"'
    return [f'<text class="{name}" {where}>{escape(words, False)}</text>']

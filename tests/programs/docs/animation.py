"""Frames as one SVG that plays by itself: with style sheets only, so that it plays as an image of a page, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from tests.programs.docs.failover import SIZE, Frame
from tests.programs.docs.svg import EDGE, HIGH, WIDE, Sheet, page, screen

BAR = 44  # pixels under the screen, for keys and caption
COLOURS: Mapping[str, tuple[str, str, str, str]] = {  # of the bar: ground, text, key's ground, key's text
    "dark": ("#161b22", "#c9d1d9", "#30363d", "#4cc2ff"),
    "light": ("#eaeef2", "#1f2328", "#ffffff", "#0550ae"),
}


def animation(frames: Sequence[Frame], theme: str) -> str:
    """The whole file. Where nothing moves, by the reader's wish or the program's means, the alarm stands still."""
    sheet = Sheet()
    width, top = SIZE[0] * WIDE + 2 * EDGE, SIZE[1] * HIGH + 2 * EDGE
    parts = [f'<rect width="{width}" height="{top + BAR}" rx="8" fill="{COLOURS[theme][0]}"/>']
    for number, frame in enumerate(frames):
        ground, drawn = screen(frame.lines, sheet)
        parts += [f'<g class="f f{number}"><rect width="{width}" height="{top}" rx="8" fill="{ground}"/>',
                  f'<g transform="translate({EDGE},{EDGE})">', *drawn, "</g>", *_bar(frame, top, theme, sheet), "</g>"]
    return page(width, top + BAR, sheet.rules() + "".join(_rules(frames)), parts)


def _bar(frame: Frame, top: int, theme: str, sheet: Sheet) -> Iterator[str]:
    """The keys that were pressed, and the caption."""
    _, text, cap, key = COLOURS[theme]
    at = EDGE + 4
    for name in frame.keys.split("  ") if frame.keys else ():
        size = len(name) * WIDE + 14
        yield f'<rect x="{at}" y="{top + 8}" width="{size}" height="28" rx="5" fill="{cap}"/>'
        look = sheet.name(f"fill:{key};font-weight:bold")
        yield f'<text class="{look}" x="{at + 7}" y="{top + 27}" textLength="{size - 14}">{escape(name, False)}</text>'
        at += size + 8
    look = sheet.name(f"fill:{text}")
    yield f'<text class="{look}" x="{at + 4}" y="{top + 27}">{escape(frame.caption, False)}</text>'


def _rules(frames: Sequence[Frame]) -> Iterator[str]:
    """One frame is to be seen at a time; each has its share of the whole time."""
    whole, begun = sum(frame.seconds for frame in frames), 0.0
    alarm = min(2, len(frames) - 1)
    yield f".f{{visibility:hidden;animation-duration:{whole:g}s;animation-iteration-count:infinite;" \
          "animation-timing-function:step-end}"
    for number, frame in enumerate(frames):
        start, end = 100 * begun / whole, 100 * (begun + frame.seconds) / whole
        begun += frame.seconds
        before = "0%{visibility:hidden}" if start else ""
        after = "" if number == len(frames) - 1 else f"{end:.3f}%{{visibility:hidden}}"
        yield f"@keyframes k{number}{{{before}{start:.3f}%{{visibility:visible}}{after}100%{{visibility:hidden}}}}"
        yield f".f{number}{{animation-name:k{number}}}"
    yield f"@media (prefers-reduced-motion:reduce){{.f{{animation:none}}.f{alarm}{{visibility:visible}}}}"

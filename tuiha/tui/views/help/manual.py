"""The help: a screen's keys, what the marks mean, and how to filter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR, DOWN, IDLE, OK, STALE, WARN
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left

BESIDE_FROM = 180  # columns from which keys and marks stand side by side
_MARKS: tuple[tuple[Span, str], ...] = (
    ((OK, "well"), "as it should be"),
    ((WARN, "warning"), "needs a look: draining, waiting, overloaded, out of service"),
    ((DOWN, "bad"), "down, cut off, or attached to another database than the pool's"),
    ((STALE, "bad"), "stale: older than three polls; its age ends in !"),
    ((IDLE, "quiet"), "not known yet, or gone on purpose"),
    ((CURSOR, "flow"), "the cursor; it stays on its node"),
)
_FILTERS = (
    ("word  !word", "somewhere in the row; nowhere in it"),
    ("role:mail  state:down  db:db1  note:x", "in that field"),
    ("users>500  load>=80  avail<20  age>3", "a figure; also devices, rate, latency"),
)


def manual_lines(title: str, keys: Sequence[tuple[str, str]], width: int) -> tuple[Line, ...]:
    """The help of a screen; `keys` are names and descriptions."""
    top = (Line(fit(((f" {title}", "strong bold"),), width)), BLANK)
    if width < BESIDE_FROM:
        return (*top, *_keys(keys, width), BLANK, *_rest(keys, width))
    half = width // 2
    beside = zip_longest(_keys(keys, half), _rest(keys, width - half), fillvalue=BLANK)
    return (*top, *(Line((*fit(first.spans, half), *second.spans)) for first, second in beside))


def _column(keys: Sequence[tuple[str, str]], width: int) -> int:
    return min(22 if width >= 60 else 14, max((cell_len(names) for names, _ in keys), default=0) + 2)


def _keys(keys: Sequence[tuple[str, str]], width: int) -> list[Line]:
    column, lines = _column(keys, width), [_heading("KEYS", width)]
    for names, text in keys:
        parts = wrapped(text, max(12, width - column - 4)) or [""]
        lines += [_entry(((left("" if place else names, column), "flow bold"),), part, width)
                  for place, part in enumerate(parts)]
    return lines


def _rest(keys: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """What the marks mean, and how to filter."""
    column = _column(keys, width)
    lines = [_heading("MARKS", width)]
    lines += [_entry((mark, (" " * (column - 1), "text")), text, width) for mark, text in _MARKS]
    lines += [BLANK, _heading("FILTER: every term must hold", width)]
    lines += [_entry(((left(term, max(column, 40)), "flow"),), text, width) for term, text in _FILTERS]
    return lines


def _heading(text: str, width: int) -> Line:
    return Line(fit(((f" {text}", "heading"),), width))


def _entry(start: Sequence[Span], text: str, width: int) -> Line:
    return Line(fit((("   ", "text"), *start, (text, "text")), width))

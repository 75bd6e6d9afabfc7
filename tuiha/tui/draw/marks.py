"""Marks, bars, sparklines and plots. States read without colour: each has a mark and a word."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuiha.model.reports import BackendState, DatabaseState, MailState, NodeState, ServerState, SprayerState
from tuiha.tui.draw.spans import Span

CURSOR = "▸"
OK = "●"
DOWN = "✗"
WARN = "▲"
STALE = "~"
IDLE = "○"

STATE_STYLES: dict[NodeState | BackendState, str] = {
    **dict.fromkeys((ServerState.UP, DatabaseState.UP, SprayerState.UP, MailState.UP, BackendState.UP), "well"),
    **dict.fromkeys((ServerState.DOWN, DatabaseState.DOWN, SprayerState.DOWN, MailState.DOWN, BackendState.DOWN),
                    "bad"),
    ServerState.WAITING: "warning",
    ServerState.CUT_OFF: "bad",
    ServerState.OVERLOADED: "warning",
    ServerState.DRAINING: "warning",
    ServerState.DRAINED: "quiet",
    ServerState.LEFT: "quiet",
    DatabaseState.ROGUE_PRIMARY: "bad",
    MailState.OUT: "warning",
    BackendState.DRAIN: "warning",
    BackendState.MAINT: "warning",
}
_STYLE_MARKS = {"well": OK, "warning": WARN, "bad": DOWN, "quiet": IDLE}
_BLOCKS = " ▁▂▃▄▅▆▇"
_BRAILLE_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_BRAILLE_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_CELLS = [[chr(0x2800 + a + b) if a + b else " " for b in _BRAILLE_RIGHT] for a in _BRAILLE_LEFT]


def state_style(state: NodeState | BackendState) -> str:
    """The style of a state's word; an unknown one is shown quietly."""
    return STATE_STYLES.get(state, "quiet")


def state_mark(state: NodeState | BackendState) -> Span:
    """The mark of a state, with its style."""
    style = state_style(state)
    return (_STYLE_MARKS[style], style)


def bar(value: float | None, limit: float, width: int, style: str) -> tuple[Span, ...]:
    """A thin bar of exactly `width` cells; half cells are drawn."""
    if value is None or not math.isfinite(value) or limit <= 0:
        return (("─" * width, "lines"),)
    halves = min(2 * width, max(1 if value > 0 else 0, round(2 * width * value / limit)))
    full, half = divmod(halves, 2)
    filled = "━" * full + ("╸" if half else "")
    rest = "─" * (width - full - half)
    return ((filled, style), (rest, "lines")) if filled else ((rest, "lines"),)


def gauge(value: float | None, limit: float, width: int, style: str) -> tuple[Span, ...]:
    """A row of blocks, each a share of the limit; empty ones have a glyph of their own, as colours may be missing."""
    shown = value is not None and math.isfinite(value) and limit > 0
    lit = max(0, min(width, round(width * value / limit))) if shown and value is not None else 0
    spans: list[Span] = []
    if lit:
        spans.append(("▮" * lit, style))
    if width - lit:
        spans.append(("▯" * (width - lit), "lines"))
    return tuple(spans)


def nice_limit(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 6, 8, 10, 15, … not under the value: scales that seldom change are calm."""
    limit = 1.0
    while limit < value:
        for factor in (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0):
            if limit * factor >= value:
                return limit * factor
        limit *= 10.0
    return limit


def buckets(
    values: Sequence[float | None], columns: int, at: float, span: float = 900.0
) -> list[float | None]:
    """Means of `values` (oldest first, evenly spaced over `span` seconds) in `columns` columns.

    Columns are aligned to the clock, not to the newest value, so that a sparkline shifts once a
    column's time and not with every poll.
    """
    if not values or columns <= 0:
        return [None] * max(0, columns)
    step = span / len(values)
    column_seconds = span / columns
    last_column = int(at // column_seconds)
    sums = [0.0] * columns
    counts = [0] * columns
    for index, value in enumerate(values):
        if value is None or not math.isfinite(value):
            continue
        moment = at - (len(values) - 1 - index) * step
        column = columns - 1 - (last_column - int(moment // column_seconds))
        if 0 <= column < columns:
            sums[column] += value
            counts[column] += 1
    return [total / number if number else None for total, number in zip(sums, counts, strict=True)]


def sparkline(values: Sequence[float | None], limit: float | None = None) -> str:
    """One cell a value; a value that is not known is a space. None fills its cell: lines under another stay apart."""
    top = limit or nice_limit(max((value for value in values if value is not None), default=1.0))
    return "".join(
        " " if value is None else _BLOCKS[max(1, min(7, round(7 * max(0.0, value) / top)))]
        for value in values
    )


def plot(values: Sequence[float | None], width: int, height: int, limit: float) -> list[str]:
    """A filled braille plot: two values a cell across, four levels a cell up."""
    wanted = 2 * width
    levels = [
        0 if value is None else max(1, min(4 * height, round(4 * height * max(0.0, value) / limit)))
        for value in values[-wanted:]
    ]
    levels = [0] * (wanted - len(levels)) + levels
    rows: list[str] = []
    for row in range(height - 1, -1, -1):
        low = 4 * row
        dots = [0 if level <= low else 4 if level >= low + 4 else level - low for level in levels]
        rows.append("".join([_CELLS[a][b] for a, b in zip(dots[::2], dots[1::2], strict=True)]))
    return rows

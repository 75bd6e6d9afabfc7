"""Braille plots, each with what it shows now and at most, and its scale at the edge.

They show the last 15 minutes; while less is known, so much of them as is: a young dashboard has no empty boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuiha.tui.draw import figures
from tuiha.tui.draw.marks import nice_limit, plot
from tuiha.tui.draw.spans import Line, Span, fit, left, shrink, spread
from tuiha.tui.draw.trends import SPAN, Trends

LEAST, GOOD, MOST = 3, 6, 12  # rows of a plot
CELL = 38  # cells that a plot wants with the gap beside it
WINDOWS: tuple[tuple[float, str], ...] = (  # seconds that are shown, and how the line of time says them
    (60.0, "1 min ago"), (120.0, "2 min ago"), (300.0, "5 min ago"), (SPAN, "15 min ago"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure whose history is plotted."""

    name: str
    title: str
    text: Callable[[float | None], str]
    style: str = "flow"
    least: float = 1.0  # the top of the scale is never under it: noise must not look like a mountain


@dataclass(frozen=True, slots=True)
class Plotted:
    """A figure of a node, or of the pool under its name."""

    node: str
    metric: Metric


def size(value: float | None) -> str:
    """Bytes."""
    return figures.size(None if value is None else int(value))


def seconds(value: float | None) -> str:
    """Seconds, from a millisecond on."""
    return figures.milliseconds(None if value is None else value * 1000, " ")


def fitting_plots(
    chosen: Sequence[Plotted], trends: Trends, at: float, width: int, room: int, every: bool = False
) -> list[Line]:
    """Plots in at most `room` lines: as many as there is room for, the first ones first, and as high as it allows.

    `every`: all of them, also when that takes more lines.
    """
    known = [one for one in chosen if trends.known(one.node, one.metric.name)]
    chosen = chosen if every and not known else known
    if not chosen:
        return []

    def height(across: int) -> int:
        """Rows that each gets when all of them are shown."""
        return room // -(-len(chosen) // across) - 2

    widest = max(1, min(4, width // CELL))
    possible = range(min(2, widest), widest + 1)
    across = next((few for few in possible if height(few) >= GOOD), max(possible, key=height))
    turns = -(-len(chosen) // across)
    if every:
        room = max(room, turns * (LEAST + 2) - 1)
    turns = max(1, min(turns, (room + 1) // (LEAST + 2)))
    rows = min(MOST, room // turns - 2)
    if rows < LEAST:  # the line with the time gives way
        rows = (room + 1) // turns - 2
    if rows < 2:
        return []
    return plot_lines(chosen[: across * turns], trends, at, width, rows, across)[:room]


def plot_lines(
    chosen: Sequence[Plotted], trends: Trends, at: float, width: int, rows: int, across: int = 0
) -> list[Line]:
    """The plots, `rows` rows each under a line of words, an empty line after each row of plots, the time below all.

    `across` is how many stand side by side; 0: as many as the width has room for.
    """
    across = across or (1 if width < 70 else 2 if width < 150 else 3)
    cell = (width - 1) // across
    seconds, ago = window(chosen, trends)
    edge = edge_of(chosen, trends)
    axis: tuple[Span, ...] = (*spread(((ago, "quiet"),), (("now", "quiet"), (" " * edge, "text")), cell - 3),
                              ("   ", "text"))
    lines: list[Line] = []
    for start in range(0, len(chosen), across):
        blocks = [_block(one, trends, at, cell - 3, rows, seconds, edge) for one in chosen[start : start + across]]
        for row in range(rows + 1):
            spans: list[Span] = [(" ", "text")]
            for block in blocks:
                spans += (*fit(block[row], cell - 2), ("  ", "text"))
            lines.append(Line(fit(spans, width)))
        lines.append(Line(()))
    return [*lines[:-1], Line(fit(((" ", "text"), *axis * (len(chosen) % across or across)), width))]


def scale(most: float) -> float:
    """The top of a scale: a round number that is not under `most`, also far under 1."""
    return nice_limit(most) if most >= 1.0 else nice_limit(most * 1000) / 1000


def window(chosen: Sequence[Plotted], trends: Trends) -> tuple[float, str]:
    """How much of the past is shown, in seconds and in words: the shortest window that holds all that is known."""
    known = max((trends.known(one.node, one.metric.name) for one in chosen), default=SPAN)
    return next((found for found in WINDOWS if found[0] >= known), WINDOWS[-1])


def edge_of(chosen: Sequence[Plotted], trends: Trends) -> int:
    """Cells that the scales of these plots take at their right edges."""
    return 1 + max((len(one.metric.text(_top(one, trends))) for one in chosen), default=0)


def _top(one: Plotted, trends: Trends) -> float:
    """The top of a plot's scale."""
    known = [value for value in trends.history(one.node, one.metric.name) if value is not None]
    return scale(max(one.metric.least, *known)) if known else one.metric.least


def _block(
    one: Plotted, trends: Trends, at: float, width: int, rows: int, seconds: float, edge: int
) -> list[tuple[Span, ...]]:
    metric = one.metric
    values = trends.history(one.node, metric.name)
    known = [value for value in values if value is not None]
    now = values[-1] if values else None
    words: list[tuple[Span, ...]] = [
        ((metric.title, "heading"),), (("now ", "quiet"), (metric.text(now), "strong")),
        (("peak ", "quiet"), (metric.text(max(known, default=None)), "text")),
    ]
    if not known:
        nothing: tuple[Span, ...] = ((left("nothing known yet", width), "quiet"),)
        return [words[0], nothing, *[((" " * width, "text"),)] * (rows - 1)]
    top, room = _top(one, trends), max(1, width - edge)
    drawn = plot(trends.means(one.node, metric.name, 2 * room, at, seconds), room, rows, top)
    scales = [metric.text(top), *[""] * (rows - 2), "0"] if rows > 1 else [metric.text(top)]
    return [shrink(words, width), *[((row, metric.style), (f" {left(text, edge - 1)}", "quiet"))
                                    for row, text in zip(drawn, scales, strict=True)]]

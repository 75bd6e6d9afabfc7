"""Paper: a widget that shows lines, and repaints only those that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tuiha.tui.draw.ascii import in_ascii, on_console
from tuiha.tui.draw.spans import BLANK, Line, Span
from tuiha.tui.kit.application import Coloured
from tuiha.tui.theme import Palette

_NO_LINE = Style(underline=False)


def strip_of(line: Line, width: int, palette: Palette) -> Strip:
    """A line as Textual wants it, filled or cut to the width."""
    ground = line.ground
    drawn: Sequence[Span] = line.spans
    if palette.ascii or palette.console:
        form = in_ascii if palette.ascii else on_console
        drawn = [(form(text), style) for text, style in line.spans]
    strip = Strip([segment for text, style in drawn for segment in _segments(text, palette.style(style, ground))])
    return strip.adjust_cell_length(width, palette.style("text", ground))


def _segments(text: str, style: Style) -> tuple[Segment, ...]:
    """A span; where words are underlined, what fills its column is not."""
    words = text.rstrip() if style.underline else text
    if len(words) == len(text):
        return (Segment(text, style),)
    return (Segment(words, style), Segment(text[len(words) :], style + _NO_LINE))


def changed_lines(before: Sequence[Line], after: Sequence[Line]) -> list[int]:
    """The numbers of the lines that differ."""
    common = min(len(before), len(after))
    changed = [place for place in range(common) if before[place] != after[place]]
    return changed + list(range(common, max(len(before), len(after))))


class Paper(Widget):
    """Lines, drawn from the top; what is not covered is ground."""

    DEFAULT_CSS = "Paper { width: 1fr; height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()
        self._height: int | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown now."""
        return self._lines

    def show(self, lines: Sequence[Line], height: int | None = None) -> None:
        """Show these lines. `height` fixes the widget's height in rows; 0 hides it."""
        if height is not None and height != self._height:
            self._height = height
            self.display = height > 0
            self.styles.height = max(1, height)
        before, self._lines = self._lines, tuple(lines)
        for place in changed_lines(before, self._lines):
            self.refresh(Region(0, place, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """One line."""
        palette = cast("Coloured", self.app).palette
        line = self._lines[y] if y < len(self._lines) else BLANK
        return strip_of(line, self.size.width, palette)

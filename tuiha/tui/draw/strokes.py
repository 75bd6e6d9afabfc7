"""A small canvas for lines that branch, cross and end in arrows, drawn in box characters."""

from __future__ import annotations

from tuiha.tui.draw.spans import Span

LIGHT = 1
HEAVY = 2
_UP, _RIGHT, _DOWN, _LEFT = range(4)
# The box character for the weights (0 none, 1 light, 2 heavy) of the arms up, right, down, left:
# the index is their number in base three.
_BOXES = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"


class Strokes:
    """Strokes on a grid. Where strokes of several styles meet, the one of the highest rank colours the cell."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._arms: dict[tuple[int, int], list[int]] = {}
        self._styles: dict[tuple[int, int], tuple[int, str]] = {}
        self._marks: dict[tuple[int, int], str] = {}

    def across(self, y: int, x1: int, x2: int, style: str, weight: int = LIGHT, rank: int = 0) -> None:
        """A level stroke from the middle of cell x1 to the middle of cell x2."""
        for x in range(min(x1, x2), max(x1, x2)):
            self._arm(x, y, _RIGHT, style, weight, rank)
            self._arm(x + 1, y, _LEFT, style, weight, rank)

    def along(self, x: int, y1: int, y2: int, style: str, weight: int = LIGHT, rank: int = 0) -> None:
        """An upright stroke from the middle of cell y1 to the middle of cell y2."""
        for y in range(min(y1, y2), max(y1, y2)):
            self._arm(x, y, _DOWN, style, weight, rank)
            self._arm(x, y + 1, _UP, style, weight, rank)

    def mark(self, x: int, y: int, text: str, style: str, rank: int = 9) -> None:
        """Characters over whatever strokes there are."""
        for offset, character in enumerate(text):
            self._marks[(x + offset, y)] = character
            self._style(x + offset, y, style, rank)

    def row(self, y: int) -> tuple[Span, ...]:
        """The spans of one row, exactly `width` cells."""
        spans: list[Span] = []
        for x in range(self.width):
            character = self._marks.get((x, y)) or self._box(x, y)
            style = self._styles.get((x, y), (0, "lines"))[1]
            if spans and (spans[-1][1] == style or character == " "):
                spans[-1] = (spans[-1][0] + character, spans[-1][1])
            else:
                spans.append((character, style))
        return tuple(spans)

    def _box(self, x: int, y: int) -> str:
        up, right, down, left = self._arms.get((x, y), (0, 0, 0, 0))
        return _BOXES[27 * up + 9 * right + 3 * down + left]

    def _arm(self, x: int, y: int, arm: int, style: str, weight: int, rank: int) -> None:
        arms = self._arms.setdefault((x, y), [0, 0, 0, 0])
        arms[arm] = max(arms[arm], weight)
        self._style(x, y, style, rank)

    def _style(self, x: int, y: int, style: str, rank: int) -> None:
        if rank >= self._styles.get((x, y), (-1, ""))[0]:
            self._styles[(x, y)] = (rank, style)

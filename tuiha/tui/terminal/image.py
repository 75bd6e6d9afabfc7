"""What the terminal shows, cell by cell, and the shortest way from there to a new frame.

Textual sends each region again that was marked as changed, equal cells included. Here the cells of
a frame are compared with what was sent before, and only runs that differ are written: grouped by
style, so that a colour is named once, and reached by the shorter of two cursor movements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

Cell = tuple[str, str]
"""A character (empty: the right half of the one before) and the parameters of its style."""
Piece = tuple[int, int, Iterable[Segment]]
"""Where some segments of a frame start (x, y), and the segments."""

_UNSEEN: Cell = ("\0", "")
_BRIDGE = 4  # equal cells between two runs that are cheaper to write again than to step over


@dataclass(slots=True)
class _Run:
    y: int
    x: int
    cells: int
    text: str


class Image:
    """The cells that were sent to the terminal."""

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self._rows: list[list[Cell]] = []
        self._styles: dict[tuple[Style | None, ColorSystem], str] = {}

    def resize(self, width: int, height: int) -> None:
        """Take the terminal's new size; nothing is known of what it shows."""
        self.width, self.height = width, height
        self._rows = [[_UNSEEN] * width for _ in range(height)]

    def forget(self) -> None:
        """Something else may have written to the terminal: send everything with the next frame."""
        self.resize(self.width, self.height)

    @property
    def lines(self) -> list[str]:
        """What the terminal shows, as text; cells that nothing was sent for are spaces."""
        return ["".join(" " if text == _UNSEEN[0] else text for text, _ in row) for row in self._rows]

    def update(self, pieces: Iterable[Piece], system: ColorSystem) -> str:
        """Take the pieces of a new frame over, and return what a terminal must be sent to show them."""
        groups: dict[str, list[_Run]] = {}
        for x, y, segments in pieces:
            if 0 <= y < self.height:
                self._compare(x, y, self._cells(segments, system), groups)
        out: list[str] = []
        for style, runs in groups.items():
            out.append(f"\x1b[0;{style}m" if style else "\x1b[0m")
            at_x, at_y = -1, -1
            for run in runs:
                out.append(_move(at_x, at_y, run.x, run.y))
                out.append(run.text)
                at_x, at_y = run.x + run.cells, run.y
        return "".join(out)

    def _compare(self, x: int, y: int, cells: list[Cell], groups: dict[str, list[_Run]]) -> None:
        row = self._rows[y]
        if x < 0:
            cells, x = cells[-x:], 0
        cells = cells[: self.width - x]
        if row[x : x + len(cells)] == cells:
            return
        last: _Run | None = None
        last_style = ""
        index, length = 0, len(cells)
        while index < length:
            if row[x + index] == cells[index]:
                index += 1
                continue
            while index and cells[index][0] == "":  # never begin in the middle of a wide character
                index -= 1
            text, style = cells[index]
            size = 2 if index + 1 < length and cells[index + 1][0] == "" else 1
            bridge = self._bridge(last, last_style, x, index, cells, style)
            if last is not None and bridge is not None:
                last.text += bridge + text
                last.cells = x + index + size - last.x
            else:
                last, last_style = _Run(y, x + index, size, text), style
                groups.setdefault(style, []).append(last)
            row[x + index : x + index + size] = cells[index : index + size]
            index += size

    @staticmethod
    def _bridge(
        last: _Run | None, last_style: str, x: int, index: int, cells: list[Cell], style: str
    ) -> str | None:
        """The equal cells between the last run and this cell, when writing them again is the shorter way."""
        if last is None or last_style != style:
            return None
        start = last.x + last.cells - x
        between = cells[start:index]
        if len(between) > _BRIDGE or any(cell_style != style for _, cell_style in between):
            return None
        return "".join(text for text, _ in between)

    def _cells(self, segments: Iterable[Segment], system: ColorSystem) -> list[Cell]:
        cells: list[Cell] = []
        for text, style, control in segments:
            if control:
                continue
            name = self._style(style, system)
            if cell_len(text) == len(text):
                cells.extend([(character, name) for character in text])
                continue
            for character in text:
                size = cell_len(character)
                if size == 0 and cells:
                    place = -1 if cells[-1][0] else -2
                    cells[place] = (cells[place][0] + character, cells[place][1])
                elif size:
                    cells.append((character, name))
                    cells.extend([("", name)] * (size - 1))
        return cells

    def _style(self, style: Style | None, system: ColorSystem) -> str:
        known = self._styles.get((style, system))
        if known is None:
            known = "" if style is None else _codes(style, system)
            if len(self._styles) > 4096:
                self._styles.clear()
            self._styles[style, system] = known
        return known


def _codes(style: Style, system: ColorSystem) -> str:
    """The parameters of a style after a reset: what is the terminal's default is said by the reset."""
    codes = style._make_ansi_codes(system)
    for colour, default in ((style.bgcolor, "49"), (style.color, "39")):
        if colour is not None and colour.is_default:
            codes = codes.removesuffix(default).removesuffix(";")
    return codes


def _move(from_x: int, from_y: int, x: int, y: int) -> str:
    if from_y == y and x > from_x >= 0:
        step = x - from_x
        return f"\x1b[{step}C" if step > 1 else "\x1b[C"
    return f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"

"""Tables, on Textual's line API: it compares, and repaints what changed and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, cast

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tuiha.tui.draw.columns import Cells, ColumnSight, Placed, Sheet, T, cells_of, placed, row_line
from tuiha.tui.kit.application import Coloured
from tuiha.tui.kit.paper import strip_of

WHOLE_ROW = 1 / 3  # from this share of changed cells on, a row is repainted whole


class Table(ScrollView, Generic[T]):
    """Rows with a cursor that follows its row by name, whatever place sorting gives it."""

    DEFAULT_CSS = "Table { width: 1fr; height: 1fr; overflow: hidden; scrollbar-size: 0 0; }"

    def __init__(self, sheet: Sheet[T], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sheet = sheet
        self._rows: tuple[T, ...] = ()
        self._cells: dict[int, Cells] = {}
        self._sight: ColumnSight | None = None
        self._columns: tuple[Placed, ...] = ()
        self._node: str | None = None
        self._cursor = 0

    def use(self, sheet: Sheet[T]) -> None:
        """Show these columns from the next `show` on."""
        self._sheet = sheet

    @property
    def columns(self) -> tuple[Placed, ...]:
        """The columns with their places, for the line of titles."""
        return self._columns

    @property
    def current(self) -> T | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    @property
    def rows(self) -> tuple[T, ...]:
        """The rows from top to bottom."""
        return self._rows

    @property
    def first_seen(self) -> int:
        """The number of the first row that is on the screen."""
        return self.scroll_offset.y

    def show(self, rows: Sequence[T], sight: ColumnSight, width: int, height: int) -> None:
        """Show these rows in a table of that size."""
        columns = placed(rows, sight, width, self._sheet)
        before, before_rows, cursor_before = self._cells, self._rows, self._cursor
        whole = columns != self._columns
        self._rows, self._columns, self._sight = tuple(rows), columns, sight
        self._cells = {}
        self._cursor = self._place_of(self._node)
        self._node = self._rows[self._cursor].name if self._rows else None
        size = Size(width, len(rows))
        if self.virtual_size != size:
            self.virtual_size = size
        if whole:
            self.refresh()
        else:
            self._refresh_changes(before, before_rows, height)
        if cursor_before != self._cursor:
            self._refresh_rows(cursor_before, self._cursor)
        self._keep_in_sight(height)

    def _cells_at(self, place: int) -> Cells:
        """The cells of a row, made when it comes in sight: a pool may have a thousand nodes."""
        cells = self._cells.get(place)
        if cells is None:
            assert self._sight is not None, "rows come with their sight"
            cells = self._cells[place] = cells_of(self._rows[place], self._columns, self._sight)
        return cells

    def _refresh_changes(self, before: dict[int, Cells], before_rows: tuple[T, ...], height: int) -> None:
        for place in range(self.first_seen, self.first_seen + max(height, self.size.height)):
            gone, new = place >= len(self._rows), place >= len(before_rows)
            if gone and new:
                break
            if gone or new or place not in before or before_rows[place].astray != self._rows[place].astray:
                self._refresh_rows(place)
            elif before[place] != self._cells_at(place):
                self._refresh_cells(place, before[place], self._cells_at(place))

    def _refresh_cells(self, place: int, before: Cells, after: Cells) -> None:
        changed = [number for number, cell in enumerate(after) if before[number] != cell]
        if len(changed) >= WHOLE_ROW * len(after):
            self._refresh_rows(place)
            return
        y = place - self.first_seen
        for number in changed:
            if number == 0:  # the mark
                self.refresh(Region(1, y, 1, 1))
            else:
                column = self._columns[number - 1]
                self.refresh(Region(column.x, y, column.width, 1))

    def _refresh_rows(self, *places: int) -> None:
        for place in places:
            self.refresh_line(place)

    def _place_of(self, node: str | None) -> int:
        for place, row in enumerate(self._rows):
            if row.name == node:
                return place
        return max(0, min(self._cursor, len(self._rows) - 1))

    def move(self, rows: int) -> None:
        """Move the cursor by that many rows, no farther than the ends."""
        self.move_to(self._cursor + rows)

    def move_to(self, place: int) -> None:
        """Move the cursor to a row, counted from 0; -1 is the last."""
        if not self._rows:
            return
        last = len(self._rows) - 1
        place = last if place == -1 else max(0, min(place, last))
        if place != self._cursor:
            before, self._cursor = self._cursor, place
            self._node = self._rows[place].name
            self._refresh_rows(before, place)
            self._keep_in_sight(self.size.height)

    def follow(self, node: str) -> None:
        """Put the cursor on that node, now or as soon as it is shown."""
        self._node = node

    def _keep_in_sight(self, height: int) -> None:
        top = self.first_seen
        lowest = max(0, len(self._rows) - height)
        wanted = max(min(top, self._cursor, lowest), self._cursor - height + 1, 0)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One row, or nothing under the last."""
        palette = cast("Coloured", self.app).palette
        width = self.size.width
        place = y + self.first_seen
        if place >= len(self._rows):
            return Strip.blank(width, palette.style("text"))
        cursor = place == self._cursor
        ground = "alarm" if self._rows[place].astray else "cursor" if cursor else "ground"
        return strip_of(row_line(self._cells_at(place), self._columns, width, cursor, ground), width, palette)

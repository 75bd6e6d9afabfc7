"""What the views with a table share: a cursor that follows its row, a filter as you type, sorting, a way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic

from textual.app import ComposeResult

from tuiha.tui.draw.columns import ColumnSight, T, title_line
from tuiha.tui.draw.filter import EVERYTHING
from tuiha.tui.draw.head import aged
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import Line, fit, width_of
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, HOME, VIEWS, Key, bindings
from tuiha.tui.kit.filtered import Content, FilteredScreen
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import MOVES

TABLE_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("table.open", "enter", "open", "more about the row under the cursor", "open", first=True),
    Key("table.filter", "slash", "filter", "filter the rows as you type", "filter"),
    Key("table.sort", "o", "sort", "sort by the next column", "sort"),
    Key("table.next", "tab", "neighbour(1)", "the next view"),
    Key("table.previous", "shift+tab", "neighbour(-1)", "the view before"),
    Key("table.back", "escape", "back", "back: drop the filter, then to Home", "back", first=True),
)
HEAD = 3  # lines that stay live
LEAST_TABLE = 4  # rows of the table that a part above or below it must leave


@dataclass(frozen=True, slots=True)
class _Painted:
    """What the last painting was made from."""

    body: View
    items: int  # rows there are
    kept: int  # of those, by the filter
    width: int
    room: int  # lines for the table and what is below it
    table: int  # of those, the table's at least


class TableView(FilteredScreen[T], Generic[T], inherit_bindings=False):
    """A view: lines 1 to 3, something above the table or nothing, the table, something below it, the footer."""

    KEYS: ClassVar[tuple[Key, ...]] = (*TABLE_KEYS, *EVERYWHERE)
    BINDINGS = bindings((*TABLE_KEYS, *EVERYWHERE))  # type: ignore[assignment]

    KEEP_BELOW: ClassVar[int] = 0  # rows that the part below the table keeps, however long the table is

    def __init__(self, content: Content[T]) -> None:
        super().__init__(content)
        self._above = Paper(id="above")
        self._below = Paper(id="below")
        self._painted: _Painted | None = None

    # What a view says of itself

    def items(self, view: View) -> Sequence[T]:
        """The rows, in any order."""
        raise NotImplementedError

    def above(self, view: View, width: int, room: int) -> Sequence[Line]:
        """What stands above the table, in at most `room` lines."""
        return ()

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """What stands below the table, in at most `room` lines; its first line parts it from the table."""
        return ()

    def opened(self, item: T) -> None:
        """`enter` on a row: its node's detail, unless a view means something else."""
        self.dashboard.show_detail(item.name)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._head
        yield self._above
        yield self._titles
        yield self._table
        yield self._below
        yield self._footer
        self._entry.display = False
        yield self._entry

    # Painting

    def paint(self, live: View, body: View) -> None:
        """Draw this moment."""
        width, height = self.size
        if not width or not height:
            return
        items = self.items(body)
        kept = self.sifted(items)
        room = max(1, height - HEAD - 3)  # the titles with their rule, the footer
        self._head.show(self.head(live, width), min(HEAD, height))
        above = tuple(self.above(body, width, max(0, room - min(len(items), LEAST_TABLE))))
        self._above.show(aged(body, above), len(above))
        room -= len(above)
        kept_below = min(self.KEEP_BELOW, max(0, room - LEAST_TABLE))
        table = max(1, min(max(1, len(items)), room - kept_below))
        at = body.now if body.snapshot is None else body.snapshot.at
        self._table.show(
            kept, ColumnSight(at, self.dashboard.trends, body.old), width, table
        )  # first: below is of its cursor's row
        self._painted = _Painted(body, len(items), len(kept), width, room, table)
        self._paint_around(self._painted)
        self._footer.show((self.footer(width),), 0 if self._entry.display or height < HEAD + 1 else 1)

    def _paint_around(self, painted: _Painted) -> None:
        """What depends on the cursor: the part below, the titles' rule. A key must not make a thousand rows again."""
        width, room = painted.width, painted.room - painted.table
        below = tuple(self.below(painted.body, width, room))[:room]
        self._below.show(aged(painted.body, below), len(below))
        titles = title_line(self._table.columns, width, self.order.column)
        self._titles.show((self._rule(painted, painted.room - len(below)), titles), 2)

    def _moved(self) -> None:
        if self._painted is not None:
            self._paint_around(self._painted)

    def _rule(self, painted: _Painted, room: int) -> Line:
        """The line above the titles: the view's name, and what is special about the table now."""
        remark, width = self.remarks(painted.kept, painted.items, room), painted.width
        title = rule(width - width_of(remark) - 3, self.TITLE_TEXT)
        return Line(fit((*title.spans, *remark, ("───", "lines")), width))

    # Keys

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._table.move(rows)
        self._moved()

    def action_first(self) -> None:
        """To the first row."""
        self._table.move_to(0)
        self._moved()

    def action_last(self) -> None:
        """To the last row."""
        self._table.move_to(-1)
        self._moved()

    def action_open(self) -> None:
        """Into the row under the cursor."""
        current = self._table.current
        if current is not None:
            self.opened(current)

    def action_back(self) -> None:
        """Drop the filter; without one, to Home."""
        if self._filter.text:
            self._filter = EVERYTHING
            self.dashboard.paint()
        elif self.is_current:
            self.dashboard.action_show_view(HOME)

    def action_neighbour(self, places: int) -> None:
        """The next view, or the one before; after the last one Home."""
        names = [view.name for view in VIEWS]
        here = next((name for name in names if self.app.is_screen_installed(name)
                     and self.app.get_screen(name) is self), HOME)
        self.dashboard.action_show_view(names[(names.index(here) + places) % len(names)])

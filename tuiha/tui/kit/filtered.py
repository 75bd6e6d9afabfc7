"""What every screen with a table shares: the cursor's moves, a filter as you type, sorting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic

from tuiha.tui.draw.columns import Sheet, T
from tuiha.tui.draw.filter import EVERYTHING, Fields, Filter, parse_for
from tuiha.tui.draw.rows import RowOrder, arranged
from tuiha.tui.draw.spans import Span
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import PoolScreen
from tuiha.tui.kit.table import Table


@dataclass(frozen=True, slots=True)
class Content(Generic[T]):
    """What a table shows: its columns, the ways to sort it (the first is how it starts), what a filter can look at."""

    sheet: Sheet[T]
    orders: tuple[RowOrder[T], ...]
    fields: Fields[T]
    example: str  # terms of a filter that make sense here


class FilteredScreen(PoolScreen, Generic[T], inherit_bindings=False):
    """A screen with a table whose rows are filtered and sorted."""

    def __init__(self, content: Content[T]) -> None:
        super().__init__()
        self.content = content
        self._head = Paper(id="head")
        self._titles = Paper(id="titles")
        self._table: Table[T] = Table(content.sheet, id="rows")
        self._footer = Paper(id="footer")
        self._entry = Entry("/", id="entry")
        self._filter: Filter[T] = EVERYTHING
        self._order = 0

    @property
    def table(self) -> Table[T]:
        """The table."""
        return self._table

    @property
    def order(self) -> RowOrder[T]:
        """How the rows are sorted now."""
        return self.content.orders[self._order]

    def sifted(self, rows: Iterable[T]) -> tuple[T, ...]:
        """The rows that the filter lets through, sorted."""
        return tuple(row for row in arranged(rows, self.order) if self._filter.accepts(row))

    def remarks(self, kept: int, of: int, room: int) -> list[Span]:
        """What is special about the table now: a filter, more rows than fit."""
        remark: list[Span] = []
        if self._filter.tests:
            remark.append((f" filter: {self._filter.text.strip()}  {kept} of {of} ", "warning"))
        if kept > room:
            first = self._table.first_seen
            remark.append((f" {first + 1} to {min(first + room, kept)} of {kept} ", "heading"))
        return remark

    # Keys

    def action_page(self, pages: int) -> None:
        """Move by what is in sight."""
        self.action_move(pages * max(1, self._table.size.height - 1))

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        raise NotImplementedError

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._order = (self._order + 1) % len(self.content.orders)
        self.dashboard.paint()

    # Filter

    def find(self, text: str) -> None:
        """Filter by that text."""
        self._filter = parse_for(text, self.content.fields) if text else EVERYTHING
        self.dashboard.paint()

    def action_filter(self) -> None:
        """Start typing a filter."""
        self._entry.display = True
        self._footer.show((), 0)
        self._entry.start(self._filter.text, self._filter_remark())

    def on_entry_changed(self, message: Entry.Changed) -> None:
        """Filter by what is typed so far."""
        self._filter = parse_for(message.text, self.content.fields)
        self._entry.remark(self._filter_remark())
        self.dashboard.paint()

    def on_entry_steered(self, message: Entry.Steered) -> None:
        """Arrows recall the filters of before."""
        if abs(message.rows) == 1 and not message.tab:
            self._entry.recall(message.rows)

    def on_entry_ended(self, message: Entry.Ended) -> None:
        """Keep the filter or drop it."""
        if message.kept:
            self._entry.keep()
        else:
            self._filter = EVERYTHING
        self.set_focus(None)
        self._entry.display = False
        self.dashboard.paint()

    def _filter_remark(self) -> Span:
        if self._filter.error:
            return (self._filter.error, "warning")
        return (f"enter keep   esc drop   {self.content.example}", "quiet")

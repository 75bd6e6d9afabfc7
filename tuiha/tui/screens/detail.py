"""The detail of one node."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.detail import detail_lines
from tuiha.tui.draw.rows import Row, rows_of
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import bindings
from tuiha.tui.screens.acting import ACTING_KEYS, ActingScreen
from tuiha.tui.screens.base import READING_KEYS, ReadingScreen

DETAIL_KEYS = (*ACTING_KEYS, *READING_KEYS)


class DetailScreen(ReadingScreen, ActingScreen):
    """Everything that is known of the node that was chosen; the keys of operations mean that node."""

    KEYS = DETAIL_KEYS
    BINDINGS = bindings(DETAIL_KEYS)  # type: ignore[assignment]
    TITLE_TEXT = "Detail of a node"

    def __init__(self) -> None:
        super().__init__()
        self._node = ""

    def choose(self, node: str) -> None:
        """Show that node from now on."""
        self._node = node
        self.marked = ()

    @property
    def row_under_cursor(self) -> Row | None:
        """The node."""
        view = self.dashboard.view
        rows = () if view.snapshot is None else rows_of(view.snapshot, view.now)
        return next((row for row in rows if row.name == self._node), None)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The node's detail."""
        return detail_lines(view, self._node, self.dashboard.history, width)

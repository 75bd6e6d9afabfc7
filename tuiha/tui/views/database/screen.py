"""View 2: the database pair, and which pool server is attached to which of the two."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.plots import LEAST, fitting_plots
from tuiha.tui.draw.spans import BLANK, Line
from tuiha.tui.draw.view import View
from tuiha.tui.kit.filtered import Content
from tuiha.tui.views.database.matrix import FIELDS, ORDERS, MatrixItem, matrix_items, matrix_sheet, names_of
from tuiha.tui.views.database.panel import guard_lines, pair_plots, panel_lines
from tuiha.tui.views.nodes.screen import NodeView

CONTENT = Content(matrix_sheet(("", "")), ORDERS, FIELDS, "word !word state:cut db:db2 waiting>0")
PANEL_LEAST, PANEL_MOST = 5, 12  # lines of the panel; the weightiest facts come first
TABLE_AND_PLOTS = 7  # rows that the panel leaves where there is little room


class DatabaseScreen(NodeView[MatrixItem]):
    """The pair above, the matrix, plots below."""

    TITLE_TEXT = "Database: the servers attached to each"
    KEEP_BELOW = 3

    def __init__(self) -> None:
        super().__init__(CONTENT)

    def items(self, view: View) -> Sequence[MatrixItem]:
        """The databases and the servers."""
        if view.snapshot is None:
            return ()
        self.table.use(matrix_sheet(names_of(view.snapshot)))
        return matrix_items(view.snapshot, view.now)

    def above(self, view: View, width: int, room: int) -> Sequence[Line]:
        """The pair."""
        if view.snapshot is None:
            return ()
        wanted = max(PANEL_LEAST, min(PANEL_MOST, room - TABLE_AND_PLOTS))
        told = guard_lines(view.snapshot, width, max(1, room - wanted - 1))
        return (rule(width), *panel_lines(view.snapshot, width, wanted - len(told)), *told)[:room]

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """Plots: as many and as high as there is room for, bytes and seconds behind first."""
        if view.snapshot is None or room < 3:
            return ()
        apart = [BLANK] if room > LEAST + 1 else []
        trends, plots = self.dashboard.trends, pair_plots(view.snapshot)
        return [*apart, *fitting_plots(plots, trends, view.snapshot.at, width, room - len(apart))]

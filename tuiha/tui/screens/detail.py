"""The detail of one node."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.detail import detail_lines
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.screens.base import ReadingScreen


class DetailScreen(ReadingScreen):
    """Everything that is known of the node that was chosen."""

    TITLE_TEXT = "Detail of a node"

    def __init__(self) -> None:
        super().__init__()
        self._node = ""

    def choose(self, node: str) -> None:
        """Show that node from now on."""
        self._node = node

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The node's detail."""
        return detail_lines(view, self._node, self.dashboard.history, width)

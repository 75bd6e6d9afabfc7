"""The detail of one node."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.facts import NodeKind
from tuiha.tui.draw.rows import Row, rows_of
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import bindings
from tuiha.tui.kit.screen import READING_KEYS, ReadingScreen
from tuiha.tui.operations.node_keys import ACTING_KEYS, ActingScreen
from tuiha.tui.views.detail.sheet import detail_lines
from tuiha.tui.views.users.server_users import ServerUsers

AGAIN = 5.0  # seconds between two looks at a server's users
NEAR = 20  # lines before the end of the list from which on the next page is read
DETAIL_KEYS = (*ACTING_KEYS, *READING_KEYS)


class DetailScreen(ReadingScreen, ActingScreen):
    """Everything that is known of the node that was chosen; the keys of operations mean that node."""

    KEYS = DETAIL_KEYS
    BINDINGS = bindings(DETAIL_KEYS)  # type: ignore[assignment]
    TITLE_TEXT = "Detail of a node"
    OF_THE_POOL = True

    def __init__(self) -> None:
        super().__init__()
        self._node = ""
        self._users = ServerUsers(lambda: self.dashboard.operations, self._paint_again)

    def choose(self, node: str) -> None:
        """Show that node from now on."""
        self._node, self._top = node, 0
        self.marked = ()

    def on_screen_resume(self) -> None:
        """In front: read the users of a server, now and every few seconds; never those of a recorded one."""
        row = self.row_under_cursor
        server = row is not None and row.kind is NodeKind.SERVER and not self.dashboard.past.active
        self._users.choose(self._node if server else "")
        self.repeat(AGAIN, self._users.ask)
        self._users.ask()

    def _paint_again(self) -> None:
        if self.is_current:
            self.dashboard.paint()

    @property
    def row_under_cursor(self) -> Row | None:
        """The node."""
        view = self.dashboard.view
        rows = () if view.snapshot is None else rows_of(view.snapshot, view.now)
        return next((row for row in rows if row.name == self._node), None)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The node's detail; the users of a server are last, as there may be many."""
        detail = detail_lines(view, self._node, self.dashboard.trends, width, self.size.height)
        return (*detail, *self._users.lines(view.now, width))

    def paint(self, live: View, body: View) -> None:
        """Draw; near the end of the list the next page is read."""
        super().paint(live, body)
        if self._top + self.size.height + NEAR > self._length and self._top:
            self._users.read_on()

"""The list of pools: one line each, and `enter` opens one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from textual.binding import Binding

from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.theme import Palette
from tuiha.tui.views.wall.feeds import Watched, Watching
from tuiha.tui.views.wall.pools import OnWall, list_lines


class Picker(Watching, inherit_bindings=False):
    """Chooses a pool: its result is the number of the pool, or None."""

    BINDINGS = [  # noqa: RUF012
        Binding("j,down", "move(1)", "down"), Binding("k,up", "move(-1)", "up"),
        Binding("g,home", "move(-1000000)", "first"), Binding("G,end", "move(1000000)", "last"),
        Binding("enter", "open", "open"), Binding("q,ctrl+c", "quit", "leave"),
        Binding("ctrl+z", "suspend_process", "suspend"),
    ]

    def __init__(
        self, pools: Sequence[Watched], palette: Palette, *, first: int = 0, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(pools, palette, now)
        self.cursor = first
        self.chosen: int | None = None
        self._trends = Trends(lambda _node, _metric: ())

    def drawn(self, width: int, height: int) -> Sequence[Line]:
        """The list."""
        now = self.now()
        pools = [OnWall(View(watched.pool, now, "LOCKED", False, watched.feed.latest()), self._trends,
                        self.failed.get(watched.pool, "")) for watched in self.pools]
        return list_lines(pools, self.cursor, now, width, height)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self.cursor + rows, len(self.pools) - 1))
        self.paint()

    def action_open(self) -> None:
        """Open the pool under the cursor."""
        self.chosen = self.cursor
        self.exit(0)

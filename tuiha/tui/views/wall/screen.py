"""The wall: for a screen that everybody sees and nobody touches. Nothing that acts is imported here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.theme import Palette
from tuiha.tui.views.wall.feeds import Watched, Watching
from tuiha.tui.views.wall.picture import WALL, wall_lines
from tuiha.tui.views.wall.pools import OnWall

CYCLE = 10.0  # seconds that a pool is shown, where there are several


class Wall(Watching):
    """One pool after the other in large figures. `q` is the only key."""

    def __init__(
        self, pools: Sequence[Watched], palette: Palette, *, cycle: float = CYCLE, clock: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(pools, palette, now)
        self._cycle = cycle
        self._clock = clock
        self._began = now()
        self._trends = [Trends(watched.feed.history) for watched in self.pools]

    @property
    def shown(self) -> int:
        """The number of the pool that is shown now."""
        return int(max(0.0, self.now() - self._began) // self._cycle) % max(1, len(self.pools))

    def drawn(self, width: int, height: int) -> Sequence[Line]:
        """The wall."""
        return wall_lines(self.on_wall(), self.shown, width, height)

    def on_wall(self) -> tuple[OnWall, ...]:
        """All pools as they are known now."""
        return tuple(
            OnWall(View(watched.pool, self.now(), WALL, False, watched.feed.latest(), watched.feed.events(),
                        self._clock), trends, self.failed.get(watched.pool, ""), self._began, watched.day())
            for watched, trends in zip(self.pools, self._trends, strict=True))

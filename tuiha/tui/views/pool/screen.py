"""View 0: the whole pool's figures over the last 15 minutes."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.lists import problem_lines, rule
from tuiha.tui.draw.plots import fitting_plots
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.kit.screen import ReadingScreen
from tuiha.tui.views.pool.plots import pool_plots


class PoolFiguresScreen(ReadingScreen):
    """Plots of users, availability, requests, latency, replication lag and what is held; the problems above them."""

    TITLE_TEXT = "The pool over 15 minutes"
    OF_THE_POOL = True

    def text(self, view: View, width: int) -> Sequence[Line]:
        """Problems, then plots as high as the terminal allows."""
        if view.snapshot is None:
            return ()
        problems = problem_lines(view.snapshot.problems, view.known_at, width)
        lines = [*problems, rule(width, self.TITLE_TEXT)] if problems else []
        room = self.size.height - 5 - len(lines)
        trends = self.dashboard.trends
        return [*lines, *fitting_plots(pool_plots(view.snapshot), trends, view.snapshot.at, width, room, every=True)]

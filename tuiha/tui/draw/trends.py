"""Trends: the means that sparklines show, worked out again only every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuiha.tui.draw.marks import buckets

History = Callable[[str, str], Sequence[float | None]]
KEPT = 4096  # trends
EVERY = 5.0  # seconds: a column of a sparkline stands for a minute or more


class Trends:
    """Means of the last 15 minutes by node, metric and number of columns."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._made: dict[tuple[str, str, int], tuple[int, tuple[float | None, ...]]] = {}

    def means(self, node: str, metric: str, columns: int, at: float) -> tuple[float | None, ...]:
        """The means in so many columns, oldest first, as of `at` (unix seconds)."""
        key, turn = (node, metric, columns), int(at // EVERY)
        known = self._made.get(key)
        if known is None or known[0] != turn:
            if len(self._made) >= KEPT:
                self._made.clear()
            known = (turn, tuple(buckets(self.history(node, metric), columns, at)))
            self._made[key] = known
        return known[1]

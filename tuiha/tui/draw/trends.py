"""Trends: the means that sparklines show, worked out again only every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuiha.tui.draw.marks import buckets

History = Callable[[str, str], Sequence[float | None]]
SPAN = 900.0  # seconds that a history covers
KEPT = 4096  # trends
EVERY = 5.0  # seconds: a column of a sparkline stands for a minute or more


class Trends:
    """Means of the last 15 minutes by node, metric and number of columns."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._made: dict[tuple[str, str, int, float], tuple[int, tuple[float | None, ...]]] = {}

    def known(self, node: str, metric: str) -> float:
        """Seconds for which the figure is known, back from now."""
        values = self.history(node, metric)
        first = next((place for place, value in enumerate(values) if value is not None), len(values))
        return SPAN * (len(values) - first) / len(values) if values else 0.0

    def means(
        self, node: str, metric: str, columns: int, at: float, seconds: float = SPAN
    ) -> tuple[float | None, ...]:
        """The means of the last `seconds` in so many columns, oldest first, as of `at` (unix seconds)."""
        key, turn = (node, metric, columns, seconds), int(at // EVERY)
        known = self._made.get(key)
        if known is None or known[0] != turn:
            if len(self._made) >= KEPT:
                self._made.clear()
            values = self.history(node, metric)
            newest = values[-max(1, round(len(values) * seconds / SPAN)) :]
            known = (turn, tuple(buckets(newest, columns, at, seconds)))
            self._made[key] = known
        return known[1]

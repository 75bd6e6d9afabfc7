"""The last quarter of an hour of this server's own figures, for the plots of a dashboard that has just begun."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from tuiha.model.reports import SERVER_FIGURES, PastFigures, ServerReport

STEP = 10.0  # seconds from value to value
POINTS = 90  # values of each figure
Point = tuple[float | None, ...]  # a value of each figure


class KeptFigures:
    """Notes the figures of this server's report every few seconds, and forgets the oldest ones."""

    def __init__(self, report: Callable[[], ServerReport], now: Callable[[], float] = time.monotonic) -> None:
        self._report, self._now = report, now
        self._points: deque[tuple[int, Point]] = deque(maxlen=POINTS)  # with the number of the step, oldest first
        self._noted_at = 0.0

    async def run(self) -> None:
        """Note them until cancelled."""
        while True:
            self.note()
            await asyncio.sleep(STEP - self._now() % STEP)

    def note(self) -> None:
        """Note what they are now; the first ones in a step stay."""
        report, now = self._report(), self._now()
        step = int(now // STEP)
        if not self._points or step > self._points[-1][0]:
            self._points.append((step, tuple(getattr(report, name) for name in SERVER_FIGURES)))
            self._noted_at = now

    def past(self) -> PastFigures:
        """The figures so far. A step in which nothing was noted has no values."""
        points = dict(self._points)
        newest = max(points, default=0)
        steps = range(max(min(points, default=1), newest - POINTS + 1), newest + 1)
        unknown: Point = (None,) * len(SERVER_FIGURES)
        return PastFigures(
            self._report().name, STEP, round(self._now() - self._noted_at, 1),
            {name: tuple(points.get(step, unknown)[place] for step in steps)
             for place, name in enumerate(SERVER_FIGURES)})

"""View 3: the sprayers, and what is behind each."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.plots import LEAST, fitting_plots
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.kit.filtered import Content
from tuiha.tui.views.nodes.screen import NodeView
from tuiha.tui.views.sprayers.rows import (
    FIELDS,
    ORDERS,
    SHEET,
    SprayerItem,
    sprayer_items,
    sprayer_plots,
    that_carry,
)

CONTENT = Content(SHEET, ORDERS, FIELDS, "word !word state:down sessions>100 queue>0")


class SprayersScreen(NodeView[SprayerItem]):
    """The table, and plots of the sprayer under the cursor or of all, as there is room."""

    TITLE_TEXT = "Sprayers"
    KEEP_BELOW = LEAST + 2

    def __init__(self) -> None:
        super().__init__(CONTENT)

    def items(self, view: View) -> Sequence[SprayerItem]:
        """Sprayers and servers; what is looked for is not folded away."""
        return () if view.snapshot is None else sprayer_items(view.snapshot, view.now, fold=not self._filter.text)

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """Plots: of all sprayers, else of the one under the cursor."""
        current = self.table.current
        if view.snapshot is not None and not view.snapshot.sprayers:
            return (Line(fit(((" the configuration names no sprayer", "quiet"),), width)),)
        if view.snapshot is None or current is None or room < 4:
            return ()
        every = that_carry(tuple(sprayer.name for sprayer in view.snapshot.sprayers), self.dashboard.trends)
        names = every if room >= len(every) * (LEAST + 2) + 1 else (current.sprayer.name,)
        drawn = fitting_plots(sprayer_plots(names), self.dashboard.trends, view.snapshot.at, width, room - 1)
        return [BLANK, *drawn]

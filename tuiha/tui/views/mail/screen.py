"""View 4: the mail clusters."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.words import natural
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.plots import GOOD, LEAST, fitting_plots
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.kit.filtered import Content
from tuiha.tui.views.mail.rows import FIELDS, ORDERS, SHEET, MailItem, cluster_lines, mail_items, mail_plots
from tuiha.tui.views.nodes.screen import NodeView

CONTENT = Content(SHEET, ORDERS, FIELDS, "word !word cluster:east state:down users>500 without>0")
CLUSTERS = 8  # lines above the table, at most


class MailScreen(NodeView[MailItem]):
    """Each cluster in a line, the servers, and plots of the cluster under the cursor, or of the one server there."""

    TITLE_TEXT = "Mail"
    KEEP_BELOW = LEAST + 2

    def __init__(self) -> None:
        super().__init__(CONTENT)

    def items(self, view: View) -> Sequence[MailItem]:
        """The mail servers."""
        return () if view.snapshot is None else mail_items(view.snapshot, view.now)

    def above(self, view: View, width: int, room: int) -> Sequence[Line]:
        """The clusters."""
        if view.snapshot is None:
            return ()
        lines = cluster_lines(mail_items(view.snapshot, view.now), width, min(CLUSTERS, room // 2))
        return (rule(width), *lines)[:room] if lines else ()

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """Plots: of every server in the cluster under the cursor, else of the one there."""
        current = self.table.current
        if view.snapshot is not None and not view.snapshot.mail:
            return (Line(fit(((" the configuration names no mail server", "quiet"),), width)),)
        if view.snapshot is None or current is None or room < 4:
            return ()
        every = tuple(sorted((current.node, *(other.name for other in current.partners)), key=natural))
        names = every if room >= len(every) * (GOOD + 2) + 1 else (current.node,)
        return [BLANK, *fitting_plots(mail_plots(names), self.dashboard.trends, view.snapshot.at, width, room - 1)]

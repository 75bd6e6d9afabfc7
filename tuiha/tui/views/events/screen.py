"""View 7: what changed, and when."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.spans import Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.kit.filtered import Content
from tuiha.tui.kit.tabular import TableView
from tuiha.tui.views.detail.sheet import find_node
from tuiha.tui.views.events.rows import FIELDS, ORDERS, SHEET, EventItem, event_items

CONTENT = Content(SHEET, ORDERS, FIELDS, "word !word node:s2 severity:bad age<600")


class EventsScreen(TableView[EventItem]):
    """The events, newest first; `enter` opens the node that an event is of."""

    TITLE_TEXT = "Events"

    def __init__(self) -> None:
        super().__init__(CONTENT)

    def items(self, view: View) -> Sequence[EventItem]:
        """All that are kept."""
        return event_items(view.events, view.now)

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """Why the table is empty, when it is."""
        text = " nothing has changed since this dashboard started"
        return () if view.events else (Line(fit(((text, "quiet"),), width)),)

    def opened(self, item: EventItem) -> None:
        """The node's detail."""
        snapshot = self.dashboard.view.snapshot
        if snapshot is not None and find_node(snapshot, item.event.subject) is not None:
            self.dashboard.show_detail(item.event.subject)
        else:
            self.say(f"{item.event.subject} is not one of the nodes")

"""A screen with a line to type into and a list that follows what is typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events

from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import Span
from tuiha.tui.draw.view import View
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.offers import Offer, offer_lines
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import PoolScreen


class PromptScreen(PoolScreen):
    """Lines 1 to 3, the list, the line to type into. `esc` only goes back."""

    PROMPT: ClassVar[str] = "> "

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._body = Paper(id="body")
        self._entry = Entry(self.PROMPT, id="entry")
        self._cursor = 0
        self._offers: tuple[Offer, ...] = ()

    def compose(self) -> Sequence[Paper]:
        """The list above the line."""
        return (self._head, self._body, self._entry)

    def offers(self, text: str) -> Sequence[Offer]:
        """What fits the text typed so far."""
        raise NotImplementedError

    def remark(self, text: str) -> Span:
        """What stands at the right of the text."""
        raise NotImplementedError

    async def choose(self, text: str, offer: Offer | None) -> None:
        """Enter: do it; the screen is left already."""
        raise NotImplementedError

    def refused(self, text: str, offer: Offer | None) -> str:
        """Why enter does nothing now, in place of the remark; empty when it does something."""
        return "" if offer is None else offer.against and f"not now: {offer.against}"

    @property
    def offer(self) -> Offer | None:
        """The one under the cursor."""
        return self._offers[self._cursor] if self._offers else None

    def start(self, text: str) -> None:
        """Begin with that text."""
        self._cursor = 0
        self._entry.begin(text)

    def on_screen_resume(self) -> None:
        """In front: type."""
        self._entry.start(self._entry.text, self.remark(self._entry.text))

    def take(self, event: events.Key) -> bool:
        """Every key is the line's, whether it has the focus yet or not."""
        self._entry.on_key(event)
        return True

    def paint(self, live: View, body: View) -> None:
        """Draw."""
        width, height = self.size
        if not width or not height:
            return
        self._offers = tuple(self.offers(self._entry.text))
        self._cursor = max(0, min(self._cursor, len(self._offers) - 1))
        head_rows = min(4, max(0, height - 3))
        self._head.show((*head(live, width), rule(width, self.TITLE_TEXT))[:head_rows], head_rows)
        room = max(0, height - head_rows - 1)
        self._body.show(offer_lines(self._offers, self._cursor, width, room), room)
        self._entry.redraw()

    def on_entry_changed(self, message: Entry.Changed) -> None:
        """The list follows."""
        self._cursor = 0
        self._entry.remark(self.remark(message.text))
        self.dashboard.paint()

    def on_entry_steered(self, message: Entry.Steered) -> None:
        """Move in the list."""
        self._cursor = max(0, min(self._cursor + message.rows, len(self._offers) - 1))
        self.dashboard.paint()

    async def on_entry_ended(self, message: Entry.Ended) -> None:
        """Do what was chosen, or only go back."""
        if not self.is_current:
            return
        text, offer = self._entry.text, self.offer
        refused = self.refused(text, offer) if message.kept else ""
        if refused:
            self._entry.remark((refused, "warning"))
            return
        self.set_focus(None)
        self.leave()
        if message.kept:
            self._entry.keep()
            await self.choose(text, offer)

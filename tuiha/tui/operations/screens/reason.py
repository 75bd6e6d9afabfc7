"""The reason of one operation: asked where nothing suggests one, and changed at any time before it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuiha.model.operations.catalogue import LONGEST_REASON
from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import rule, wrapped
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import PoolScreen

_TEXT = (
    ("Enter why you do this. The reason is recorded with this operation only.", "text"),
    (f"At most {LONGEST_REASON} characters. Nothing starts here.", "quiet"),
)


class ReasonScreen(PoolScreen, inherit_bindings=False):
    """Asks for the reason of one operation."""

    TITLE_TEXT = "Reason"

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._body = Paper(id="body")
        self._entry = Entry("reason: ", id="entry")
        self._title = ""
        self._suggested = ""
        self._then: Callable[[str], None] = _nothing

    def prepare(self, title: str, suggested: str, then: Callable[[str], None]) -> None:
        """Ask about the operation with that title; `then` gets the reason."""
        self._title, self._suggested, self._then = title, suggested, then

    def compose(self) -> Sequence[Paper]:
        """Head, text, the line to type into."""
        return (self._head, self._body, self._entry)

    def on_screen_resume(self) -> None:
        """In front: begin with what is suggested, ready to be changed."""
        self._entry.start(self._suggested, ("enter accept   ctrl+u empty   esc back", "quiet"))

    def paint(self, live: View, body: View) -> None:
        """Draw."""
        width, height = self.size
        if not width or not height:
            return
        room = max(1, height - 5)
        self._head.show((*head(live, width), rule(width)), min(4, height))
        lines = [Line(fit(((" REASON  ", "armed bold"), (self._title, "strong bold")), width)), BLANK]
        lines += [Line(fit(((f" {part}", style),), width))
                  for text, style in _TEXT for part in wrapped(text, width - 2)]
        self._body.show((*lines[:room], *[BLANK] * (room - len(lines))), room)
        self._entry.redraw()

    def on_entry_ended(self, message: Entry.Ended) -> None:
        """Hand the reason on, or only go back."""
        reason = self._entry.text.strip()
        if message.kept and not reason:
            self._entry.start("", ("type a few words   esc back", "warning"))
            return
        self.set_focus(None)
        self.leave()
        if message.kept:
            self._then(reason)


def _nothing(_: str) -> None:
    """Before anything was asked."""

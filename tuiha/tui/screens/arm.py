"""WRITE: asks why, and allows changes for a quarter of an hour."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.screens.base import PoolScreen
from tuiha.tui.widgets.entry import Entry
from tuiha.tui.widgets.paper import Paper

_TEXT = (
    (" WRITE for 15 minutes", "armed bold"),
    ("", "text"),
    (" Say why. The reason is kept with every operation that you start.", "text"),
    (" Being armed changes nothing: each operation is planned and confirmed by name.", "quiet"),
    (" w again ends it.", "quiet"),
)


class ArmScreen(PoolScreen, inherit_bindings=False):
    """Asks for the reason."""

    TITLE_TEXT = "WRITE"

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._body = Paper(id="body")
        self._entry = Entry("reason: ", id="entry")

    def compose(self) -> Sequence[Paper]:
        """Head, text, the line to type into."""
        return (self._head, self._body, self._entry)

    def on_screen_resume(self) -> None:
        """In front: begin with an empty line."""
        self._entry.start("", ("enter arm   esc back", "quiet"))
        super().on_screen_resume()

    def paint(self, live: View, body: View) -> None:
        """Draw."""
        width, height = self.size
        if not width or not height:
            return
        room = max(1, height - 5)
        self._head.show((*head(live, width), rule(width)), min(4, height))
        lines = [Line(fit((span,), width)) for span in _TEXT][:room]
        self._body.show((*lines, *[BLANK] * (room - len(lines))), room)

    def on_entry_ended(self, message: Entry.Ended) -> None:
        """Arm, or do not."""
        if message.kept and not self.dashboard.operations.arm(self._entry.text):
            self._entry.start("", ("a few words are needed   esc back", "warning"))
            return
        self.set_focus(None)
        self.leave()

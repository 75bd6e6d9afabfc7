"""Unlocking: asks why, and allows changes for a quarter of an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuiha.model.facts import Severity, Snapshot
from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import rule, wrapped
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.reasons import told

_TEXT = (
    (" UNLOCK changes for 15 minutes", "armed bold"),
    ("", "text"),
    (" Say why. Each operation has a reason of its own: this one goes with the first.", "text"),
    (" Unlocking changes nothing: each operation is planned and confirmed by name.", "quiet"),
    (" w locks them again.", "quiet"),
)
_THEN = " Changes are locked. Type a reason to unlock them; then your key continues."


def suggested(snapshot: Snapshot | None) -> str:
    """A reason that the pool itself gives: its worst problem; empty when nothing is bad."""
    problems = () if snapshot is None else snapshot.problems
    return told(next((problem for problem in problems if problem.severity is Severity.BAD), None))


class UnlockScreen(PoolScreen, inherit_bindings=False):
    """Asks for the reason."""

    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "unlock"

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._body = Paper(id="body")
        self._entry = Entry("reason: ", id="entry")
        self._then: Callable[[], None] | None = None
        self._suggested = ""

    def prepare(self, then: Callable[[], None] | None) -> None:
        """`then` is done when a reason was given: what the key wanted that led here."""
        self._then = then
        self._suggested = suggested(self.dashboard.view.snapshot)

    def compose(self) -> Sequence[Paper]:
        """Head, text, the line to type into."""
        return (self._head, self._body, self._entry)

    def on_screen_resume(self) -> None:
        """In front: begin with an empty line."""
        takes = f"enter takes: {self._suggested}" if self._suggested else "enter unlock"
        self._entry.start("", (f"{takes}   esc back", "quiet"))

    def paint(self, live: View, body: View) -> None:
        """Draw."""
        width, height = self.size
        if not width or not height:
            return
        room = max(1, height - 5)
        self._head.show((*head(live, width), rule(width)), min(4, height))
        told = list(_TEXT)
        if self._then is not None:
            told.insert(2, (_THEN, "warning"))
        lines = [Line(fit(((f" {part}", style),), width)) for text, style in told for part in wrapped(text, width - 2)]
        lines = lines[:room]
        self._body.show((*lines, *[BLANK] * (room - len(lines))), room)

    def on_entry_ended(self, message: Entry.Ended) -> None:
        """Unlock, or do not."""
        reason, given = self._entry.text.strip() or self._suggested, self._then is not None
        if message.kept and not self.dashboard.operations.unlock(reason, given=given):
            self._entry.start("", ("a few words are needed   esc back", "warning"))
            return
        then, self._then = self._then, None
        self.set_focus(None)
        self.leave()
        if message.kept and then is not None:
            then()

"""A line to type into by hand: what is pasted, repeated by a held key or sent in a burst is refused."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tuiha.tui.draw.spans import Line, Span, fit, width_of
from tuiha.tui.kit.entry import SUSPENDS
from tuiha.tui.kit.paper import Paper

PACE = 0.3  # seconds that one key comes after the other at least
LONGEST = 300  # characters: `override` and the longest name (a user has at most 256)


class PacedEntry(Paper, can_focus=True):
    """One line of text. A key too soon after the one before it empties the line: nobody can have meant it."""

    class Finished(Message):
        """ctrl+x: this is what was typed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """esc, ctrl+c or enter: nothing is to happen."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._remark: Span = ("", "quiet")
        self._last = 0.0

    def start(self, time: float) -> None:
        """Begin empty. Keys count from `time` on, by the clock of key events."""
        self._last = time
        self.empty("")
        self.focus()

    def empty(self, remark: str) -> None:
        """Empty the line and say why."""
        self._text = ""
        self._say((remark, "warning"))

    def redraw(self) -> None:
        """Draw again, for another size."""
        self._say(self._remark)

    def _say(self, remark: Span) -> None:
        self._remark = remark
        width = self.app.size.width
        spans: tuple[Span, ...] = (
            (" > ", "armed bold"), (_end(self._text, width - 5), "strong bold"), ("▏", "armed"), ("   ", "text"),
            remark,
        )
        self.show((Line(fit(spans, width), "cursor"),), 1)

    def on_key(self, event: events.Key) -> None:
        """Take every key. Leaving is never refused; everything else has to come at the pace of a hand."""
        event.stop()
        event.prevent_default()
        if event.key == SUSPENDS:
            self.app.action_suspend_process()
            return
        too_soon, self._last = event.time - self._last < PACE, event.time
        if event.key in ("escape", "enter", "ctrl+c"):
            self.post_message(self.Left())
        elif too_soon:
            self.empty("refused, too quick: start again, one key after the other")
        elif event.key == "ctrl+x":
            text, self._text = self._text, ""
            self.post_message(self.Finished(text.strip()))
        elif event.key == "backspace":
            self._text = self._text[:-1]
            self._say(("", "quiet"))
        elif event.is_printable and event.character:
            self._text = (self._text + event.character)[:LONGEST]
            self._say(("", "quiet"))

    def on_paste(self, event: events.Paste) -> None:
        """Refuse what is pasted."""
        event.stop()
        event.prevent_default()
        self._last = event.time
        self.empty("refused: pasted; type it by hand")


def _end(text: str, room: int) -> str:
    """The end of a text, where the next letter comes: as much as there is room for."""
    shown = text
    while shown and width_of([(shown, "")]) > room:
        shown = shown[1:]
    return shown

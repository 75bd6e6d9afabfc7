"""A line to type into by hand: what is pasted, repeated by a held key or sent in a burst is refused."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tuiha.tui.draw.spans import Line, Span, fit
from tuiha.tui.kit.entry import SUSPENDS
from tuiha.tui.kit.keyboard import HandPace, Typed
from tuiha.tui.kit.paper import Paper

PASTED = "refused: this was pasted. Type it by hand"
TOO_QUICK = "refused: too quick for a hand. Type it again, one key after the other"
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
        self._typed = Typed()
        self._remark: Span = ("", "quiet")
        self._pace = HandPace()

    def start(self, time: float) -> None:
        """Begin empty. Keys count from `time` on, by the clock of key events."""
        self._pace = HandPace((time,))
        self.empty("")
        self.focus()

    def empty(self, remark: str) -> None:
        """Empty the line and say why."""
        self._typed = Typed()
        self._say((remark, "warning"))

    def redraw(self) -> None:
        """Draw again, for another size."""
        self._say(self._remark)

    def _say(self, remark: Span) -> None:
        self._remark = remark
        width = self.app.size.width
        before, after = self._typed.sight(width - 5)
        spans: tuple[Span, ...] = (
            (" > ", "armed bold"), (before, "strong bold"), ("▏", "armed"), (after, "strong bold"), ("   ", "text"),
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
        self._pace = self._pace.after(event.time)
        edited = self._typed.edited(event.key)
        if event.key in ("escape", "enter", "ctrl+c"):
            self.post_message(self.Left())
        elif self._pace.too_quick:
            self.empty(TOO_QUICK)
        elif event.key == "ctrl+x":
            text, self._typed = self._typed.text, Typed()
            self.post_message(self.Finished(text.strip()))
        elif edited is not None:
            self._change(edited)
        elif event.is_printable and event.character:
            self._change(self._typed.added(event.character, LONGEST))

    def _change(self, typed: Typed) -> None:
        self._typed = typed
        self._say(("", "quiet"))

    def on_paste(self, event: events.Paste) -> None:
        """Refuse what is pasted."""
        event.stop()
        event.prevent_default()
        self._pace = self._pace.after(event.time)
        self.empty(PASTED)

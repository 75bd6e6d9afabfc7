"""A line to type into, without a blinking cursor."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tuiha.tui.draw.spans import Line, Span, clean, fit, width_of
from tuiha.tui.kit.keyboard import Entered, Typed, ended
from tuiha.tui.kit.paper import Paper

LONGEST = 200  # characters
SUSPENDS = "ctrl+z"


class Entry(Paper, can_focus=True):
    """One line of text. It tells each change, and how typing ended."""

    class Changed(Message):
        """The text is another one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Ended(Message):
        """Typing is over: kept (enter) or dropped (esc, ctrl+c)."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    class Steered(Message):
        """A key that moves in a list beside the text: by so many rows, or the one that completes."""

        def __init__(self, rows: int, tab: bool) -> None:
            super().__init__()
            self.rows = rows
            self.tab = tab

    def __init__(self, prompt: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._prompt = prompt
        self._remark: Span = ("", "quiet")
        self._typed = Typed()
        self._entered = Entered()

    @property
    def text(self) -> str:
        """What was typed so far."""
        return self._typed.text

    @property
    def earlier(self) -> bool:
        """Whether a text was entered here before."""
        return bool(self._entered.texts)

    def keep(self) -> None:
        """Remember this text, until the dashboard is left."""
        self._entered = self._entered.kept(self.text)

    def begin(self, text: str) -> None:
        """Have this text in the line, with the cursor at its end; nobody is told."""
        self._typed = ended(text)

    def start(self, text: str, remark: Span) -> None:
        """Begin with a text; the remark stands at the right."""
        self.begin(text)
        self.remark(remark)
        self.screen.set_focus(self)
        self.focus()  # once more, later: a widget that was just mounted does not take it yet

    def recall(self, places: int) -> bool:
        """Have the text that was entered before this one (-1) or after it (1); False when there is none."""
        recalled = {-1: self._entered.before, 1: self._entered.after}[places](self.text)
        if recalled is not None:
            self.replace(recalled)
        return recalled is not None

    def remark(self, remark: Span) -> None:
        """Change the remark at the right."""
        self._remark = remark
        width = self.app.size.width
        before, after = self._typed.sight(width - width_of([(self._prompt, "")]) - 3)
        spans: tuple[Span, ...] = (
            (f" {self._prompt}", "flow bold"), (before, "strong"), ("▏", "flow"), (after, "strong"), ("   ", "text"),
            remark,
        )
        self.show((Line(fit(spans, width), "cursor"),), 1)

    def redraw(self) -> None:
        """Draw again, for another size."""
        self.remark(self._remark)

    def replace(self, text: str) -> None:
        """Another text, as if it had been typed."""
        self._change(ended(text[:LONGEST]))

    def on_key(self, event: events.Key) -> None:
        """Take every key; what is not text and has no meaning here does nothing."""
        event.stop()
        event.prevent_default()
        if event.key == SUSPENDS:
            self.app.action_suspend_process()
            return
        edited = self._typed.edited(event.key)
        if event.key in _ENDS:
            self.post_message(self.Ended(_ENDS[event.key]))
        elif event.key in _RECALLS:
            self.recall(_RECALLS[event.key])
        elif event.key in _STEERS:
            self.post_message(self.Steered(*_STEERS[event.key]))
        elif edited is not None:
            self._change(edited)
        elif event.is_printable and event.character and (self.text or event.character != self._prompt.strip()):
            self._change(self._typed.added(event.character, LONGEST))  # not the key that opens it, pressed once more

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is text, whatever is in it."""
        event.stop()
        self._change(self._typed.added(clean(event.text), LONGEST))

    def _change(self, typed: Typed) -> None:
        before, self._typed = self._typed, typed
        self.remark(self._remark)
        if typed.text != before.text:
            self.post_message(self.Changed(self.text))


_RECALLS = {"ctrl+p": -1, "ctrl+n": 1}  # as in a shell; a screen may have its arrows do the same
_ENDS = {"enter": True, "escape": False, "ctrl+c": False}
_STEERS = {
    "down": (1, False), "up": (-1, False), "pagedown": (10, False), "pageup": (-10, False),
    "tab": (1, True), "shift+tab": (-1, True),
}

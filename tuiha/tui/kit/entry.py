"""A line to type into, without a blinking cursor."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.message import Message

from tuiha.tui.draw.spans import Line, Span, clean, fit
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
        self.text = ""

    def start(self, text: str, remark: Span) -> None:
        """Begin with a text; the remark stands at the right."""
        self.text = text
        self.remark(remark)
        self.screen.set_focus(self)
        self.focus()  # once more, later: a widget that was just mounted does not take it yet

    def remark(self, remark: Span) -> None:
        """Change the remark at the right."""
        self._remark = remark
        width = self.app.size.width
        spans: tuple[Span, ...] = (
            (f" {self._prompt}", "flow bold"), (self.text, "strong"), ("▏", "flow"), ("   ", "text"), remark,
        )
        self.show((Line(fit(spans, width), "cursor"),), 1)

    def redraw(self) -> None:
        """Draw again, for another size."""
        self.remark(self._remark)

    def replace(self, text: str) -> None:
        """Another text, as if it had been typed."""
        self._change(text)

    def on_key(self, event: events.Key) -> None:
        """Take every key; what is not text and has no meaning here does nothing."""
        event.stop()
        event.prevent_default()
        if event.key == SUSPENDS:
            self.app.action_suspend_process()
            return
        edit = _EDITS.get(event.key)
        if event.key in _ENDS:
            self.post_message(self.Ended(_ENDS[event.key]))
        elif event.key in _STEERS:
            self.post_message(self.Steered(*_STEERS[event.key]))
        elif edit is not None:
            self._change(edit(self.text))
        elif event.is_printable and event.character and (self.text or event.character != self._prompt.strip()):
            self._change(self.text + event.character)  # not the key that opens it, pressed once more

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is text, whatever is in it."""
        event.stop()
        self._change(self.text + clean(event.text))

    def _change(self, text: str) -> None:
        self.text = text[:LONGEST]
        self.remark(self._remark)
        self.post_message(self.Changed(self.text))


_ENDS = {"enter": True, "escape": False, "ctrl+c": False}
_STEERS = {
    "down": (1, False), "up": (-1, False), "pagedown": (10, False), "pageup": (-10, False),
    "tab": (1, True), "shift+tab": (-1, True),
}
_EDITS: dict[str, Callable[[str], str]] = {
    "backspace": lambda text: text[:-1],
    "ctrl+h": lambda text: text[:-1],
    "ctrl+w": lambda text: text.rstrip().rpartition(" ")[0],
    "ctrl+u": lambda text: "",
}

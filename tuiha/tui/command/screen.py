"""The command line: the words of the shell command, completed as they are typed."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.command.asked import AskedNames
from tuiha.tui.command.grammar import Unclear, complete, completed, parse
from tuiha.tui.draw.spans import Span
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.offers import Offer
from tuiha.tui.kit.prompt import PromptScreen
from tuiha.tui.operations.application import OperatingApplication


class CommandScreen(PromptScreen):
    """`:drain s2` is `tuiha plan drain s2`: a plan on the screen, and nothing happens before it is confirmed."""

    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "Commands"
    PROMPT = ":"

    def __init__(self) -> None:
        super().__init__()
        self._asked = AskedNames(lambda: self.dashboard.operations, self._answered)

    def start(self, text: str) -> None:
        """Begin with that text; names are asked for again."""
        self._asked.forget()
        super().start(text)

    def _answered(self) -> None:
        if self.is_current:
            self.dashboard.paint()

    def offers(self, text: str) -> Sequence[Offer]:
        """How the last word can go on."""
        operations = self.dashboard.operations
        return complete(text, self.dashboard.view.snapshot, operations.against(), self._asked.names)

    def remark(self, text: str) -> Span:
        """What is wrong with it so far, or how it is used."""
        try:
            command = parse(text)[0] if text.strip() else None
        except Unclear as unclear:
            return (str(unclear), "quiet")
        if command is not None:
            return (command.help, "quiet")
        return (f"tab complete{'   up earlier' if self._entry.earlier else ''}   enter do it   esc back", "quiet")

    def refused(self, text: str, offer: Offer | None) -> str:
        """Why it cannot be done."""
        try:
            command, words, _ = parse(text)
        except Unclear as unclear:
            return str(unclear)
        against = self.dashboard.operations.against() if command.danger else None
        return f"not now: {against}" if against else command.check(self.dashboard, words)

    def on_entry_steered(self, message: Entry.Steered) -> None:
        """Tab puts the completion in; arrows recall what was entered before, or else move in the list."""
        message.prevent_default()  # every class of a screen hears of a message
        if message.tab:
            if self.offer is not None:
                self._entry.replace(completed(self._entry.text, self.offer.name))
        elif self._cursor or abs(message.rows) > 1 or not self._entry.recall(message.rows):
            super().on_entry_steered(message)

    async def choose(self, text: str, offer: Offer | None) -> None:
        """Do it."""
        command, words, options = parse(text)
        command.run(self.dashboard, words, options)

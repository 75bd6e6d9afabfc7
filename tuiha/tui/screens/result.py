"""Result: what is certain now, what it cost, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.operation_run import result_lines
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.operator import OperationFacts
from tuiha.tui.screens.base import BACK, MOVES, ReadingScreen

RESULT_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("result.copy", "y", "copy", "copy the equal shell command", "copy command"),
    BACK, *EVERYWHERE,
)


class ResultScreen(ReadingScreen, inherit_bindings=False):
    """An operation that has ended."""

    KEYS = RESULT_KEYS
    BINDINGS = bindings(RESULT_KEYS)
    TITLE_TEXT = "Result"

    def __init__(self) -> None:
        super().__init__()
        self._facts: OperationFacts | None = None

    def choose(self, facts: OperationFacts) -> None:
        """Show this one."""
        self._facts, self._top = facts, 0

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The facts."""
        return () if self._facts is None else result_lines(self._facts, width)

    def action_copy(self) -> None:
        """Into the terminal's clipboard (OSC 52)."""
        if self._facts is not None and self._facts.command:
            self.app.copy_to_clipboard(self._facts.command)
            self.say("copied")

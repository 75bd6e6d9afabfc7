"""Result: what is certain now, what it cost, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.lines.run import result_lines
from tuiha.tui.operations.operator import StartedOperation
from tuiha.tui.operations.possible import keys_of
from tuiha.tui.operations.screens.plan import COPY
from tuiha.tui.operations.steer import STEER_KEYS, SteeringScreen

RESULT_KEYS: tuple[Key, ...] = (
    COPY, *MOVES, UNLOCK, BACK, *(key for key in EVERYWHERE if key.id != COPY.id), *STEER_KEYS,
)


class ResultScreen(SteeringScreen, ReadingScreen, inherit_bindings=False):
    """An operation that has ended, or that nothing runs any more."""

    KEYS = RESULT_KEYS
    BINDINGS = bindings(RESULT_KEYS)
    TITLE_TEXT = "Result"

    def __init__(self) -> None:
        super().__init__()
        self._facts: StartedOperation | None = None

    @property
    def operation(self) -> StartedOperation | None:
        """The one that is shown."""
        return self._facts

    def choose(self, facts: StartedOperation) -> None:
        """Show this one."""
        self._facts, self._top = facts, 0

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The facts, and the keys that lead on when something is left to be done."""
        if self._facts is None:
            return ()
        return result_lines(self._facts, width, keys_of(self._facts))

    def shell_command(self) -> str:
        """What does the same in a shell."""
        return super().shell_command() if self._facts is None else self._facts.command

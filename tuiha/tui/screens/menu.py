"""What can be failed over, before anything is planned."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.choices import Choice, choices, menu_lines
from tuiha.tui.draw.rows import Row
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.screens.base import ARM, BACK, MOVES, ReadingScreen

MENU_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("menu.plan", "enter", "plan", "plan what is under the cursor; nothing happens", "plan", first=True),
    ARM, BACK, *EVERYWHERE,
)


class MenuScreen(ReadingScreen, inherit_bindings=False):
    """Kinds of operation with their targets; what is not possible says why."""

    KEYS = MENU_KEYS
    BINDINGS = bindings(MENU_KEYS)
    TITLE_TEXT = "Fail over"

    def __init__(self) -> None:
        super().__init__()
        self._row: Row | None = None
        self._cursor = 0
        self._offered: tuple[Choice, ...] = ()

    def choose(self, row: Row | None) -> None:
        """Offer what fits the node under Home's cursor; the cursor starts on the first that is possible."""
        self._row = row
        self._offered = choices(self.dashboard.view.snapshot, row)
        mail = [place for place, choice in enumerate(self._offered) if row and row.name in choice.target]
        free = [place for place, choice in enumerate(self._offered) if not choice.against]
        self._cursor = next((place for place in (*(p for p in mail if p in free), *free)), 0)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The choices."""
        self._offered = choices(view.snapshot, self._row)
        self._cursor = max(0, min(self._cursor, len(self._offered) - 1))
        return menu_lines(self._offered, self._cursor, self.dashboard.operations.against(), width)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._cursor = max(0, min(self._cursor + lines, len(self._offered) - 1))
        self.dashboard.paint()

    def action_first(self) -> None:
        """To the first."""
        self.action_move(-len(self._offered))

    def action_last(self) -> None:
        """To the last."""
        self.action_move(len(self._offered))

    def action_plan(self) -> None:
        """Plan what is under the cursor, when it is offered."""
        if not self._offered:
            return
        choice = self._offered[self._cursor]
        against = self.dashboard.operations.against() or choice.against
        if against:
            self.say(f"not now: {against}")
        else:
            self.dashboard.operations.open_plan(choice.kind, choice.target)

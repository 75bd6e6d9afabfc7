"""Kinds of operation to choose from, before anything is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuiha.model.facts import Snapshot
from tuiha.tui.draw.choices import Choice, menu_lines
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.screens.base import ARM, BACK, MOVES, ReadingScreen
from tuiha.tui.shell import plan_command

MENU_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("menu.plan", "enter", "plan", "plan what is under the cursor; nothing happens", "plan", first=True),
    ARM, BACK, *EVERYWHERE,
)


class MenuScreen(ReadingScreen, inherit_bindings=False):
    """Kinds of operation with their targets; what is not possible says why."""

    KEYS = MENU_KEYS
    BINDINGS = bindings(MENU_KEYS)
    TITLE_TEXT = "Choose"

    def __init__(self) -> None:
        super().__init__()
        self._heading = ""
        self._offer: Callable[[Snapshot | None], tuple[Choice, ...]] = _nothing
        self._cursor = 0
        self._offered: tuple[Choice, ...] = ()

    def offer(self, heading: str, offer: Callable[[Snapshot | None], tuple[Choice, ...]], first: str) -> None:
        """Show what `offer` makes of each snapshot; the cursor starts on what is possible, with `first` if it can."""
        self._heading, self._offer = heading, offer
        self._offered = offer(self.dashboard.view.snapshot)
        free = [place for place, choice in enumerate(self._offered) if not choice.against]
        wanted = [place for place in free if first in self._offered[place].target]
        self._cursor = next(iter((*wanted, *free)), 0)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The choices."""
        self._offered = self._offer(view.snapshot)
        self._cursor = max(0, min(self._cursor, len(self._offered) - 1))
        against = self.dashboard.operations.against()
        return menu_lines(self._heading, self._offered, self._cursor, against, width)

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

    def shell_command(self) -> str:
        """The plan of what is under the cursor."""
        if not self._offered:
            return super().shell_command()
        choice = self._offered[self._cursor]
        return plan_command(choice.kind, choice.target, {})


def _nothing(_: Snapshot | None) -> tuple[Choice, ...]:
    """Before anything is offered."""
    return ()

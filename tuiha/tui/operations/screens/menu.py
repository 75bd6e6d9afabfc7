"""Kinds of operation to choose from, before anything is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tuiha.model.facts import Snapshot
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.choices import Choice, Judged, begun_at, menu_lines
from tuiha.tui.shell import plan_command

ASKED_EVERY = 5.0  # seconds

MENU_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("menu.plan", "enter", "plan", "plan what is under the cursor; nothing happens", "plan", first=True),
    UNLOCK, BACK, *EVERYWHERE,
)


class MenuScreen(ReadingScreen, inherit_bindings=False):
    """Kinds of operation with their targets; what is not possible says why: the operations' own checks are asked."""

    KEYS = MENU_KEYS
    BINDINGS = bindings(MENU_KEYS)
    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "Choose"

    def __init__(self) -> None:
        super().__init__()
        self._heading = self._why = ""
        self._offer: Callable[[Snapshot | None], tuple[Choice, ...]] = _nothing
        self._cursor = 0
        self._moved = False  # by hand: from then on it stays where it is
        self._wanted: tuple[str, ...] = ()
        self._offered: tuple[Choice, ...] = ()
        self._judged: dict[Choice, Judged] | None = None
        self._asked: set[Choice] = set()  # and not answered yet

    def offer(
        self, heading: str, offer: Callable[[Snapshot | None], tuple[Choice, ...]], wanted: Sequence[str], ask: bool,
        why: str = "",
    ) -> None:
        """Show what `offer` makes of each snapshot; the cursor starts on what is wanted if that is possible.

        With `ask` the checks of each choice are asked, again and again while the menu is open; without it they are
        asked when it is planned, as there may be many.
        """
        self._heading, self._offer, self._wanted = heading, offer, tuple(wanted)
        self._why = why
        self._offered = offer(self.dashboard.view.snapshot)
        self._judged, self._moved = {} if ask else None, False
        self._cursor = begun_at(self._offered, {}, self._wanted)

    def on_screen_resume(self) -> None:
        """In front: ask what can be done."""
        self._ask()
        self.repeat(ASKED_EVERY, self._ask)

    def _ask(self) -> None:
        """Ask the checks of every choice that is not being asked already."""
        if self._judged is None:
            return
        for choice in self._offered:
            if not choice.missing and choice not in self._asked:
                self._asked.add(choice)
                self.dashboard.operations.judge(choice.kind, choice.target, partial(self._answered, choice))

    def _answered(self, choice: Choice, judged: Judged) -> None:
        self._asked.discard(choice)
        if self._judged is not None:
            self._judged[choice] = judged
            if not self._moved:
                self._cursor = begun_at(self._offered, self._judged, self._wanted)
        if self.is_current:
            self.dashboard.paint()

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The choices."""
        self._offered = self._offer(view.snapshot)
        self._cursor = max(0, min(self._cursor, len(self._offered) - 1))
        against = self.dashboard.operations.against()
        return menu_lines(self._heading, self._offered, self._judged, self._cursor, against, width, self._why)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._moved = True
        self._cursor = max(0, min(self._cursor + lines, len(self._offered) - 1))
        self.dashboard.paint()

    def action_first(self) -> None:
        """To the first."""
        self.action_move(-len(self._offered))

    def action_last(self) -> None:
        """To the last."""
        self.action_move(len(self._offered))

    def action_plan(self) -> None:
        """Plan what is under the cursor, unless its checks have refused it."""
        if not self._offered:
            return
        choice = self._offered[self._cursor]
        known = None if self._judged is None else self._judged.get(choice)
        against = self.dashboard.operations.against() or choice.missing or ("" if known is None else known.against)
        if against:
            self.say(f"not now: {against}")
        else:
            self.dashboard.ways.open_plan(choice.kind, choice.target)

    def shell_command(self) -> str:
        """The plan of what is under the cursor."""
        if not self._offered:
            return super().shell_command()
        choice = self._offered[self._cursor]
        return plan_command(choice.kind, choice.target, {})


def _nothing(_: Snapshot | None) -> tuple[Choice, ...]:
    """Before anything is offered."""
    return ()

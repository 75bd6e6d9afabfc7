"""The sheet of a rebalance: what would move within which limits. From here it is planned; nothing has happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.plan import screen_title
from tuiha.tui.operations.lines.rebalance import LIMITS, limit_lines, options_of, sheet_lines, stepped
from tuiha.tui.operations.operator import OperatorTrouble
from tuiha.tui.shell import plan_command

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

AGAIN = 5.0  # seconds between two looks at the facts: all bound users are read
REBALANCE_KEYS: tuple[Key, ...] = (
    Key("rebalance.continue", "c", "continue", "to the plan; nothing happens before it is confirmed", "plan",
        danger=True, first=True),
    Key("rebalance.more", "right", "change(1)", "the limit under the cursor: more", "more"),
    Key("rebalance.less", "left", "change(-1)", "the limit under the cursor: less", "less"),
    *MOVES, UNLOCK, BACK, *EVERYWHERE,
)


class RebalanceScreen(ReadingScreen, inherit_bindings=False):
    """Limits, and users before and after."""

    KEYS = REBALANCE_KEYS
    BINDINGS = bindings(REBALANCE_KEYS)
    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "Rebalance"

    def __init__(self) -> None:
        super().__init__()
        self._values = [limit.option.usual for limit in LIMITS]
        self._cursor = 0
        self._plan: Plan | None = None
        self._trouble: OperatorTrouble | None = None
        self._asking = 0  # number of the question that waits for its answer; 0: none
        self._asked = 0

    def begin(self) -> None:
        """The usual limits, and nothing known yet."""
        self._values = [limit.option.usual for limit in LIMITS]
        self._cursor = self._top = 0
        self._plan = self._trouble = None

    def on_screen_resume(self) -> None:
        """In front: plan now, and again every few seconds."""
        self.repeat(AGAIN, self._again)
        self._ask()

    def on_screen_suspend(self) -> None:
        """Behind another screen nothing is asked."""
        self._asking = 0

    def _again(self) -> None:
        if not self._asking:
            self._ask()

    def _ask(self) -> None:
        """Plan with the limits as they are; an answer for other limits counts no more."""
        self._asked += 1
        number = self._asking = self._asked

        def answered(answer: Plan | OperatorTrouble) -> None:
            if number == self._asking:
                self._asking = 0
                self._plan, self._trouble = (None, answer) if isinstance(answer, OperatorTrouble) else (answer, None)
                self.dashboard.paint()

        self.dashboard.operations.plan("rebalance", (), options_of(self._values), answered)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The limits, the moves, the servers."""
        plan = self._plan
        end = ("", "quiet") if plan is None else (f"plan {plan.id}", "quiet")
        lines = [screen_title("SHEET", "rebalance", (), end, width), BLANK,
                 *limit_lines(self._values, self._cursor, width), BLANK]
        if plan is not None:
            return (*lines, *sheet_lines(plan.details, width))
        if self._trouble is None:
            return (*lines, Line(fit(((" reading the users", "quiet"),), width)))
        told = wrapped(self._trouble.text, width - 2)
        return (*lines, Line(fit(((" It cannot be planned now:", "warning bold"),), width)),
                *(Line(fit(((f" {text}", "text"),), width)) for text in told))

    def shell_command(self) -> str:
        """The plan with these limits."""
        return plan_command("rebalance", (), options_of(self._values))

    def action_move(self, lines: int) -> None:
        """To another limit."""
        self._cursor = max(0, min(self._cursor + lines, len(LIMITS) - 1))
        self.dashboard.paint()

    def action_page(self, pages: int) -> None:
        """Scroll: there may be more servers than rows."""
        self._top += pages * max(1, self.size.height - 6)
        self.dashboard.paint()

    def action_first(self) -> None:
        """To the top."""
        self._cursor = self._top = 0
        self.dashboard.paint()

    def action_last(self) -> None:
        """To the last server."""
        self._top = self._length
        self.dashboard.paint()

    def action_change(self, by: int) -> None:
        """Another value of the limit under the cursor."""
        limit = LIMITS[self._cursor]
        value = stepped(limit, self._values[self._cursor], by)
        if value != self._values[self._cursor]:
            self._values[self._cursor] = value
            self._plan = None
            self._ask()
            self.dashboard.paint()

    def action_continue(self) -> None:
        """To the plan."""
        if self.allowed("rebalance.continue"):
            self.dashboard.ways.open_plan("rebalance", (), options_of(self._values))

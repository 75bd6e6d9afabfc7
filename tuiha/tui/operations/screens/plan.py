"""Plan: nothing has happened. The checks are made again while it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tuiha.model.operations.catalogue import REASON
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.plan import PlanSight, forbidden, plan_lines, screen_title, title_of, wanted
from tuiha.tui.operations.operator import OperatorTrouble
from tuiha.tui.shell import apply_command, both_commands, plan_command

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

COPY = Key("app.copy", "y", "app.copy", "copy the equal shell command", "copy command")
AGAIN = 2.0  # seconds between two looks at the facts
PLAN_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("plan.continue", "c", "continue", "to the confirmation; nothing happens before it", "continue",
        danger=True, first=True),
    Key("plan.save", "s", "save", "keep the plan for the shell, and say the command that applies it", "save plan"),
    COPY,
    Key("plan.reason", "e", "reason", "change the reason that is recorded with the operation", "reason", danger=True),
    Key("plan.values", "v", "values", "each check with its value, or the good ones in one line", "checks"),
    UNLOCK, BACK, *(key for key in EVERYWHERE if key.id != COPY.id),
)


class PlanScreen(ReadingScreen, inherit_bindings=False):
    """The plan of one operation, planned again and again on fresh facts."""

    KEYS = PLAN_KEYS
    BINDINGS = bindings(PLAN_KEYS)
    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "Plan"

    def __init__(self) -> None:
        super().__init__()
        self._wanted: tuple[str, tuple[str, ...], Mapping[str, str]] = ("", (), {})
        self._reason = ""
        self._plan: Plan | None = None
        self._trouble: OperatorTrouble | None = None
        self._opened: Plan | None = None  # the first plan since the screen was opened
        self._asking = 0  # number of the question that waits for its answer; 0: none
        self._asked = 0
        self._each = False
        self._saved = ""  # the command that applies the plan that was kept

    @property
    def plan(self) -> Plan | None:
        """The newest plan; None until there is one, or when it cannot be planned."""
        return self._plan

    def ask(self, kind: str, target: tuple[str, ...], options: Mapping[str, str], reason: str) -> None:
        """Forget what was shown and plan this, with its own reason; without one it is asked for before it starts."""
        self._wanted = (kind, target, options)
        self._reason = reason
        self._plan = self._trouble = None
        self._opened, self._saved = None, ""
        self._asking = self._top = 0

    def on_screen_resume(self) -> None:
        """In front: plan, now and every two seconds."""
        self.repeat(AGAIN, self._again)
        self._again()

    def _again(self) -> None:
        if self._asking:
            return  # the last answer is still on its way
        self._asked += 1
        number = self._asking = self._asked

        def answered(answer: Plan | OperatorTrouble) -> None:
            if number == self._asking:  # not of a plan that nobody wants any more
                self._asking = 0
                self._take(answer)

        self.dashboard.operations.plan(*self._wanted, answered)

    def _take(self, answer: Plan | OperatorTrouble) -> None:
        if isinstance(answer, OperatorTrouble):
            self._trouble, self._plan = answer, None
        else:
            if self._plan is not None and self._plan.id != answer.id:
                self._saved = ""
            self._trouble, self._plan = None, answer
            self._opened = self._opened or answer
        self.dashboard.paint()

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The plan, or why there is none."""
        if self._plan is not None:
            sight = PlanSight(self._plan, self._opened, self._reason, self._saved)
            return plan_lines(sight, width, self.size.height - 5, self._each)
        kind, target, _ = self._wanted
        lines = [screen_title("PLAN", kind, target, ("", "quiet"), width), BLANK]
        if self._trouble is None:
            return (*lines, Line(fit(((" reading the facts", "quiet"),), width)))
        told = wrapped(self._trouble.text, width - 2)
        return (*lines, Line(fit(((" It cannot be planned now:", "warning bold"),), width)),
                *(Line(fit(((f" {text}", "text"),), width)) for text in told))

    def against(self, key: Key) -> str | None:
        """Also: there has to be a plan, and nothing in it that nobody may override."""
        reason = super().against(key)
        if reason is not None or not key.danger:
            return reason
        if self._plan is None:
            return self._no_plan
        never = forbidden(self._plan)
        return None if never is None else f"{never} (this cannot be overridden)"

    @property
    def _no_plan(self) -> str:
        """Why there is no plan."""
        return "the plan is not ready yet" if self._trouble is None else "it cannot be planned, for the reason above"

    def action_values(self) -> None:
        """Show each check with its value where there is no room for all of them, or in short again."""
        self._each = not self._each
        self._top = 0
        self.dashboard.paint()

    def _applied(self, plan: Plan) -> str:
        overrides = [line.removeprefix("override ") for line in wanted(plan, ())[:-1]]
        return apply_command(plan.id, plan.confirm, overrides, self._reason)

    def shell_command(self) -> str:
        """Plan the same in a shell, and apply just that."""
        kind, target, options = self._wanted
        planned = plan_command(kind, target, options)
        return planned if self._plan is None else both_commands(planned, self._applied(self._plan))

    def action_save(self) -> None:
        """Keep the plan for `tuiha apply`."""
        plan = self._plan
        if plan is None:
            self.say(f"not now: {self._no_plan}")
            return

        def saved(trouble: OperatorTrouble | None) -> None:
            if trouble is not None:
                self.say(trouble.text)
            elif plan is self._plan:
                self._saved = self._applied(plan)
                self.say("saved: the command is above")

        self.dashboard.operations.save(plan, saved)

    def action_continue(self) -> None:
        """To the confirmation."""
        if self._plan is None:
            self.say(f"not now: {self._no_plan}")
        elif self.allowed("plan.continue"):
            if self._reason:
                self.dashboard.ways.open_confirm(self._plan, self._reason)
            else:
                self._ask_reason(self._confirmed)

    def action_reason(self) -> None:
        """Change the reason."""
        self._ask_reason(self._explained)

    def _ask_reason(self, then: Callable[[str], None]) -> None:
        kind, target, _ = self._wanted
        self.dashboard.ways.open_reason(title_of(kind, target), self._reason, then)

    def _explained(self, reason: str) -> None:
        """From now on this is the reason. Where the pool keeps it, it is part of the plan."""
        kind, target, options = self._wanted
        self._reason = reason
        if REASON.name in options:
            self._wanted = (kind, target, {**options, REASON.name: reason})
            self._plan, self._asking = None, 0
            self._again()
        self.dashboard.paint()

    def _confirmed(self, reason: str) -> None:
        """The reason was asked on the way to the confirmation."""
        self._explained(reason)
        if self._plan is not None:
            self.dashboard.ways.open_confirm(self._plan, reason)

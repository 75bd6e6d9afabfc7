"""Confirm: the name is typed by hand, then ctrl+x. A changed fact voids the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import rule, wrapped
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import Key, bindings
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.paced import PacedEntry
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import BACK, PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.plan import changed_facts, confirm_lines, forbidden, wanted
from tuiha.tui.operations.operator import OperatorTrouble
from tuiha.tui.operations.screens.plan import AGAIN

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

# The line to type into takes every key; these are declared for the footer.
CONFIRM_KEYS: tuple[Key, ...] = (
    Key("confirm.start", "ctrl+x", "nothing", "after the name: start it", "start it", danger=True, first=True), BACK,
)


class ConfirmScreen(PoolScreen, inherit_bindings=False):
    """Asks for the overrides, then for the name."""

    KEYS = CONFIRM_KEYS
    BINDINGS = bindings(CONFIRM_KEYS)  # type: ignore[assignment]
    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "Confirm"

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._body = Paper(id="body")
        self._entry = PacedEntry(id="entry")
        self._footer = Paper(id="footer")
        self._plan: Plan | None = None
        self._newest: Plan | None = None
        self._overridden: tuple[str, ...] = ()
        self._void: tuple[str, ...] = ()
        self._refused: str = ""
        self._starting = False
        self._round = 0  # grows with each plan: answers to an earlier one are dropped
        self._asking = False

    def compose(self) -> Sequence[Paper]:
        """Head, text, the line to type into, the footer."""
        return (self._head, self._body, self._entry, self._footer)

    def choose(self, plan: Plan) -> None:
        """Ask for this plan's name."""
        self._plan = self._newest = plan
        self._overridden = self._void = ()
        self._refused = ""
        self._starting = self._asking = False
        self._round += 1

    def on_screen_resume(self, event: events.ScreenResume | None = None) -> None:
        """In front: an empty line, and the facts are read again every two seconds."""
        self._entry.display = True
        self._entry.start(events.Key("escape", None).time)
        self.repeat(AGAIN, self._again)
        super().on_screen_resume()

    def on_screen_suspend(self) -> None:
        """Away: nothing is asked any more."""
        self._round += 1

    # The facts, again

    def _again(self) -> None:
        plan, number = self._plan, self._round
        if plan is None or self._asking or self._starting:
            return
        self._asking = True

        def answered(answer: Plan | OperatorTrouble) -> None:
            if number == self._round:
                self._asking = False
                self._take(answer)

        options = plan.details.get("options")
        self.dashboard.operations.plan(plan.kind, plan.target, options if isinstance(options, dict) else {}, answered)

    def _take(self, answer: Plan | OperatorTrouble) -> None:
        from tuiha.operate.plans.weight import voided_by  # heavy, and needed when somebody acts

        assert self._plan is not None
        if isinstance(answer, OperatorTrouble):
            self._void = (f"it cannot be planned any more: {answer.text}",)
        elif (void := voided_by(self._plan, answer)) is not None:
            self._void = changed_facts(*void) or ("the facts are others",)
        else:
            self._newest = answer
        if self._void:
            self._entry.display = False
        self.dashboard.paint()

    # What is typed

    def on_paced_entry_left(self, message: PacedEntry.Left) -> None:
        """Back; nothing has happened."""
        if not self._starting:
            self.action_back()

    def on_paced_entry_finished(self, message: PacedEntry.Finished) -> None:
        """An override, or the name: then it starts."""
        plan = self._newest
        if plan is None or self._void or self._starting:
            return
        expected = wanted(plan, self._overridden)
        if message.text != expected[0]:
            self._entry.empty(f"that is not it: {expected[0]} is to be typed")
        elif len(expected) > 1:
            self._overridden = (*self._overridden, message.text.removeprefix("override "))
            self._entry.empty("")
            self.dashboard.paint()
        else:
            self._start(plan)

    def _start(self, plan: Plan) -> None:
        against = self.dashboard.operations.against() or forbidden(plan)
        if against is not None:
            self._entry.empty(f"refused: {against}")
            return
        self._starting = True
        self._entry.empty("starting")
        number = self._round

        def answered(answer: str | OperatorTrouble) -> None:
            self._starting = False
            if isinstance(answer, str):  # it runs, whatever screen is in front by now
                self.dashboard.ways.open_run(answer)
            elif number == self._round:
                self._refused = answer.text
                self._entry.empty("nothing has happened")
                self.dashboard.paint()

        self.dashboard.operations.apply(plan, plan.confirm, self._overridden, answered)

    def action_back(self) -> None:
        """Back to the plan."""
        self.set_focus(None)
        self.leave()

    def action_nothing(self) -> None:
        """ctrl+x without a line to type into: the plan is void."""

    def paint(self, live: View, body: View) -> None:
        """Draw."""
        width, height = self.size
        if not width or not height or self._plan is None:
            return
        room = max(1, height - (6 if self._entry.display else 5))
        lines = [*confirm_lines(self._newest or self._plan, self._overridden, self._void, width)]
        if self._refused:
            told = wrapped(self._refused, width - 2)
            lines += [BLANK, Line(fit(((" REFUSED", "bad bold"), ("  nothing has happened:", "text")), width))]
            lines += [Line(fit(((f" {text}", "warning"),), width)) for text in told]
        self._head.show((*head(live, width), rule(width)), min(4, height))
        self._body.show((*lines[:room], *[BLANK] * (room - len(lines))), room)
        self._entry.redraw()
        self._footer.show((self.footer(width),), 1)

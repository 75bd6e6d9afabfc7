"""Confirm: the name is typed by hand, then ctrl+x. A changed fact voids the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import FooterKey, footer_line, rule
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import Key, bindings
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.paced import PacedEntry
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import BACK, PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.confirm import ConfirmSight, above_entry, below_entry, void_by
from tuiha.tui.operations.lines.plan import forbidden, title_of, wanted
from tuiha.tui.operations.operator import OperatorTrouble
from tuiha.tui.operations.screens.plan import AGAIN

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

HINT_FROM = 16  # rows from which the hint under the line to type into has room
REASON_KEY = "ctrl+r"  # a letter would be typed
# The line to type into takes every key; these are declared for the help.
CONFIRM_KEYS: tuple[Key, ...] = (
    Key("confirm.start", "ctrl+x", "nothing", "after the name: start it", "start", danger=True, first=True),
    Key("confirm.reason", REASON_KEY, "reason", "change the reason that is recorded", "edit the reason", danger=True),
    BACK,
)


class ConfirmEntry(PacedEntry):
    """The line to type into; one key leads from it to the reason."""

    class Reason(Message):
        """The reason is to be changed."""

    def on_key(self, event: events.Key) -> None:
        """Take the key for the reason; every other one is the line's."""
        if event.key == REASON_KEY:
            event.stop()
            event.prevent_default()
            self.post_message(self.Reason())


class ConfirmScreen(PoolScreen, inherit_bindings=False):
    """Asks for the overrides, then for the name."""

    KEYS = CONFIRM_KEYS
    BINDINGS = bindings(CONFIRM_KEYS)  # type: ignore[assignment]
    dashboard = Reach[OperatingApplication]()
    TITLE_TEXT = "Confirm"

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._above = Paper(id="above")
        self._entry = ConfirmEntry(id="entry")
        self._below = Paper(id="below")
        self._footer = Paper(id="footer")
        self._plan: Plan | None = None
        self._newest: Plan | None = None
        self._reason = ""
        self._overridden: tuple[str, ...] = ()
        self._void: tuple[str, ...] = ()
        self._refused: str = ""
        self._starting = False
        self._round = 0  # grows with each plan: answers to an earlier one are dropped
        self._asking = False

    def compose(self) -> Sequence[Paper]:
        """Head, text, the line to type into, the footer."""
        return (self._head, self._above, self._entry, self._below, self._footer)

    def choose(self, plan: Plan, reason: str) -> None:
        """Ask for this plan's name; it starts with this reason."""
        self._plan = self._newest = plan
        self._reason = reason
        self._overridden = self._void = ()
        self._refused = ""
        self._starting = self._asking = False
        self._round += 1

    def on_screen_resume(self, event: events.ScreenResume | None = None) -> None:
        """In front: an empty line, and the facts are read again every two seconds."""
        self._entry.display = True
        self._entry.start(events.Key("escape", None).time)
        self.repeat(AGAIN, self._again)

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
            self._void = (f"the pool refuses the plan: {answer.text}",)
        elif (void := voided_by(self._plan, answer)) is not None:
            self._void = void_by(void)
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
            self._entry.empty(f"expected: {expected[0]}")
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

        self.dashboard.operations.apply(plan, plan.confirm, self._reason, self._overridden, answered)

    # The reason

    @property
    def _keeps_reason(self) -> bool:
        """Whether the pool keeps the reason: then it is part of the plan, and changed there."""
        known = OPERATIONS.get(self._plan.kind) if self._plan is not None else None
        return known is not None and known.keeps_reason

    def on_confirm_entry_reason(self, message: ConfirmEntry.Reason) -> None:
        """The key in the line to type into."""
        self.action_reason()

    def action_reason(self) -> None:
        """Ask for another reason, and come back."""
        if not self._void and not self._starting and not self._keeps_reason and self.allowed("confirm.reason"):
            title = title_of(self._plan.kind, self._plan.target) if self._plan is not None else ""
            self.dashboard.ways.open_reason(title, self._reason, self._explained)

    def _explained(self, reason: str) -> None:
        """From now on this is the reason."""
        self._reason = reason
        self.dashboard.paint()

    def action_back(self) -> None:
        """Back to the plan."""
        self.set_focus(None)
        self.leave()

    def action_nothing(self) -> None:
        """ctrl+x without a line to type into: the plan is void."""

    def footer(self, width: int) -> Line:
        """The keys that work now: what ctrl+x does next, and the way back."""
        if self.dashboard.operations.against() is not None:
            return super().footer(width)
        if self._starting:
            return Line(fit(((" starting; the run opens automatically", "quiet"),), width))
        back = FooterKey("esc", "back to the plan, nothing happens", True)
        if self._void or self._plan is None:
            return footer_line([back], width)
        expected = wanted(self._newest or self._plan, self._overridden)
        keys = [FooterKey("ctrl+x", "start" if len(expected) == 1 else expected[0], True)]
        keys += [] if self._keeps_reason else [FooterKey(REASON_KEY, "edit the reason")]
        return footer_line([*keys, back], width)

    def paint(self, live: View, body: View) -> None:
        """Draw: the line to type into stands right under what has to be typed."""
        width, height = self.size
        if not width or not height or self._plan is None:
            return
        edit = "" if self._keeps_reason else REASON_KEY
        sight = ConfirmSight(self._newest or self._plan, live.snapshot, self._reason, edit,
                             self._overridden, self._void, self._refused)
        room = max(1, height - 5 - self._entry.display)
        below = below_entry(sight, width) if height >= HINT_FROM else []
        above = above_entry(sight, width, max(1, room - len(below)))
        below += [BLANK] * (room - len(above) - len(below))
        self._head.show((*head(live, width), rule(width)), min(4, height))
        self._above.show(above, len(above))
        self._entry.redraw()
        self._below.show(below, len(below))
        self._footer.show((self.footer(width),), 1)

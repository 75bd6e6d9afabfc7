"""From key to plan, confirmation, run and result: the screens of operations, made when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tuiha.model.facts import Snapshot
from tuiha.model.operations.catalogue import KEYS, OPERATIONS, REASON
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.choices import Choice
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.tui.operations.state import ONLY_WATCHES, Operations

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

UNLOCK, MENU, REBALANCE, PLAN, WHY = "unlock", "menu", "rebalance", "plan", "reason"
CONFIRM, RUN, RESULT = "confirm", "run", "result"
PASSED = (UNLOCK, MENU, REBALANCE, PLAN, WHY, CONFIRM, RUN, RESULT)  # the screens that an operation leads through


class OperationScreens:
    """Opens the screens of operations over whatever screen is in front: see `Ways`."""

    def __init__(self, dashboard: OperatingApplication, operations: Operations) -> None:
        self._dashboard = dashboard
        self._operations = operations

    def open_unlock(self, then: Callable[[], None] | None = None) -> None:
        """Ask for the reason."""
        from tuiha.tui.operations.screens.unlock import UnlockScreen

        self._dashboard.installed(UNLOCK, UnlockScreen).prepare(then)
        self._dashboard.open(UNLOCK)

    def open_menu(
        self, heading: str, offer: Callable[[Snapshot | None], tuple[Choice, ...]], wanted: Sequence[str] = (),
        *, ask: bool = False, why: str = "",
    ) -> None:
        """Offer operations."""
        from tuiha.tui.operations.screens.menu import MenuScreen

        self._dashboard.installed(MENU, MenuScreen).offer(heading, offer, wanted, ask, why)
        self._dashboard.open(MENU)

    def open_rebalance(self) -> None:
        """The sheet of a rebalance."""
        from tuiha.tui.operations.screens.rebalance import RebalanceScreen

        self._dashboard.installed(REBALANCE, RebalanceScreen).begin()
        self._dashboard.open(REBALANCE)

    def open_plan(self, kind: str, target: Sequence[str], options: Mapping[str, str] | None = None) -> None:
        """Plan an operation with its own reason and show the plan. A reason that the pool keeps is asked first."""
        wanted, options = tuple(target), dict(options or {})
        known, reason = OPERATIONS.get(kind), options.get(REASON.name) or self._operations.reason_for(kind, wanted)

        def planned(reason: str) -> None:
            from tuiha.tui.operations.screens.plan import PlanScreen

            kept = {REASON.name: reason} if known is not None and known.keeps_reason else {}
            self._dashboard.installed(PLAN, PlanScreen).ask(kind, wanted, {**options, **kept}, reason)
            self._dashboard.open(PLAN)

        if reason or known is None or not known.keeps_reason:
            planned(reason)
        else:
            self.open_reason(known.titled(wanted), "", planned)

    def open_reason(self, title: str, suggested: str, then: Callable[[str], None]) -> None:
        """Ask for an operation's reason."""
        from tuiha.tui.operations.screens.reason import ReasonScreen

        self._dashboard.installed(WHY, ReasonScreen).prepare(title, suggested, then)
        self._dashboard.open(WHY)

    def open_key(self, id: str, target: Sequence[str]) -> None:
        """Plan the one kind of operation that a key of the catalogue leads to."""
        (kind,) = next(key.kinds for key in KEYS if key.id == id)
        self.open_plan(kind, target)

    def open_confirm(self, plan: Plan, reason: str) -> None:
        """Ask for the name."""
        from tuiha.tui.operations.screens.confirm import ConfirmScreen

        self._dashboard.installed(CONFIRM, ConfirmScreen).choose(plan, reason)
        self._dashboard.open(CONFIRM)

    def open_run(self, operation: str, facts: StartedOperation | None = None) -> None:
        """Follow an operation."""
        from tuiha.tui.operations.screens.run import RunScreen

        self._dashboard.installed(RUN, RunScreen).attach(operation, facts)
        self._dashboard.leave_all(PASSED)
        self._dashboard.open(RUN)

    def open_result(self, facts: StartedOperation) -> None:
        """What came of it."""
        from tuiha.tui.operations.screens.result import ResultScreen

        self._dashboard.installed(RESULT, ResultScreen).choose(facts)
        self._dashboard.leave_all(PASSED)
        self._dashboard.open(RESULT)

    def open_operation(self, facts: StartedOperation) -> None:
        """Its run or its result."""
        if facts.ended:
            self.open_result(facts)
        else:
            self.open_run(facts.id, facts)

    def attach(self, undisturbed: Callable[[], bool]) -> None:
        """At the start: open what runs, or what was not brought to its end, whoever started it.

        Once nobody is `undisturbed` by that, as somebody has gone elsewhere already, nothing is opened.
        """

        def found(operation: StartedOperation | OperatorTrouble | None) -> None:
            if not isinstance(operation, StartedOperation) or not undisturbed():
                return
            if not operation.ended or (not operation.settled and not operation.elsewhere):
                self.open_operation(operation)

        self._operations.newest(found)

    def attach_running(self) -> None:
        """Open what runs now, whoever started it and whenever."""
        found = self._operations.now_running
        if self._operations.only_watches:
            self._dashboard.say(f"not here: {ONLY_WATCHES}")
        elif found is None:
            self._dashboard.say("no operation runs; 6 lists those that ran")
        else:
            self.open_run(found.id)

"""From key to plan, confirmation, run and result: the screens of operations, made when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import Screen

from tuiha.tui.operations.lines.choices import Choice
from tuiha.tui.operations.operator import OperationFacts

if TYPE_CHECKING:
    from tuiha.model.facts import Snapshot
    from tuiha.operate.plans.plan import Plan
    from tuiha.tui.app import Dashboard
    from tuiha.tui.operations.screens.arm import ArmScreen
    from tuiha.tui.operations.screens.confirm import ConfirmScreen
    from tuiha.tui.operations.screens.menu import MenuScreen
    from tuiha.tui.operations.screens.plan import PlanScreen
    from tuiha.tui.operations.screens.rebalance import RebalanceScreen
    from tuiha.tui.operations.screens.result import ResultScreen
    from tuiha.tui.operations.screens.run import RunScreen

S = TypeVar("S", bound=Screen[None])


class Ways:
    """Opens the screens of operations over whatever screen is in front."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard

    def screen(self, name: str) -> Screen[None]:
        """One of the screens of operations, made and installed when it is first needed."""
        if not self._dashboard.is_screen_installed(name):
            from tuiha.tui.operations.registry import SCREENS

            self._dashboard.install_screen(SCREENS[name](), name)
        return self._dashboard.get_screen(name)

    def open_arm(self, then: Callable[[], None] | None = None) -> None:
        """Ask for the reason; `then` is done when it was given."""
        cast("ArmScreen", self.screen("arm")).prepare(then)
        self._show("arm")

    def open_menu(
        self, heading: str, offer: Callable[[Snapshot | None], tuple[Choice, ...]], wanted: Sequence[str] = (),
        *, ask: bool = False,
    ) -> None:
        """Offer operations; the cursor starts on the first whose kind or target is wanted, if it is possible."""
        cast("MenuScreen", self.screen("menu")).offer(heading, offer, wanted, ask)
        self._show("menu")

    def open_rebalance(self) -> None:
        """The sheet of a rebalance: users before and after, and its limits."""
        cast("RebalanceScreen", self.screen("rebalance")).begin()
        self._show("rebalance")

    def open_plan(self, kind: str, target: Sequence[str], options: Mapping[str, str] | None = None) -> None:
        """Plan an operation and show the plan."""
        cast("PlanScreen", self.screen("plan")).ask(kind, tuple(target), dict(options or {}))
        self._show("plan")

    def open_confirm(self, plan: Plan) -> None:
        """Ask for the name."""
        cast("ConfirmScreen", self.screen("confirm")).choose(plan)
        self._show("confirm")

    def open_run(self, operation: str, facts: OperationFacts | None = None) -> None:
        """Follow an operation, whoever started it. `esc` leads where one was before it was planned."""
        cast("RunScreen", self.screen("run")).attach(operation, facts)
        self._leave_all()
        self._show("run")

    def open_result(self, facts: OperationFacts) -> None:
        """What came of an operation."""
        cast("ResultScreen", self.screen("result")).choose(facts)
        self._leave_all()
        self._show("result")

    def open_operation(self, facts: OperationFacts) -> None:
        """Its run or its result."""
        if facts.ended:
            self.open_result(facts)
        else:
            self.open_run(facts.id, facts)

    def _leave_all(self) -> None:
        """Back to what was in front before the first screen of an operation."""
        from tuiha.tui.operations.registry import SCREENS

        passing = [self._dashboard.get_screen(name) for name in SCREENS if self._dashboard.is_screen_installed(name)]
        while len(self._dashboard.screen_stack) > 2 and self._dashboard.screen in passing:
            self._dashboard.pop_screen()

    def _show(self, name: str) -> None:
        screen = self.screen(name)
        if screen not in self._dashboard.screen_stack:  # else the key came twice
            self._dashboard.push_screen(screen)

"""What the dashboard knows of operations: whether it is armed, and which plan or operation its screens show."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from textual.screen import Screen

from tuiha.tui.arming import Armed, arm, mode_word
from tuiha.tui.operator import OperationFacts, Operator, Trouble

if TYPE_CHECKING:
    from tuiha.operate.plan import Plan
    from tuiha.tui.app import Dashboard
    from tuiha.tui.draw.rows import Row

T = TypeVar("T")
ONLY_WATCHES = "this dashboard only watches"
NOT_ARMED = "not armed: w arms for 15 minutes"


class Operations:
    """Arming, and the way from key to plan, confirmation, run and result. Its screens are made when first needed."""

    def __init__(self, dashboard: Dashboard, operator: Operator | None, now: Callable[[], float]) -> None:
        self._dashboard = dashboard
        self._operator = operator
        self._now = now
        self._armed: Armed | None = None

    # Armed or not

    @property
    def armed(self) -> Armed | None:
        """Why and until when; None when nothing may be changed now."""
        if self._armed is not None and not self._armed.left(self._now()):
            self._armed = None
        return self._armed

    def mode(self, otherwise: str) -> str:
        """The word on line 1."""
        return mode_word(self.armed, otherwise, self._now())

    @property
    def refusal(self) -> str | None:
        """Why nobody may ever act from here; None when one may."""
        if self._dashboard.past.refusal is not None:
            return self._dashboard.past.refusal
        return ONLY_WATCHES if self._operator is None else self._operator.refusal

    def against(self) -> str | None:
        """Why nothing can be changed now; None when it can."""
        return self.refusal or (None if self.armed else NOT_ARMED)

    def arm(self, reason: str) -> bool:
        """Allow changes for a quarter of an hour; False without a reason or where nobody may act."""
        self._armed = arm(reason, self._now()) if self.refusal is None else None
        return self._armed is not None

    def disarm(self) -> None:
        """Allow no changes from now on."""
        self._armed = None

    # What screens ask; answers come on the screen's loop

    def _here(self, call: Callable[[T], None]) -> Callable[[T], None]:
        """The call, made on the screen's loop whatever thread the answer comes on."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()  # Textual keeps its application there

        def answered(value: T) -> None:
            with contextlib.suppress(RuntimeError):  # the dashboard has ended: nobody wants the answer
                loop.call_soon_threadsafe(call, value, context=context)

        return answered

    def plan(
        self, kind: str, target: Sequence[str], options: Mapping[str, str], answer: Callable[[Plan | Trouble], None]
    ) -> None:
        """Plan; changes nothing."""
        if self._operator is not None:
            self._operator.plan(kind, target, options, self._here(answer))

    def apply(
        self, plan: Plan, confirm: str, overrides: Sequence[str], answer: Callable[[str | Trouble], None]
    ) -> None:
        """Start it, with the reason given when arming; refused when not armed any more."""
        armed, against = self.armed, self.against()
        if self._operator is None or armed is None or against is not None:
            answer(Trouble(against or NOT_ARMED))
            return
        self._operator.apply(plan, confirm, armed.reason, overrides, self._here(answer))

    def follow(self, operation: str, told: Callable[[OperationFacts | Trouble], None]) -> Callable[[], None]:
        """Follow an operation; returns what ends that."""
        return (lambda: None) if self._operator is None else self._operator.follow(operation, self._here(told))

    def cancel(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        """Ask it to stop."""
        if self._operator is not None:
            self._operator.cancel(operation, self._here(answer))

    def undo(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        """Have it taken back."""
        if self._operator is not None:
            self._operator.undo(operation, self._here(answer))

    def newest(self, answer: Callable[[OperationFacts | Trouble | None], None]) -> None:
        """The operation that runs, or else the last one."""
        if self._operator is None or self._operator.refusal is not None:
            return

        def chosen(found: tuple[OperationFacts, ...] | Trouble) -> None:
            if isinstance(found, Trouble):
                answer(found)
                return
            running = (operation for operation in found if not operation.ended or not operation.settled)
            answer(next(running, found[0] if found else None))

        self._operator.operations(self._here(chosen))

    # Screens

    def screen(self, name: str) -> Screen[None]:
        """One of the screens of operations, made and installed when it is first needed."""
        if not self._dashboard.is_screen_installed(name):
            from tuiha.tui.screens.operations import SCREENS

            self._dashboard.install_screen(SCREENS[name](), name)
        return self._dashboard.get_screen(name)

    def open_arm(self) -> None:
        """Ask for the reason."""
        self._show("arm")

    def open_menu(self, row: Row | None) -> None:
        """What can be failed over; `row` is the node under the cursor."""
        from tuiha.tui.screens.menu import MenuScreen

        screen = self.screen("menu")
        assert isinstance(screen, MenuScreen)
        screen.choose(row)
        self._show("menu")

    def open_plan(self, kind: str, target: Sequence[str], options: Mapping[str, str] | None = None) -> None:
        """Plan an operation and show the plan."""
        from tuiha.tui.screens.plan import PlanScreen

        screen = self.screen("plan")
        assert isinstance(screen, PlanScreen)
        screen.ask(kind, tuple(target), dict(options or {}))
        self._show("plan")

    def open_confirm(self, plan: Plan) -> None:
        """Ask for the name."""
        from tuiha.tui.screens.confirm import ConfirmScreen

        screen = self.screen("confirm")
        assert isinstance(screen, ConfirmScreen)
        screen.choose(plan)
        self._show("confirm")

    def open_run(self, operation: str, facts: OperationFacts | None = None) -> None:
        """Follow an operation, whoever started it. Under it is Home: `esc` goes there."""
        from tuiha.tui.screens.run import RunScreen

        screen = self.screen("run")
        assert isinstance(screen, RunScreen)
        screen.attach(operation, facts)
        self._home()
        self._show("run")

    def open_result(self, facts: OperationFacts) -> None:
        """What came of an operation."""
        from tuiha.tui.screens.result import ResultScreen

        screen = self.screen("result")
        assert isinstance(screen, ResultScreen)
        screen.choose(facts)
        self._home()
        self._show("result")

    def attach(self) -> None:
        """At the start: open what runs, or what was not brought to its end, whoever started it."""

        def found(operation: OperationFacts | Trouble | None) -> None:
            if not isinstance(operation, OperationFacts) or len(self._dashboard.screen_stack) != 2:
                return  # there is none, or somebody has gone elsewhere already
            if not operation.ended:
                self.open_run(operation.id, operation)
            elif not operation.settled:
                self.open_result(operation)

        self.newest(found)

    def _home(self) -> None:
        while len(self._dashboard.screen_stack) > 2:  # Textual's own, and Home
            self._dashboard.pop_screen()

    def _show(self, name: str) -> None:
        screen = self.screen(name)
        if screen not in self._dashboard.screen_stack:  # else the key came twice
            self._dashboard.push_screen(screen)

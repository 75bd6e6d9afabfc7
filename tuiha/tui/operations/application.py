"""What screens that lead to operations ask of the application, beyond what every screen asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tuiha.model.facts import Snapshot
from tuiha.tui.kit.application import Application
from tuiha.tui.operations.lines.choices import Choice
from tuiha.tui.operations.operator import StartedOperation
from tuiha.tui.operations.state import Operations

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan


class Ways(Protocol):
    """Opens the screens of operations over whatever screen is in front."""

    def open_unlock(self, then: Callable[[], None] | None = None) -> None:
        """Ask for the reason; `then` is done when it was given."""

    def open_menu(
        self, heading: str, offer: Callable[[Snapshot | None], tuple[Choice, ...]], wanted: Sequence[str] = (),
        *, ask: bool = False, why: str = "",
    ) -> None:
        """Offer operations; the cursor starts on the first whose kind or target is wanted, if it is possible.

        `why` says why the cursor starts there.
        """

    def open_rebalance(self) -> None:
        """The sheet of a rebalance: users before and after, and its limits."""

    def open_plan(self, kind: str, target: Sequence[str], options: Mapping[str, str] | None = None) -> None:
        """Plan an operation with its own reason and show the plan. A reason that the pool keeps is asked first."""

    def open_key(self, id: str, target: Sequence[str]) -> None:
        """Plan the one kind of operation that a key of the catalogue leads to."""

    def open_reason(self, title: str, suggested: str, then: Callable[[str], None]) -> None:
        """Ask for an operation's reason, and hand it on."""

    def open_confirm(self, plan: Plan, reason: str) -> None:
        """Ask for the name."""

    def open_run(self, operation: str, facts: StartedOperation | None = None) -> None:
        """Follow an operation, whoever started it. `esc` leads where one was before it was planned."""

    def open_result(self, facts: StartedOperation) -> None:
        """What came of an operation."""

    def open_operation(self, facts: StartedOperation) -> None:
        """Its run or its result."""


class OperatingApplication(Application, Protocol):
    """The dashboard, as screens of operations see it."""

    @property
    def operations(self) -> Operations:
        """Unlocking, and what is asked of the operator."""

    def operates(self) -> bool:
        """Whether a screen of an operation is open."""

    @property
    def ways(self) -> Ways:
        """The screens of operations."""

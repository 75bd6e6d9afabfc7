"""View 6: operations that run or ran, whoever started them, and what can still be done about each."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.problems.operation import running
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, bindings
from tuiha.tui.kit.filtered import Content
from tuiha.tui.kit.screen import UNLOCK
from tuiha.tui.kit.tabular import TABLE_KEYS, TableView
from tuiha.tui.operations.lines.rows import FIELDS, ORDERS, SHEET, OperationRow, operation_rows, step_lines
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.tui.operations.steer import STEER_KEYS, SteeringScreen

AGAIN = 2.0  # seconds between two looks at the journals
LIST_KEYS = (*TABLE_KEYS, UNLOCK, *STEER_KEYS, *EVERYWHERE)
CONTENT = Content(SHEET, ORDERS, FIELDS, "word result:failed by:ann took>60")


class OperationList(SteeringScreen, TableView[OperationRow], inherit_bindings=False):
    """The list; `enter` opens the run or the result."""

    KEYS = LIST_KEYS
    BINDINGS = bindings(LIST_KEYS)
    TITLE_TEXT = "Operations"
    KEEP_BELOW = 9

    def __init__(self) -> None:
        super().__init__(CONTENT)
        self._known: tuple[StartedOperation, ...] | None = None
        self._trouble = ""

    @property
    def operation(self) -> StartedOperation | None:
        """The one under the cursor."""
        current = self.table.current
        return None if current is None else current.facts

    def on_screen_resume(self) -> None:
        """In front: read the journals, now and every two seconds."""
        self.repeat(AGAIN, self._again)
        self._again()

    def _again(self) -> None:
        self.dashboard.operations.listed(self._take)

    def _take(self, found: tuple[StartedOperation, ...] | OperatorTrouble) -> None:
        if isinstance(found, OperatorTrouble):
            self._trouble = found.text
        else:
            self._known, self._trouble = found, ""
        if self.is_current:
            self.dashboard.paint()

    def items(self, view: View) -> Sequence[OperationRow]:
        """All that are known."""
        return operation_rows(self._known or (), running(view.snapshot), view.now)

    def above(self, view: View, width: int, room: int) -> Sequence[Line]:
        """Why there are none."""
        told = self._trouble
        if not told and not self.items(view):
            told = "reading" if self._known is None else "there was no operation yet"
            if self._known is None and self.dashboard.operations.only_watches:
                told = "this dashboard only watches: `tuiha operations` lists them"
        return (Line(fit(((f" {told}", "warning" if self._trouble else "quiet"),), width)),) if told and room else ()

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """The steps of the one under the cursor."""
        current = self.table.current
        if current is None or room < 2:
            return ()
        return (rule(width, f"{current.what}  {current.name}"), *step_lines(current, width)[: room - 1])

    def opened(self, item: OperationRow) -> None:
        """Its run or its result."""
        self.dashboard.ways.open_operation(item.facts)

    def shell_command(self) -> str:
        """What shows the one under the cursor."""
        current = self.operation
        return "tuiha operations" if current is None else f"tuiha operations {current.id}"

"""Result: what is certain now, what it cost, what to do next, and a summary to copy."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.codes import Action, Next
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, BoundKey, Key, bindings
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.lines.plan import title_of
from tuiha.tui.operations.lines.result import result_lines, summary
from tuiha.tui.operations.lines.run import whole_lines
from tuiha.tui.operations.operator import StartedOperation
from tuiha.tui.operations.possible import keys_of
from tuiha.tui.operations.steer import STEER_KEYS, SteeringScreen
from tuiha.words import problems

RESULT_KEYS: tuple[Key, ...] = (
    Key("result.next", "n", "next", "plan what the pool needs next", "next", danger=True, first=True),
    Key("result.summary", "y", "summary", "copy a summary for the ticket", "copy summary"),
    Key("result.command", "Y", "app.copy", "copy the equal shell command", "copy command"),
    Key("result.steps", "enter", "steps", "every step with its evidence, or the result again", "steps", first=True),
    *MOVES, UNLOCK, BACK, *(key for key in EVERYWHERE if key.id != "app.copy"), *STEER_KEYS,
)


class ResultScreen(SteeringScreen, ReadingScreen, inherit_bindings=False):
    """An operation that has ended, or that nothing runs any more."""

    KEYS = RESULT_KEYS
    BINDINGS = bindings(RESULT_KEYS)
    TITLE_TEXT = "Result"

    def __init__(self) -> None:
        super().__init__()
        self._facts: StartedOperation | None = None
        self._whole = False  # every step with its evidence

    @property
    def operation(self) -> StartedOperation | None:
        """The one that is shown."""
        return self._facts

    def choose(self, facts: StartedOperation) -> None:
        """Show this one."""
        self._facts, self._top, self._whole = facts, 0, False

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The facts, and the keys that lead on; or every step."""
        if self._facts is None:
            return ()
        if self._whole:
            return whole_lines(self._facts, view.now, width)
        return result_lines(self._facts, view.snapshot, self._leads(), width, self.size.height - 5)

    def _leads(self) -> list[tuple[str, str]]:
        """The keys that lead on: about this operation, or else to what the pool needs."""
        own = [(key.partition(" ")[0], f"{key.partition(' ')[2]} this operation")
               for key in (keys_of(self._facts) if self._facts is not None else ())]
        return own or self._pool_needs()

    def _pool_needs(self) -> list[tuple[str, str]]:
        worst, then = self._worst
        if worst is None or then is None:
            return []
        return [("n", f"{title_of(then.operation, then.targets)}: {worst}")]

    @property
    def _worst(self) -> tuple[str | None, Next | None]:
        """The pool's worst problem, and the operation that it calls for; None when it calls for none."""
        snapshot = self.dashboard.view.snapshot
        found = snapshot.problems[0] if snapshot is not None and snapshot.problems else None
        if found is None or found.next is None or found.next.action is not Action.PLAN:
            return None, None
        return f"{found.subject} {problems.what(found)}", found.next

    def footer_keys(self) -> tuple[BoundKey, ...]:
        """Nothing is offered that the pool does not need."""
        return tuple(one for one in super().footer_keys() if one.key.id != "result.next" or self._suggests)

    @property
    def _suggests(self) -> bool:
        """Whether the next step is an operation on the pool, and not one about this operation."""
        return self._facts is not None and not keys_of(self._facts) and self._worst[1] is not None

    def against(self, key: Key) -> str | None:
        """Also: the pool may need nothing."""
        if key.id == "result.next" and not self._suggests:
            return "no operation is suggested now"
        return super().against(key)

    def action_next(self) -> None:
        """Plan what the pool's worst problem calls for."""
        then = self._worst[1]
        if self.allowed("result.next") and then is not None:
            self.dashboard.ways.open_plan(then.operation, then.targets)

    def action_steps(self) -> None:
        """Every step with its evidence, or the result again."""
        self._whole, self._top = not self._whole, 0
        self.dashboard.paint()

    def action_back(self) -> None:
        """From the steps to the result; from there to the screen behind."""
        if self._whole:
            self.action_steps()
        else:
            super().action_back()

    def action_summary(self) -> None:
        """Copy what a ticket needs."""
        if self._facts is not None:
            view = self.dashboard.view
            self.dashboard.copy(summary(self._facts, view.snapshot, view.pool), "a summary for the ticket")

    def shell_command(self) -> str:
        """What does the same in a shell."""
        return super().shell_command() if self._facts is None else self._facts.command

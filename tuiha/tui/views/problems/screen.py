"""`!`: what is wrong, worst first, and what ends it; `enter` shows one problem in full."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.codes import Action, Next
from tuiha.model.facts import NodeKind, Problem
from tuiha.model.operations.catalogue import KEYS, OPERATIONS
from tuiha.tui.draw.rows import Row, rows_of
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, BoundKey, Key, bindings
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.node_keys import ACTING_KEYS, ActingScreen
from tuiha.tui.views.problems.lines import NONE, OVER, full_lines, list_lines, same, title
from tuiha.words.next import command
from tuiha.words.next import key as declared

IN_FULL = "problem"  # the screen of one problem
LEAVE_FIRST = "leave this operation first (esc)"
_ACTING = tuple(key for key in ACTING_KEYS if key.id not in ("home.mark", "home.unmark"))
PROBLEMS_KEYS: tuple[Key, ...] = (
    Key("problems.open", "enter", "open", "this problem in full, with the page that helps", "full text", first=True),
    *_ACTING, *MOVES, BACK, *EVERYWHERE,
)
PROBLEM_KEYS: tuple[Key, ...] = (
    Key("problem.node", "enter", "open", "the detail of the node that has the problem", "detail"),
    *_ACTING, *MOVES, BACK, *EVERYWHERE,
)


class AboutProblems(ReadingScreen, ActingScreen, inherit_bindings=False):
    """What the list and the full text share: keys of operations mean the problem that is shown or chosen."""

    OF_THE_POOL = True

    def against(self, key: Key) -> str | None:
        """Only the key beside the problem does something, and nothing over the screens of an operation."""
        if key.danger and key is not UNLOCK and self.dashboard.operates():
            return LEAVE_FIRST
        return self.dashboard.operations.refusal if self._beside(key) else super().against(key)

    def footer_keys(self) -> tuple[BoundKey, ...]:
        """The key beside the problem, and no other one of an operation."""
        return tuple(one for one in super().footer_keys()
                     if one.key is UNLOCK or not one.key.danger or self._beside(one.key))

    def _beside(self, pressed: Key) -> bool:
        wanted = None if self.problem is None else declared(self.problem.next)
        return pressed.danger and wanted in pressed.keys.split(",")

    def _first(self, key: Key) -> bool:
        return super()._first(key) or self._beside(key)

    @property
    def row_under_cursor(self) -> Row | None:
        """The node that has the problem."""
        problem, view = self.problem, self.dashboard.view
        if problem is None or view.snapshot is None:
            return None
        return next((row for row in rows_of(view.snapshot, view.now) if row.name == problem.subject), None)

    def action_operate(self, id: str) -> None:
        """The key that stands beside the problem plans what it says; any other key does what it does elsewhere."""
        then = None if self.problem is None else self.problem.next
        if self.dashboard.operates():
            self.say(f"not now: {LEAVE_FIRST}")
        elif then is not None and _planned_by(id, then):
            self.when_unlocked(lambda: self.dashboard.ways.open_plan(then.operation, then.targets))
        else:
            super().action_operate(id)

    def shell_command(self) -> str:
        """What comes next for this problem."""
        problem = self.problem
        return (command(problem.next) if problem is not None else "") or super().shell_command()


def _planned_by(id: str, then: Next) -> bool:
    """Whether the key with that id plans a next step at once; what has no target has a sheet of its own."""
    kinds = next(key.kinds for key in KEYS if key.id == id)
    return then.action is Action.PLAN and then.operation in kinds and bool(OPERATIONS[then.operation].takes.parameters)


class ProblemsScreen(AboutProblems, inherit_bindings=False):
    """The list."""

    KEYS = PROBLEMS_KEYS
    BINDINGS = bindings(PROBLEMS_KEYS)  # type: ignore[assignment]
    TITLE_TEXT = "Problems"

    def __init__(self) -> None:
        super().__init__()
        self._chosen: Problem | None = None  # the one under the cursor, as it was drawn

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now."""
        snapshot = self.dashboard.view.snapshot
        return () if snapshot is None else snapshot.problems

    @property
    def cursor(self) -> int:
        """The place of the chosen problem, which may have another rank by now."""
        chosen = self._chosen
        return next((place for place, one in enumerate(self.problems) if chosen is not None and same(one, chosen)), 0)

    @property
    def problem(self) -> Problem | None:
        """The one under the cursor."""
        return self.problems[self.cursor] if self.problems else None

    def begin(self) -> None:
        """Start with the worst."""
        self._chosen, self._top = None, 0

    def text(self, view: View, width: int) -> Sequence[Line]:
        """All of them; the one under the cursor is in sight."""
        if not self.problems:
            return (Line(fit(((f" {NONE}", "well"),), width)),)
        places = list_lines(self.problems, self.operation_keys(), view.known_at, width, self.cursor)
        its = [place for place, one in enumerate(places, 1) if one.number == self.cursor]
        room = max(1, self.size.height - 5)
        self._top = min(self._top, its[0]) if self.cursor else 0
        self._top = max(self._top, min(its[-1] - room + 1, its[0]))
        return (title(len(self.problems), width), *(one.line for one in places))

    def action_move(self, lines: int) -> None:
        """To another problem."""
        if self.problems:
            self._chosen = self.problems[max(0, min(self.cursor + lines, len(self.problems) - 1))]
        self.dashboard.paint()

    def action_page(self, pages: int) -> None:
        """By about as many problems as are in sight."""
        self.action_move(3 * pages)

    def action_first(self) -> None:
        """To the worst."""
        self.action_move(-len(self.problems))

    def action_last(self) -> None:
        """To the least."""
        self.action_move(len(self.problems))

    def action_open(self) -> None:
        """This problem in full."""
        if self.problem is None:
            self.say(NONE)
        else:
            self.dashboard.installed(IN_FULL, ProblemScreen).choose(self.problem)
            self.dashboard.open(IN_FULL)


class ProblemScreen(AboutProblems, inherit_bindings=False):
    """One problem in full."""

    KEYS = PROBLEM_KEYS
    BINDINGS = bindings(PROBLEM_KEYS)  # type: ignore[assignment]
    TITLE_TEXT = "Problem"

    def __init__(self) -> None:
        super().__init__()
        self._chosen: Problem | None = None

    def choose(self, problem: Problem) -> None:
        """Show this one from now on."""
        self._chosen, self._top = problem, 0

    @property
    def problem(self) -> Problem | None:
        """As it is now; None when it is over."""
        snapshot, chosen = self.dashboard.view.snapshot, self._chosen
        found = () if snapshot is None or chosen is None else snapshot.problems
        return next((one for one in found if chosen is not None and same(one, chosen)), None)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """Everything about it."""
        problem = self.problem
        if problem is not None:
            return full_lines(problem, self.operation_keys(), view.known_at, width)
        gone = () if self._chosen is None else full_lines(self._chosen, {}, view.known_at, width)
        return (Line(fit(((f" {OVER}", "well"),), width)), BLANK, *gone)

    def action_open(self) -> None:
        """The node's detail."""
        problem = self.problem
        if problem is None or problem.kind in (NodeKind.POOL, NodeKind.LEDGER):
            self.say("this problem is not one of a node")
        else:
            self.dashboard.show_detail(problem.subject)

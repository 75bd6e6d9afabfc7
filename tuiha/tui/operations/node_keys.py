"""Keys on nodes that lead to operations. Each plans; nothing happens before the plan is confirmed by name."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.model.facts import NodeKind, Problem
from tuiha.model.operations.catalogue import KEYS, OPERATIONS, Operation
from tuiha.model.reports import MAIL_AWAY, DatabaseState
from tuiha.tui.draw.rows import Row, rows_of
from tuiha.tui.keys import Key, operation_keys
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.screen import UNLOCK, PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.choices import choices, suggested
from tuiha.tui.operations.lines.reasons import told
from tuiha.words.next import key

ACTING_KEYS: tuple[Key, ...] = (
    UNLOCK,
    *operation_keys("home"),
    Key("home.mark", "m", "mark", "mark or unmark this server"),
    Key("home.unmark", "u", "unmark", "unmark all servers"),
)


class ActingScreen(PoolScreen, inherit_bindings=False):
    """A screen with nodes, a cursor and marks."""

    dashboard = Reach[OperatingApplication]()
    marked: tuple[str, ...] = ()  # servers

    @property
    def row_under_cursor(self) -> Row | None:
        """What a key that acts on a node acts on."""
        raise NotImplementedError

    def against(self, key: Key) -> str | None:
        """A key with a menu does something while changes are locked: it asks for the reason to unlock them."""
        several = next((len(one.kinds) > 1 for one in KEYS if one.id == key.id), False)
        return self.dashboard.operations.refusal if several else super().against(key)

    def action_mark(self) -> None:
        """Mark a server, or take the mark away."""
        current = self.row_under_cursor
        if current is None or current.kind is not NodeKind.SERVER:
            self.say("only servers can be marked")
            return
        kept = tuple(name for name in self.marked if name != current.name)
        self.marked = kept if len(kept) < len(self.marked) else (*kept, current.name)
        self.dashboard.paint()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.marked = ()
        self.dashboard.paint()

    def action_operate(self, id: str) -> None:
        """Open what a key of the catalogue leads to: the menu, the sheet, or a plan for the marked or for this one."""
        kinds = next(key.kinds for key in KEYS if key.id == id)
        if len(kinds) > 1:
            self.when_unlocked(self._choose_failover)
        elif self.allowed(id):
            self._plan(OPERATIONS[kinds[0]])

    def _plan(self, kind: Operation) -> None:
        if not kind.takes.parameters:
            self.dashboard.ways.open_rebalance()
            return
        current, several = self.row_under_cursor, kind.takes.several
        under = (current.name,) if current is not None and current.kind is NodeKind.SERVER else ()
        target = (self.marked if several else ()) or under
        if target:
            self.dashboard.ways.open_plan(kind.name, target)
        else:
            self.say("not now: put the cursor on a server" + (", or mark some with m" if several else ""))

    @property
    def problem(self) -> Problem | None:
        """The problem that keys mean: the one that line 2 shows."""
        snapshot = self.dashboard.view.snapshot
        return snapshot.problems[0] if snapshot is not None and snapshot.problems else None

    def when_unlocked(self, do: Callable[[], None]) -> None:
        """Do it; while changes are locked the reason is asked first: nobody should look for keys then."""
        operations = self.dashboard.operations
        if operations.refusal is not None:
            self.say(f"not here: {operations.refusal}")
        elif operations.unlocked is None:
            self.dashboard.ways.open_unlock(do)
        else:
            do()

    def _row_of_failover(self) -> Row | None:
        """The mail server under the cursor, or else the one whose problem leads to a failover."""
        row, view, problem = self.row_under_cursor, self.dashboard.view, self.problem
        if view.snapshot is None or problem is None or (row is not None and row.kind is NodeKind.MAIL):
            return row
        if problem.kind is not NodeKind.MAIL or key(problem.next) is None:
            return row
        return next((one for one in rows_of(view.snapshot, view.now) if one.name == problem.subject), row)

    def _choose_failover(self) -> None:
        """The menu; or the plan that line 2 names, while the active database does not work.

        A mail server that works is only in question when nothing is wrong with the active database.
        """
        row, ways, problem = self._row_of_failover(), self.dashboard.ways, self.problem
        snapshot = self.dashboard.view.snapshot
        ill = row is not None and row.kind is NodeKind.MAIL and row.state in MAIL_AWAY
        down = snapshot is not None and any(
            database.name == snapshot.active and database.state is not DatabaseState.UP
            for database in snapshot.databases)
        named = suggested(problem)
        if down and not ill and named is not None:
            ways.open_plan(*named)
            return
        wanted = [row.name] if row is not None and ill else [] if named is None else [named[0]]
        why = f"The cursor is on the next step for: {told(problem)}" if wanted and named is not None else ""
        ways.open_menu("FAIL OVER", lambda newest: choices(newest, row), wanted, ask=True, why=why)

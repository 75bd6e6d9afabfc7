"""Keys on nodes that lead to operations. Each plans; nothing happens before the plan is confirmed by name."""

from __future__ import annotations

from tuiha.model.facts import NodeKind
from tuiha.model.operations.catalogue import KEYS, OPERATIONS, Operation
from tuiha.model.reports import MAIL_AWAY, DatabaseState
from tuiha.tui.draw.rows import Row, rows_of
from tuiha.tui.keys import Key, operation_keys
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.screen import UNLOCK, PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.lines.choices import choices, suggested
from tuiha.words.next import key

ACTING_KEYS: tuple[Key, ...] = (
    UNLOCK,
    *operation_keys("home"),
    Key("home.mark", "m", "mark", "mark the server under the cursor, or take the mark away"),
    Key("home.unmark", "u", "unmark", "take all marks away"),
)


class ActingScreen(PoolScreen, inherit_bindings=False):
    """A screen with nodes, a cursor and marks."""

    dashboard = Reach[OperatingApplication]()
    marked: tuple[str, ...] = ()  # servers

    @property
    def row_under_cursor(self) -> Row | None:
        """What a key that acts on a node acts on."""
        raise NotImplementedError

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
            self._offer_failover()
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

    def _offer_failover(self) -> None:
        """What can be failed over; locked, the reason is asked first: nobody should look for keys then."""
        operations, ways = self.dashboard.operations, self.dashboard.ways
        if operations.refusal is not None:
            self.say(f"not here: {operations.refusal}")
        elif operations.unlocked is None:
            ways.open_unlock(self._choose_failover)
        else:
            self._choose_failover()

    def _row_of_failover(self) -> Row | None:
        """The mail server under the cursor, or else the one that line 2 says to fail over."""
        row, view = self.row_under_cursor, self.dashboard.view
        if view.snapshot is None or not view.snapshot.problems or (row is not None and row.kind is NodeKind.MAIL):
            return row
        worst = view.snapshot.problems[0]
        if worst.kind is not NodeKind.MAIL or key(worst.next) is None:
            return row
        return next((one for one in rows_of(view.snapshot, view.now) if one.name == worst.subject), row)

    def _choose_failover(self) -> None:
        """The menu; or the plan that line 2 names, while the active database does not work.

        A mail server that works is only in question when nothing is wrong with the active database.
        """
        row, ways = self._row_of_failover(), self.dashboard.ways
        snapshot = self.dashboard.view.snapshot
        ill = row is not None and row.kind is NodeKind.MAIL and row.state in MAIL_AWAY
        down = snapshot is not None and any(
            database.name == snapshot.active and database.state is not DatabaseState.UP
            for database in snapshot.databases)
        named = suggested(snapshot)
        if down and not ill and named is not None:
            ways.open_plan(*named)
            return
        wanted = [row.name] if row is not None and ill else [] if named is None else [named[0]]
        ways.open_menu("FAIL OVER", lambda newest: choices(newest, row), wanted, ask=True)

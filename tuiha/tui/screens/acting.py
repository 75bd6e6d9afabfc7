"""Keys on nodes that lead to operations. Each plans; nothing happens before the plan is confirmed by name."""

from __future__ import annotations

from tuiha.model.facts import NodeKind
from tuiha.tui.draw.rows import Row
from tuiha.tui.keys import Key
from tuiha.tui.operator import OperationFacts, Trouble
from tuiha.tui.screens.base import ARM, PoolScreen

ACTING_KEYS: tuple[Key, ...] = (
    ARM,
    Key("home.rebalance", "r", "rebalance", "plan to rebalance users over the servers", "rebalance", danger=True),
    Key("home.failover", "f", "failover", "fail over: the database pair, or a mail server",
        "fail over", danger=True),
    Key("home.drain", "d", "drain", "plan to drain the marked servers, or this one", "drain",
        danger=True),
    Key("home.enable", "e", "enable", "plan to enable the marked servers, or this one", "enable",
        danger=True),
    Key("home.mark", "m", "mark", "mark the server under the cursor, or take the mark away"),
    Key("home.unmark", "u", "unmark", "take all marks away"),
    Key("home.operation", "6", "operation", "the operation that runs, or the last one"),
)


class ActingScreen(PoolScreen, inherit_bindings=False):
    """A screen with nodes, a cursor and marks."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: tuple[str, ...] = ()

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

    def action_rebalance(self) -> None:
        """Plan a rebalance."""
        if self.allowed("home.rebalance"):
            self.dashboard.operations.open_plan("rebalance", ())

    def action_drain(self) -> None:
        """Plan to drain."""
        self._plan_for_servers("drain")

    def action_enable(self) -> None:
        """Plan to enable."""
        self._plan_for_servers("enable")

    def _plan_for_servers(self, kind: str) -> None:
        if not self.allowed(f"home.{kind}"):
            return
        current = self.row_under_cursor
        under = (current.name,) if current is not None and current.kind is NodeKind.SERVER else ()
        target = self.marked or under
        if target:
            self.dashboard.operations.open_plan(kind, target)
        else:
            self.say("not now: put the cursor on a server, or mark some with m")

    def action_failover(self) -> None:
        """What can be failed over; greyed there unless armed."""
        refusal = self.dashboard.operations.refusal
        if refusal is None:
            self.dashboard.operations.open_menu(self.row_under_cursor)
        else:
            self.say(f"not here: {refusal}")

    def action_operation(self) -> None:
        """The operation that runs, or the last one."""
        operations = self.dashboard.operations
        if operations.refusal is not None:
            self.say(f"not here: {operations.refusal}")
        else:
            operations.newest(self._show_operation)

    def _show_operation(self, found: OperationFacts | Trouble | None) -> None:
        if found is None:
            self.say("there was no operation yet")
        elif isinstance(found, Trouble):
            self.say(found.text)
        elif self.is_current and found.ended:
            self.dashboard.operations.open_result(found)
        elif self.is_current:
            self.dashboard.operations.open_run(found.id, found)

"""What the views of nodes share: the keys of operations, and a node under the cursor."""

from __future__ import annotations

from typing import TypeVar

from tuiha.tui.draw.rows import Row
from tuiha.tui.keys import EVERYWHERE, bindings
from tuiha.tui.kit.tabular import TABLE_KEYS, TableView
from tuiha.tui.operations.node_keys import ACTING_KEYS, ActingScreen
from tuiha.tui.views.nodes.rows import Item

NODE_KEYS = (*TABLE_KEYS, *ACTING_KEYS, *EVERYWHERE)
I = TypeVar("I", bound=Item)  # noqa: E741 - an item


class NodeView(TableView[I], ActingScreen, inherit_bindings=False):
    """A view whose rows are nodes."""

    KEYS = NODE_KEYS
    BINDINGS = bindings(NODE_KEYS)  # type: ignore[assignment]

    @property
    def row_under_cursor(self) -> Row | None:
        """What a key that acts on a node acts on."""
        current = self.table.current
        return None if current is None else current.row

    def opened(self, item: I) -> None:
        """Its detail."""
        self.dashboard.show_detail(item.node)

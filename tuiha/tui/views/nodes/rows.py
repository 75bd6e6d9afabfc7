"""Rows of the views of nodes: a node's row as Home has it, and what a view knows beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuiha.model.facts import Snapshot
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import NODES, Column
from tuiha.tui.draw.rows import Row, rows_of


@dataclass(frozen=True, slots=True)
class Item:
    """A node in a view."""

    row: Row

    @property
    def name(self) -> str:
        """What the cursor follows."""
        return self.row.name

    @property
    def node(self) -> str:
        """The node that `enter` and the keys of operations mean."""
        return self.row.name

    @property
    def rank(self) -> int:
        """As on Home."""
        return self.row.rank

    @property
    def stale(self) -> bool:
        """As on Home."""
        return self.row.stale

    @property
    def astray(self) -> bool:
        """As on Home."""
        return self.row.astray


def rows_by_name(snapshot: Snapshot, now: float) -> dict[str, Row]:
    """The rows of Home by the nodes' names."""
    return {row.name: row for row in rows_of(snapshot, now)}


def from_home(key: str, since: int, title: str | None = None) -> Column[Any]:
    """A column of Home in a view's table, from that width on."""
    column = NODES.column(key)
    made: Column[Any] = Column(key, title or column.title, since, lambda item, sight: column.show(item.row, sight),
                               column.least, column.most, column.numeric)
    return made


def coarse(seconds: float | None) -> str:
    """How long ago in at most three cells, to the minute: it must not change with every snapshot."""
    if not figures.known(seconds):
        return ""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "<1m"
    if minutes < 2880:
        return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h"
    return f"{minutes // 1440}d" if minutes < 1_440_000 else ">999d"

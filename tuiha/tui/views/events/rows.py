"""Events as rows of a table: what changed, when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.model.event_groups import EventGroup, grouped
from tuiha.model.facts import Event, Severity
from tuiha.model.words import natural
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import Column, Lasting, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.head import SEVERITY_STYLES
from tuiha.tui.draw.rows import RowOrder
from tuiha.tui.views.nodes.rows import coarse
from tuiha.words.events import of_group, subjects

NAMES = 16  # cells of the nodes' names
_RANKS = {Severity.BAD: 0, Severity.WARNING: 1, Severity.NOTE: 3}


@dataclass(frozen=True, slots=True)
class EventItem(Lasting):
    """An event of the table, or several of one cause."""

    group: EventGroup
    turn: int  # of several equal ones at the same moment
    age: float  # seconds

    @property
    def event(self) -> Event:
        """The newest of them."""
        return self.group.newest

    @property
    def name(self) -> str:
        """What the cursor follows: the first of the group, however many come after it."""
        first = self.group.events[-1]
        return f"{first.at} {first.subject} {self.turn} {first.kind} {first.facts}"

    @property
    def rank(self) -> int:
        """By how much it matters."""
        return _RANKS[self.event.severity]


def event_items(events: Sequence[Event], now: float) -> tuple[EventItem, ...]:
    """The events as rows."""
    turns: dict[Event, int] = {}
    items = []
    for group in reversed(tuple(grouped(events))):
        first = group.events[-1]
        turns[first] = turn = turns.get(first, -1) + 1
        items.append(EventItem(group, turn, max(0.0, now - group.newest.at)))
    return tuple(reversed(items))


def _ago(item: EventItem) -> str:
    """How long ago, coarser as it gets longer: it must not change with every snapshot."""
    minutes = int(item.age // 60)
    return "now" if minutes < 1 else coarse(item.age)


SHEET: Sheet[EventItem] = Sheet(
    (
        Column("time", "TIME", 0, lambda item, _: (figures.clock(item.event.at), "quiet"), 8),
        Column("ago", "AGO", 50, lambda item, _: (_ago(item), "quiet"), 4, numeric=True),
        Column("subject", "NODE", 0, lambda item, _: (subjects(item.group, NAMES), "heading bold"), 5, NAMES),
        Column("note", "WHAT CHANGED", 0,
               lambda item, _: (of_group(item.group), SEVERITY_STYLES[item.event.severity]), 0),
    ),
    ("time", "subject", "note", "ago"),
)
ORDERS: tuple[RowOrder[EventItem], ...] = (
    RowOrder("newest first", "time", lambda item: (item.age, -item.turn)),
    RowOrder("worst first", "note", lambda item: (item.rank, item.age)),
    RowOrder("node", "subject", lambda item: (natural(item.event.subject), item.age)),
)
FIELDS: Fields[EventItem] = Fields(
    {
        "node": lambda item: " ".join(item.group.subjects),
        "what": lambda item: of_group(item.group),
        "severity": lambda item: item.event.severity.value,
    },
    {"age": lambda item: item.age},
)

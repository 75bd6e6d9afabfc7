"""Columns: which of them a width has room for, and what each shows of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from rich.cells import cell_len

from tuiha.model.facts import NodeKind
from tuiha.model.reports import DatabaseState, ServerState
from tuiha.model.scene import GONE
from tuiha.tui.draw import figures
from tuiha.tui.draw.marks import CURSOR, DOWN, OK, STALE, WARN, sparkline, state_style
from tuiha.tui.draw.rows import Row
from tuiha.tui.draw.spans import Line, Span, clean, left, right
from tuiha.tui.draw.trends import Trends
from tuiha.words.states import within

SPARK_CELLS = 10
ROOMY = 100  # from this width on there is air between columns
NOTE_WANTED = 21  # cells that the note keeps before less weighty columns come in
NOTE_ROOMY = 28  # and in a roomy table
MARGIN = 4  # cursor, mark, and a space on either side of them


@dataclass(frozen=True, slots=True)
class ColumnSight:
    """What showing a row needs beside the row."""

    at: float  # unix seconds of the snapshot
    trends: Trends
    old: bool = False  # it is a picture of another time: nothing in it has a colour


class Listed(Protocol):
    """What a row of a table has, whatever else it is."""

    @property
    def name(self) -> str:
        """What the cursor follows: no two rows have the same."""

    @property
    def rank(self) -> int:
        """0 bad, 1 warning, 2 stale, 3 as it should be."""

    @property
    def stale(self) -> bool:
        """Whether it was seen too long ago."""

    @property
    def astray(self) -> bool:
        """Whether the whole row is an alarm."""


class Lasting:
    """A row of something that is written down: it does not get old, and is no alarm by itself."""

    __slots__ = ()

    @property
    def stale(self) -> bool:
        """Never."""
        return False

    @property
    def astray(self) -> bool:
        """Never."""
        return False


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: its title, the table's width from which it may appear, and what it shows."""

    key: str
    title: str
    since: int
    show: Callable[[T, ColumnSight], Span]
    least: int
    most: int = 0  # 0: always `least` cells
    numeric: bool = False

    def gap(self, width: int) -> int:
        """Cells before it: numbers stand at the right of theirs and need less, and narrow tables save."""
        return 1 if self.numeric or (width < ROOMY and self.key != "note") else 2


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with its place in the line."""

    column: Column[Any]
    x: int
    width: int


def _state(row: Row, _: ColumnSight) -> Span:
    style = state_style(row.state)
    if row.shown != row.state and style == "well":
        style = "warning"
    shown = _SHORT.get(row.shown, row.shown)
    return (shown, f"{style} bold" if style in ("bad", "warning") else style)


_SHORT: dict[str, str] = {DatabaseState.ROGUE_PRIMARY: "ROGUE"}  # its role is in the next column


def _number(text: str, stale: bool) -> Span:
    return (text, "quiet" if stale or text == figures.UNKNOWN else "text")


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """The columns of a table in the order of the screen, and their keys with the weightiest first.

    What a width has no room for goes from the end of `weight`; the first two stay whatever the width. A column
    whose key is `note` takes the room that is left.
    """

    columns: tuple[Column[T], ...]
    weight: tuple[str, ...]

    def column(self, key: str) -> Column[T]:
        """The column with that key."""
        return next(column for column in self.columns if column.key == key)


_BLANK: Span = ("", "text")
_WITH_USERS = (NodeKind.SERVER, NodeKind.MAIL)
_WITH_RATE = (NodeKind.SERVER, NodeKind.DATABASE, NodeKind.SPRAYER)


def _users(row: Row, _: ColumnSight) -> Span:
    return _number(figures.count(row.users), row.stale) if row.kind in _WITH_USERS else _BLANK


def _devices(row: Row, _: ColumnSight) -> Span:
    known = row.kind in (NodeKind.SERVER, NodeKind.SPRAYER)
    return _number(figures.count(row.devices), row.stale) if known else _BLANK


def _rate(row: Row, _: ColumnSight) -> Span:
    return _number(figures.count(row.rate), row.stale) if row.kind in _WITH_RATE else _BLANK


def _latency(row: Row, _: ColumnSight) -> Span:
    return _number(figures.milliseconds(row.latency), row.stale) if row.kind in _WITH_USERS else _BLANK


def full_span(full: float | None, stale: bool = False) -> Span:
    """How full a server is: from 75 % on it is worth a look, from 100 % on it takes no new users."""
    if full is None:
        return (figures.UNKNOWN, "quiet")
    style = "bad bold" if full >= FULL else "warning" if full >= NEARLY_FULL else "text"
    return (figures.percent(full), "quiet" if stale else style)


def _full(row: Row, _: ColumnSight) -> Span:
    return full_span(row.full, row.stale) if row.kind is NodeKind.SERVER else _BLANK


def _limited_by(row: Row, _: ColumnSight) -> Span:
    return (short_resource(row.limited_by), "quiet" if row.stale else "text")


def short_resource(name: str | None) -> str:
    """The name of a resource, as short as a column."""
    return _RESOURCES.get(name or "", name or "")


_RESOURCES = {"file descriptors": "files", "event loop": "loop", "database latency": "database"}  # as short as a column
NEARLY_FULL, FULL = 75.0, 100.0  # percent


def _load(row: Row, _: ColumnSight) -> Span:
    if row.kind is not NodeKind.SERVER:
        return _BLANK
    if row.load is not None and row.load >= 90:
        return (figures.percent(row.load), "warning")
    return _number(figures.percent(row.load), row.stale)


def _memory(row: Row, _: ColumnSight) -> Span:
    return _number(figures.memory(row.memory), row.stale) if row.kind is NodeKind.SERVER else _BLANK


def _attached(row: Row, _: ColumnSight) -> Span:
    if row.kind is not NodeKind.SERVER:
        return _BLANK
    if row.database is None:
        return (figures.UNKNOWN, "quiet") if row.state in GONE else ("none", "bad")
    if row.astray:
        return (f"{row.database}{DOWN}", "bad bold")
    return (row.database, "well" if row.state is ServerState.UP else "text")


def _note(row: Row, _: ColumnSight) -> Span:
    return (row.note, ("bad", "warning", "quiet", "quiet")[row.rank])


def _age(row: Row, _: ColumnSight) -> Span:
    return (row.age, "bad" if row.stale else "quiet")


def _spark(metric: str, style: str, kinds: tuple[NodeKind, ...]) -> Callable[[Row, ColumnSight], Span]:
    def show(row: Row, sight: ColumnSight) -> Span:
        if row.kind not in kinds:
            return _BLANK
        return (sparkline(sight.trends.means(row.name, metric, SPARK_CELLS, sight.at)), style)

    return show


# In the order of the screen.
COLUMNS: tuple[Column[Row], ...] = (
    Column("node", "NODE", 0, lambda row, _: (row.name, "strong bold"), 4, 14),
    Column("role", "ROLE", 60, lambda row, _: (row.role, "heading"), 9),
    Column("state", "STATE", 0, _state, 11),
    Column("users", "USERS", 0, _users, 6, numeric=True),
    Column("users15", "USERS 15m", 120, _spark("users", "heading", _WITH_USERS), SPARK_CELLS),
    Column("devices", "DEVICES", 120, _devices, 7, numeric=True),
    Column("rate", "REQ/S", 120, _rate, 5, numeric=True),
    Column("rate15", "REQ/S 15m", 120, _spark("requests_per_second", "heading", _WITH_RATE), SPARK_CELLS),
    Column("latency", "P95", 120, _latency, 5, numeric=True),
    Column("latency15", "P95 15m", 120, _spark("latency_ms", "heading", _WITH_USERS), SPARK_CELLS),
    Column("full", "FULL", 60, _full, 4, numeric=True),
    Column("limited", "LIMITED BY", 80, _limited_by, 10),
    Column("load", "CPU", 120, _load, 4, numeric=True),
    Column("memory", "MEM", 120, _memory, 4, numeric=True),
    Column("database", "DB", 100, _attached, 4, 10),
    Column("age", "SEEN", 120, _age, 4, numeric=True),
    Column("note", "WHY", 60, _note, 0),
    Column("host", "ADDRESS", 100, lambda row, _: (row.host, "quiet"), 15, 21),
)
# The weightiest first: what a width has no room for goes from the end.
_WEIGHT = (
    "node", "state", "users", "full", "note", "role", "limited", "database",
    "latency", "latency15", "age", "rate", "devices", "load", "users15", "rate15", "host", "memory",
)
NODES = Sheet(COLUMNS, _WEIGHT)


def placed(rows: Sequence[T], sight: ColumnSight, width: int, sheet: Sheet[T]) -> tuple[Placed, ...]:
    """The columns that a table of that width shows, with their places."""
    by_key = {column.key: column for column in sheet.columns}
    widths = {key: _width(by_key[key], rows, sight) for key in sheet.weight if by_key[key].since <= width}
    chosen: set[str] = set()
    room = width - MARGIN
    wanted = NOTE_WANTED if width < ROOMY else NOTE_ROOMY
    for key, cells in widths.items():
        column = by_key[key]
        needed = cells + column.gap(width) + (wanted if key == "note" else 0)
        if key in sheet.weight[:2] or needed <= room or (key == "note" and room >= 6):
            chosen.add(key)
            room -= min(room, needed)
    spare = room + (wanted if "note" in chosen else 0)
    places: list[Placed] = []
    x = MARGIN - 2
    for column in sheet.columns:
        if column.key not in chosen:
            continue
        cells = spare if column.key == "note" else widths[column.key]
        x += column.gap(width) if places else 1
        cells = max(0, min(cells, width - 1 - x))
        places.append(Placed(column, x, cells))
        x += cells
    return tuple(places)


def _width(column: Column[T], rows: Sequence[T], sight: ColumnSight) -> int:
    if column.most == 0:
        return column.least
    longest = max((cell_len(clean(column.show(row, sight)[0])) for row in rows), default=0)
    return max(column.least, min(column.most, longest))


Cells = tuple[Span, ...]


def cells_of(row: Listed, columns: Sequence[Placed], sight: ColumnSight) -> Cells:
    """What each column shows of the row, filled to the column's width; the mark comes first."""
    cells = (mark_of(row), *(_cell(place, place.column.show(row, sight)) for place in columns))
    return tuple((text, "quiet") for text, _ in cells) if sight.old else cells


def _cell(place: Placed, span: Span) -> Span:
    text, style = span
    if place.column.key == "note":
        return (left(within(clean(text), place.width), place.width), style)
    fill = right if place.column.numeric else left
    return (fill(text, place.width), style)


def mark_of(row: Listed) -> Span:
    """The mark before a name: it tells the state without colour."""
    if row.rank == 0:
        return (DOWN, "bad bold")
    if row.stale:
        return (STALE, "bad")
    return (WARN, "warning") if row.rank == 1 else (OK, "well")


def row_line(cells: Cells, columns: Sequence[Placed], width: int, cursor: bool, ground: str) -> Line:
    """A row of the table as a line of exactly `width` cells."""
    spans: list[Span] = [(CURSOR if cursor else " ", "flow bold"), cells[0]]
    x = 2
    for place, cell in zip(columns, cells[1:], strict=True):
        if place.x > x:
            spans.append((" " * (place.x - x), "text"))
        spans.append(cell)
        x = place.x + place.width
    if width > x:
        spans.append((" " * (width - x), "text"))
    return Line(tuple(spans), ground)


def title_line(columns: Sequence[Placed], width: int, sorted_by: str) -> Line:
    """The titles; the one that the rows are sorted by carries a mark."""
    titles: list[Span] = [("", "quiet")]
    for place in columns:
        key = place.column.key
        title, style = place.column.title, "heading"
        if key == sorted_by:
            style = "text bold"
            title = f"▾{title}" if place.column.numeric else f"{title}▾"
        titles.append(_cell(place, (title, style)))
    titles[0] = (" ", "text")
    return row_line(tuple(titles), columns, width, False, "ground")

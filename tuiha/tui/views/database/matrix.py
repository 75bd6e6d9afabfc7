"""The attachment matrix: which pool server is on which physical database, and how many sessions it has on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tuiha.model.facts import DatabaseFacts, ServerFacts, Snapshot
from tuiha.model.reports import DatabaseState, ServerState
from tuiha.model.scene import GONE
from tuiha.model.words import natural
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import Column, ColumnSight, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.head import ordered_pair, relation
from tuiha.tui.draw.marks import DOWN, OK
from tuiha.tui.draw.rows import RowOrder
from tuiha.tui.draw.spans import Span
from tuiha.tui.views.nodes.rows import Item, from_home, rows_by_name


@dataclass(frozen=True, slots=True)
class MatrixItem(Item):
    """A database, or a pool server with its cell for each database."""

    cells: tuple[Span, ...]  # in the order of the databases
    facts: ServerFacts | DatabaseFacts

    @property
    def server(self) -> ServerFacts | None:
        """The pool server; None for a database."""
        return self.facts if isinstance(self.facts, ServerFacts) else None


def names_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The databases from left to right, the active one first."""
    return tuple(database.name for database in ordered_pair(snapshot))


def matrix_items(snapshot: Snapshot, now: float) -> tuple[MatrixItem, ...]:
    """The databases and the servers."""
    rows, pair = rows_by_name(snapshot, now), ordered_pair(snapshot)
    items = [
        MatrixItem(rows[one.name], tuple(_of_database(one, other, snapshot) for other in pair), one) for one in pair
    ]
    counted = {(one.name, said.server): said.sessions for one in pair for said in one.sessions}
    for server in snapshot.servers:
        cells = tuple(_of_server(server, other, counted.get((other.name, server.name)), snapshot) for other in pair)
        items.append(MatrixItem(rows[server.name], cells, server))
    return tuple(items)


def _of_database(one: DatabaseFacts, column: DatabaseFacts, snapshot: Snapshot) -> Span:
    if one is column:
        good = one.state is DatabaseState.UP
        word = one.role if one.reachable and one.role else one.state
        return (f"{OK if good else DOWN} {word}", "well bold" if good else "bad bold")
    found = relation(snapshot)
    if one.name == snapshot.active or found is None:
        return ("", "text")
    return ("follows" if found.follows else "does not follow", found.style)


def _of_server(server: ServerFacts, column: DatabaseFacts, sessions: int | None, snapshot: Snapshot) -> Span:
    """On it: a mark with the sessions. Elsewhere: a dot, or sessions that should not be there."""
    counted = "" if not sessions else f" {sessions} session{'s' if sessions != 1 else ''}"
    if server.database == column.name and server.state not in GONE:
        if column.name != snapshot.active:
            return (f"{DOWN} HERE{counted}", "bad bold")
        return (f"{OK}{counted}", "well" if server.state is ServerState.UP else "text")
    if sessions and column.name != snapshot.active:
        return (f"{DOWN}{counted}", "bad bold")
    return (f"·{counted}", "warning" if sessions else "quiet")


def _epoch(item: MatrixItem, _: ColumnSight) -> Span:
    server = item.server
    return ("", "text") if server is None else (figures.UNKNOWN if server.epoch is None else str(server.epoch), "text")


def _lease(item: MatrixItem, _: ColumnSight) -> Span:
    server = item.server
    if server is None or server.state in GONE:
        return ("", "text")
    if not server.lease_seconds:
        return ("none", "bad")
    return ("yes", "text")


def _waiting(item: MatrixItem, _: ColumnSight) -> Span:
    server = item.server
    if server is None:
        return ("", "text")
    return (figures.count(server.queue), "warning" if server.queue else "quiet")


def _identity(item: MatrixItem, _: ColumnSight) -> Span:
    return (item.facts.system_identifier or figures.UNKNOWN, "quiet")


def _cell(place: int) -> Callable[[MatrixItem, ColumnSight], Span]:
    return lambda item, _: item.cells[place] if place < len(item.cells) else ("", "text")


@lru_cache(maxsize=16)
def matrix_sheet(names: tuple[str, ...]) -> Sheet[MatrixItem]:
    """The columns, one of them for each database."""
    cells = tuple(Column(f"on{place}", f"ON {name}", 0, _cell(place), 9, 17) for place, name in enumerate(names))
    return Sheet(
        (
            from_home("node", 0), from_home("role", 100), from_home("state", 0), *cells,
            Column("lease", "LEASE", 70, _lease, 5),
            Column("epoch", "EPOCH", 70, _epoch, 5, numeric=True),
            Column("waiting", "WAITING", 80, _waiting, 7, numeric=True),
            Column("identity", "IDENTITY", 120, _identity, 19, 20),
            from_home("age", 60), from_home("note", 60),
        ),
        ("node", *(cell.key for cell in cells), "state", "note", "lease", "age", "epoch", "waiting", "identity",
         "role"),
    )


def _grouped(item: MatrixItem) -> tuple[object, ...]:
    """The databases, then the servers, the worst of them first."""
    return (item.server is not None, not item.astray if item.server else False, item.rank if item.server else 0,
            natural(item.name))


ORDERS: tuple[RowOrder[MatrixItem], ...] = (
    RowOrder("worst first", "state", _grouped),
    RowOrder("node", "node", lambda item: (item.server is not None, natural(item.name))),
    RowOrder(
        "waiting",
        "waiting",
        lambda item: (item.server is not None, -(item.server.queue or 0) if item.server else 0, natural(item.name)),
    ),
)
FIELDS: Fields[MatrixItem] = Fields(
    {
        "node": lambda item: item.name,
        "role": lambda item: item.row.role,
        "state": lambda item: item.row.state,
        "db": lambda item: item.row.database or "",
        "note": lambda item: item.row.note,
    },
    {
        "waiting": lambda item: item.server.queue if item.server else None,
        "epoch": lambda item: item.server.epoch if item.server else None,
        "age": lambda item: item.row.age_seconds,
    },
)

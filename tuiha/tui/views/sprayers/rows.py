"""Sprayers, and under each the pool servers behind it, as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from tuiha.model.facts import BackendFacts, NodeKind, Snapshot, SprayerFacts
from tuiha.model.reports import BackendState, SprayerState
from tuiha.model.words import natural
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import Column, ColumnSight, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.marks import state_style
from tuiha.tui.draw.plots import Metric, Plotted
from tuiha.tui.draw.rows import STALE_RANK, Row, RowOrder
from tuiha.tui.draw.spans import Span
from tuiha.tui.draw.trends import Trends
from tuiha.tui.views.nodes.rows import Item, coarse, from_home, rows_by_name

SESSIONS = Metric("sessions", "SESSIONS", figures.count, least=10.0)
RATE = Metric("requests_per_second", "REQUESTS/S", figures.count, least=10.0)
FOLD_FROM = 12  # servers behind a sprayer from which on those that are up share a row
_RANKS = {"bad": 0, "warning": 1, "quiet": 2, "well": 3}


@dataclass(frozen=True, slots=True)
class SprayerItem(Item):
    """A sprayer, or (with a backend) a pool server as that sprayer sees it."""

    sprayer: SprayerFacts
    backend: BackendFacts | None = None
    folded: bool = False  # the row is of several servers that are all up; the detail of the sprayer has each

    @property
    def name(self) -> str:
        """The sprayer's, with the server's under it."""
        if self.folded:
            return f"{self.sprayer.name}/"
        return self.sprayer.name if self.backend is None else f"{self.sprayer.name}/{self.backend.server}"

    @property
    def node(self) -> str:
        """The sprayer, or the pool server."""
        return self.sprayer.name if self.backend is None or self.folded else self.backend.server

    @property
    def rank(self) -> int:
        """A server's is by what the sprayer sees; its own view may be another one."""
        return self.row.rank if self.backend is None else _RANKS[state_style(self.backend.state)]

    @property
    def stale(self) -> bool:
        """As old as what the sprayer said."""
        return self.row.stale

    @property
    def astray(self) -> bool:
        """Sprayers do not know databases."""
        return False


def sprayer_items(snapshot: Snapshot, now: float, *, fold: bool = False) -> tuple[SprayerItem, ...]:
    """All sprayers with what is behind them; with `fold` many servers that are up share a row."""
    rows = rows_by_name(snapshot, now)
    items: list[SprayerItem] = []
    for sprayer in snapshot.sprayers:
        own = rows[sprayer.name]
        items.append(SprayerItem(own, sprayer))
        good = _good(sprayer) if fold else frozenset()
        items += [SprayerItem(_behind(rows.get(backend.server), own), sprayer, backend)
                  for backend in sprayer.backends if backend not in good]
        if good:
            items.append(SprayerItem(own, sprayer, _together(good), folded=True))
    return tuple(items)


def _good(sprayer: SprayerFacts) -> frozenset[BackendFacts]:
    """The servers that need no row each: all that are up and keep nobody waiting, where there are many."""
    if len(sprayer.backends) < FOLD_FROM:
        return frozenset()
    return frozenset(one for one in sprayer.backends if one.state is BackendState.UP and not one.queue)


def _together(good: Collection[BackendFacts]) -> BackendFacts:
    """Several servers as one."""
    rates = [one.requests_per_second for one in good if one.requests_per_second is not None]
    return BackendFacts(f"+ {len(good):,} servers", BackendState.UP, sum(one.sessions for one in good),
                        requests_per_second=sum(rates) if rates else None, check="enter lists them, / finds one")


def _behind(server: Row | None, sprayer: Row) -> Row:
    """The server's row with the age of what the sprayer said; a server that only the sprayer knows has no row."""
    base = server if server is not None else replace(sprayer, users=None)
    return replace(base, age=sprayer.age, age_seconds=sprayer.age_seconds, stale=sprayer.stale)


def _node(item: SprayerItem, _: ColumnSight) -> Span:
    return (item.sprayer.name, "strong bold") if item.backend is None else (f"  {item.backend.server}", "text")


def _state(item: SprayerItem, _: ColumnSight) -> Span:
    state = item.sprayer.state if item.backend is None else item.backend.state
    style = state_style(state)
    return (state, f"{style} bold" if style in ("bad", "warning") else style)


def _count(sprayer: Callable[[SprayerFacts], float | None], backend: Callable[[BackendFacts], float | None],
           ) -> Callable[[SprayerItem, ColumnSight], Span]:
    def show(item: SprayerItem, _: ColumnSight) -> Span:
        value = sprayer(item.sprayer) if item.backend is None else backend(item.backend)
        quiet = item.stale or not value
        return (figures.count(value), "quiet" if quiet else "strong" if item.backend is None else "text")

    return show


def _queue(item: SprayerItem, _: ColumnSight) -> Span:
    value = sum(one.queue for one in item.sprayer.backends) if item.backend is None else item.backend.queue
    return (figures.count(value), "warning bold" if value else "quiet")


def _users(item: SprayerItem, _: ColumnSight) -> Span:
    value = item.sprayer.learned if item.backend is None else None if item.folded else item.row.users
    return (figures.count(value), "quiet" if item.stale or value is None else "text")


def _since(item: SprayerItem, _: ColumnSight) -> Span:
    seconds = item.sprayer.uptime_seconds if item.backend is None else item.backend.since_seconds
    return (coarse(seconds), "quiet")


_OUT = {BackendState.DRAIN: "drains: keeps its users, takes no new ones  ", BackendState.MAINT: "out of service  ",
        BackendState.DOWN: "the check fails  "}


def _note(item: SprayerItem, _: ColumnSight | None = None) -> Span:
    """What a sprayer does, or why it is marked; of a server why it is out, and the last check."""
    backend, sprayer = item.backend, item.sprayer
    if backend is not None:
        style = "quiet" if backend.state is BackendState.UP else state_style(backend.state)
        return (_of_backend(backend, item.row), style)
    if sprayer.state is SprayerState.UP and item.row.rank >= STALE_RANK:
        return holding(sprayer)
    style = "bad" if item.row.rank == 0 else "warning" if item.row.rank == 1 else "quiet"
    return (item.row.note or "no device comes in", style)


def _of_backend(backend: BackendFacts, server: Row) -> str:
    """Why a server is out at a sprayer: what is wrong with the server comes first, the check only follows from it."""
    if backend.state is BackendState.DOWN and server.kind is NodeKind.SERVER and server.rank < STALE_RANK:
        return f"{server.name} {server.shown}: {server.note}  {backend.check or ''}".rstrip()
    return checked(backend)


def checked(backend: BackendFacts) -> str:
    """The state of a server at a sprayer in words, and the last check."""
    return f"{_OUT.get(backend.state, '')}{backend.check or ''}".rstrip()


def holding(sprayer: SprayerFacts) -> Span:
    """What a sprayer is for devices now, and who says so: keepalived which addresses it has, else its sessions."""
    if sprayer.addresses is None:
        return ("carries devices, by its sessions", "well") if sprayer.active else ("standby: no sessions", "quiet")
    told, style = addresses(sprayer)
    return (f"{told}, by keepalived", style)


def addresses(sprayer: SprayerFacts) -> Span:
    """Which virtual addresses a sprayer has."""
    held = [row.address for row in sprayer.addresses or () if row.held]
    return (f"has {', '.join(held)}", "well") if held else ("has no address", "quiet")


SHEET: Sheet[SprayerItem] = Sheet(
    (
        Column("node", "SPRAYER", 0, _node, 8, 16),
        Column("state", "STATE", 0, _state, 5, 7),
        Column("sessions", "SESSIONS", 0, _count(lambda s: s.sessions, lambda b: b.sessions), 8, numeric=True),
        Column("queue", "QUEUE", 0, _queue, 5, numeric=True),
        Column("rate", "REQ/S", 0, _count(lambda s: s.requests_per_second, lambda b: b.requests_per_second), 6,
               numeric=True),
        Column("users", "USERS", 80, _users, 6, numeric=True),
        Column("since", "SINCE", 60, _since, 5, numeric=True),
        from_home("age", 60),
        Column("note", "NOTE", 60, _note, 0),
    ),
    ("node", "state", "sessions", "queue", "rate", "since", "note", "age", "users"),
)


def _grouped(item: SprayerItem) -> tuple[object, ...]:
    return (natural(item.sprayer.name), item.backend is not None, item.folded, natural(item.node))


ORDERS: tuple[RowOrder[SprayerItem], ...] = (
    RowOrder("by sprayer", "node", _grouped),
    RowOrder("worst first", "state", lambda item: (item.rank, *_grouped(item))),
    RowOrder("sessions", "sessions", lambda item: (
        -((item.sprayer.sessions or 0) if item.backend is None else item.backend.sessions), *_grouped(item))),
)
FIELDS: Fields[SprayerItem] = Fields(
    {
        "node": lambda item: item.name,
        "state": lambda item: item.sprayer.state if item.backend is None else item.backend.state,
        "note": lambda item: _note(item)[0],
    },
    {
        "sessions": lambda item: item.sprayer.sessions if item.backend is None else item.backend.sessions,
        "queue": lambda item: 0 if item.backend is None else item.backend.queue,
        "rate": lambda item: item.sprayer.requests_per_second if item.backend is None
        else item.backend.requests_per_second,
    },
)


def that_carry(names: tuple[str, ...], trends: Trends) -> tuple[str, ...]:
    """The sprayers that carried devices in the last 15 minutes: a standby's zeros say nothing. All, when none did."""
    busy = tuple(name for name in names if any(
        value for metric in (SESSIONS, RATE) for value in trends.history(name, metric.name)))
    return busy or names


def sprayer_plots(names: tuple[str, ...]) -> tuple[Plotted, ...]:
    """What is plotted of sprayers."""
    return tuple(Plotted(name, replace(metric, title=f"{name} {metric.title}"))
                 for name in names for metric in (SESSIONS, RATE))

"""Rows: what a table shows of each node, as immutable tuples made from a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tuiha.model.facts import (
    DatabaseFacts,
    MailFacts,
    NodeKind,
    ServerFacts,
    Severity,
    Snapshot,
    SprayerFacts,
)
from tuiha.model.problems.symptoms import NodeTrouble, troubles
from tuiha.model.reports import DatabaseRole, DatabaseState, NodeState
from tuiha.model.words import natural
from tuiha.tui.draw import figures
from tuiha.tui.draw.marks import state_style
from tuiha.tui.draw.spans import clean
from tuiha.words import states
from tuiha.words.states import note

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One node as the table shows it. Figures that are not known, or not of its kind, are None."""

    name: str
    kind: NodeKind
    role: str
    state: NodeState
    shown: str  # the state as people read it, with the target where it differs: `UP -> DRAIN`
    target: str
    rank: int  # 0 bad, 1 warning, 2 stale, 3 as it should be
    stale: bool
    age: str
    age_seconds: float | None
    users: int | None = None
    devices: int | None = None
    rate: float | None = None
    latency: float | None = None
    full: float | None = None  # percent of its limit that its scarcest resource uses
    limited_by: str = ""  # that resource
    load: float | None = None
    memory: int | None = None
    database: str | None = None
    symptom: bool = False  # of what is wrong with another node
    astray: bool = False  # attached to another database than the pool's, or writable and not the pool's
    note: str = ""
    host: str = ""


def rows_of(snapshot: Snapshot, now: float) -> tuple[Row, ...]:
    """A row for each node of the pool, in no particular order."""
    troubled = troubles(snapshot.problems)
    return tuple(_told(make(facts, snapshot, now), facts, troubled.get(facts.name))
                 for facts, make in _sources(snapshot))


def _told(row: Row, facts: Facts, trouble: NodeTrouble | None) -> Row:
    """The row with its mark, and with the reason for it: no mark is without one."""
    problem = None if trouble is None else trouble.problem
    shown = states.shown(facts, problem) if isinstance(facts, ServerFacts) else row.state
    rank = _rank(row, None if problem is None else problem.severity)
    said = row.note if trouble is None else clean(states.why(trouble, shown))
    if row.stale:
        ago = states.seen_ago(row.age_seconds)
        said = ago if rank == STALE_RANK or not said else said
    elif rank < STALE_RANK and not said:
        said = shown.lower()
    return replace(row, shown=shown, rank=rank, note=said, symptom=trouble is not None and trouble.cause is not None)


Facts = ServerFacts | DatabaseFacts | SprayerFacts | MailFacts
Make = Callable[..., Row]


def _sources(snapshot: Snapshot) -> Iterable[tuple[Facts, Make]]:
    for server in snapshot.servers:
        yield server, _server
    for database in snapshot.databases:
        yield database, _database
    for sprayer in snapshot.sprayers:
        yield sprayer, _sprayer
    for mail in snapshot.mail:
        yield mail, _mail


_RANKS = {"bad": 0, "warning": 1, "quiet": 2, "well": 3}
STALE_RANK = 2


def _rank(row: Row, severity: Severity | None) -> int:
    rank = _RANKS[state_style(row.state)]
    if row.astray or severity is Severity.BAD:
        return 0
    if severity is Severity.WARNING:
        return min(rank, 1)
    return min(rank, STALE_RANK) if row.stale else rank


def _age(seen_at: float | None, snapshot: Snapshot, now: float) -> tuple[float | None, bool, str]:
    age = None if seen_at is None else max(0.0, now - seen_at)
    return age, figures.is_stale(age, snapshot.interval), figures.age_text(age, snapshot.interval)


def _note(told: str, otherwise: str) -> str:
    return clean(told or otherwise)


def is_astray(server: ServerFacts, snapshot: Snapshot) -> bool:
    """Whether a server is attached to another database than the pool's active one."""
    return bool(server.database and snapshot.active and server.database != snapshot.active)


def _server(server: ServerFacts, snapshot: Snapshot, now: float) -> Row:
    age, stale, text = _age(server.seen_at, snapshot, now)
    astray = is_astray(server, snapshot)
    return Row(
        name=server.name, kind=NodeKind.SERVER, role="server", state=server.state, shown=server.state,
        target=server.target, rank=3, stale=stale, age=text, age_seconds=age, users=server.users,
        devices=server.devices, rate=server.requests_per_second, latency=server.latency_ms,
        full=server.full, limited_by=server.limited_by or "", load=server.cpu_percent, memory=server.memory_bytes,
        database=server.database, astray=astray, host=_host(server.address),
        note=_note(note(server), "wrong database" if astray else ""),
    )


def _database(database: DatabaseFacts, snapshot: Snapshot, now: float) -> Row:
    age, stale, text = _age(database.seen_at, snapshot, now)
    role = (database.role or database.expected or "database").lower()
    known = "" if database.timeline is None else f"timeline {database.timeline}"
    if database.role is DatabaseRole.SECONDARY and database.lag_bytes is not None:
        known = f"{figures.size(database.lag_bytes)} behind"
    return Row(
        name=database.name, kind=NodeKind.DATABASE, role=role, state=database.state, shown=database.state,
        target=target_of(database), rank=3, stale=stale, age=text, age_seconds=age,
        rate=database.transactions_per_second, astray=database.state is DatabaseState.ROGUE_PRIMARY,
        host=_host(database.address), note=_note(note(database), known),
    )


def target_of(database: DatabaseFacts) -> str:
    """What a database was told to be: UP, or the role when it plays another."""
    if database.expected and database.role and database.expected != database.role:
        return database.expected
    return "UP"


def _sprayer(sprayer: SprayerFacts, snapshot: Snapshot, now: float) -> Row:
    age, stale, text = _age(sprayer.seen_at, snapshot, now)
    known = "" if sprayer.sessions is None else f"{sprayer.sessions:,} sessions"
    return Row(
        name=sprayer.name, kind=NodeKind.SPRAYER, role="sprayer", state=sprayer.state, shown=sprayer.state, target="UP",
        rank=3, stale=stale, age=text, age_seconds=age, devices=sprayer.sessions,
        rate=sprayer.requests_per_second, host=_host(sprayer.address),
        note=_note(note(sprayer), known),
    )


def _mail(mail: MailFacts, snapshot: Snapshot, now: float) -> Row:
    age, stale, text = _age(mail.seen_at, snapshot, now)
    return Row(
        name=mail.name, kind=NodeKind.MAIL, role="mail", state=mail.state, shown=mail.state,
        target="OUT" if mail.in_service is False else "UP", rank=3, stale=stale, age=text, age_seconds=age,
        users=mail.users, latency=mail.latency_ms, host=_host(mail.address),
        note=_note(note(mail), mail.cluster),
    )


def _host(address: str) -> str:
    return address.removeprefix("http://").removeprefix("https://")


_KIND_ORDER = {kind: place for place, kind in enumerate(NodeKind)}


def _by_worst(row: Row) -> tuple[object, ...]:
    """What is wrong first, causes before symptoms; of what is well the servers, and the fullest first."""
    return (row.rank, row.symptom, _KIND_ORDER[row.kind], *by_fullness(row.full, row.name))


def by_fullness(full: float | None, name: str) -> tuple[object, ...]:
    """Sorts the fullest first, in steps of ten percent: an order that changes with each poll cannot be read."""
    return (-int(full // 10) if figures.known(full) else 0, natural(name))


def by_name(row: Row) -> tuple[object, ...]:
    """Sorts nodes by name, s2 before s10."""
    return (natural(row.name),)


def _most_first(figure: Callable[[Row], float | None]) -> Callable[[Row], tuple[object, ...]]:
    def key(row: Row) -> tuple[object, ...]:
        value = figure(row)
        return (value is None, -(value or 0), natural(row.name))

    return key


@dataclass(frozen=True, slots=True)
class RowOrder(Generic[T]):
    """A way to sort: its name, the column whose title carries the mark, and the sort key."""

    name: str
    column: str
    key: Callable[[T], tuple[object, ...]]


ORDERS: tuple[RowOrder[Row], ...] = (
    RowOrder("worst first", "state", _by_worst),
    RowOrder("node", "node", by_name),
    RowOrder("users", "users", _most_first(lambda row: row.users)),
    RowOrder("fullest first", "full", _most_first(lambda row: row.full)),
    RowOrder("load", "load", _most_first(lambda row: row.load)),
    RowOrder("latency", "latency", _most_first(lambda row: row.latency)),
    RowOrder("age", "age", _most_first(lambda row: row.age_seconds)),
)


def arranged(rows: Iterable[T], order: RowOrder[T]) -> tuple[T, ...]:
    """The rows in that order."""
    return tuple(sorted(rows, key=order.key))

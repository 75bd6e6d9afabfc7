"""Users as rows of a table, and one of them at length: where it is, why, and where it would go next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tuiha.model.users.outlook import Outlook, Points, against, outlook
from tuiha.model.users.placement import Biases, BoundUser, Candidate
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import Column, ColumnSight, Lasting, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.rows import RowOrder
from tuiha.tui.draw.spans import Line, Span, clean
from tuiha.tui.operations.lines.choices import Choice
from tuiha.tui.operations.lines.plan import LABEL, labelled
from tuiha.words.mail import explained

if TYPE_CHECKING:  # with its drivers it is heavy
    from tuiha.watch.reader import UserRow
from tuiha.tui.draw.columns import cells_of, placed, row_line, title_line
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import fit
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import no_history


@dataclass(frozen=True, slots=True)
class UserItem(Lasting):
    """A user, with the servers that it could be on as they were when it was read."""

    row: UserRow
    servers: Mapping[str, Candidate]
    biases: Biases

    @property
    def name(self) -> str:
        """The user's name."""
        return self.row.name

    @property
    def rank(self) -> int:
        """0: its server is gone; 1: nobody monitors it, or its mail; 2: it is disabled."""
        if self.row.disabled:
            return 2
        if self.row.server is None:
            return 1 if self.row.devices else 3
        current = self.servers.get(self.row.server)
        if current is None or not current.alive:
            return 0
        return 3 if self.row.no_mail is None else 1

    @property
    def outlook(self) -> Outlook:
        """Why it is where it is, and where it would go."""
        row = self.row
        bound = None
        if row.server is not None:
            bound = BoundUser(row.server, row.generation or 0, row.locked, False, row.pinned)
        return outlook(self.servers, bound, row.weight, self.biases)


def _ago(at: datetime | None, now: float) -> str:
    return "-" if at is None else figures.duration(now - at.timestamp())


def _left(at: datetime | None, now: float) -> str:
    return "" if at is None else figures.duration(max(0.0, at.timestamp() - now))


def _server(item: UserItem, _: ColumnSight) -> Span:
    if item.row.disabled:
        return ("DISABLED", "warning bold")
    if item.row.server is None:
        return ("nobody", "warning" if item.row.devices else "quiet")
    return (f"{item.row.server} DOWN", "bad bold") if item.rank == 0 else (item.row.server, "text")


def _mail(item: UserItem, _: ColumnSight) -> Span:
    if item.row.no_mail is not None:
        return ("NO MAIL", "warning bold")
    return (item.row.mail_server or "-", "heading")


def _locked(item: UserItem, sight: ColumnSight) -> Span:
    return ("pinned", "armed") if item.row.pinned else (_left(item.row.locked_until, sight.at), "warning")


COLUMNS: tuple[Column[UserItem], ...] = (
    Column("user", "USER", 0, lambda item, _: (item.name, "strong bold"), 8, 28),
    Column("server", "SERVER", 0, _server, 8, 14),
    Column("since", "SINCE", 60, lambda item, sight: (_ago(item.row.since, sight.at), "quiet"), 6, numeric=True),
    Column("locked", "LOCKED", 70, _locked, 7, numeric=True),
    Column("devices", "DEVICES", 40, lambda item, _: (figures.count(item.row.devices), "text"), 7, numeric=True),
    Column("sync", "LAST SYNC", 60, lambda item, sight: (_ago(item.row.last_sync, sight.at), "text"), 9, numeric=True),
    Column("mail", "MAIL", 60, _mail, 7, 14),
    Column("cluster", "CLUSTER", 100, lambda item, _: (item.row.mail_cluster, "quiet"), 7, 14),
    Column("note", "", 100, lambda item, _: ("", "quiet"), 0),
)
SHEET = Sheet(COLUMNS, ("user", "server", "devices", "sync", "locked", "mail", "since", "cluster", "note"))
ORDERS: tuple[RowOrder[UserItem], ...] = (RowOrder("name", "user", lambda item: (item.name.encode(),)),)
FIELDS: Fields[UserItem] = Fields({"user": lambda item: item.name}, {})


def user_lines(item: UserItem, now: float, width: int) -> list[Line]:
    """One user at length."""
    row, found = item.row, item.outlook
    if row.disabled:
        return _disabled_lines(row, now, width)
    told: list[tuple[str, str, str]] = []
    if row.server is not None:
        turn = "" if row.generation is None else f", generation {row.generation}"
        told.append(("Server", f"{row.server}, for {_ago(row.since, now)}{turn}", "strong bold"))
    told.append(("Why", found.why, "text"))
    told.append(("Next", _next(row, found), "flow"))
    if row.locked:
        told.append(("Locked", f"{_left(row.locked_until, now)} more: until then only an operator moves it", "warning"))
    sync = "no device yet" if row.last_sync is None else f"{_devices(row)}, last sync {_ago(row.last_sync, now)} ago"
    if row.no_mail is None:
        told.append(("Mail", f"{_monitored(row)}; {sync}", "text"))
    else:
        where = f" by {row.no_mail.mail_server}" if row.no_mail.mail_server else ""
        said = f" ({row.no_mail.text}{where})" if row.no_mail.text else ""
        what = f"{explained(row.no_mail.reason).what}{said}, for {_ago(row.no_mail.since, now)}"
        told.append(("No mail", f"{what}; {sync}", "warning"))
    told.append(("Points", ",  ".join(map(_points, found.points)) or "no server of the pool is known", "heading"))
    return _labelled_lines(told, width)


def _monitored(row: UserRow) -> str:
    """Through which mail server, or why through none."""
    if row.server is None:
        return "not monitored, because no pool server has this user"
    if not row.mail_server:
        return f"not monitored yet: no server of {row.mail_cluster} is chosen"
    return f"monitored through {row.mail_server} of {row.mail_cluster}"


def _disabled_lines(row: UserRow, now: float, width: int) -> list[Line]:
    """A user that nobody serves: since when, why, and what comes of it."""
    return _labelled_lines([
        ("Access", f"DISABLED for {_ago(row.disabled_at, now)}: {row.disabled_reason or 'no reason was given'}",
         "warning bold"),
        ("Means", "every server refuses its devices, and nobody monitors its mail", "text"),
        ("Next", "after e (enable), devices and mail continue; nothing that came meanwhile is lost", "flow"),
        ("Devices", _devices(row), "text"),
    ], width)


def _devices(row: UserRow) -> str:
    revoked = f" ({row.revoked} revoked)" if row.revoked else ""
    return f"{row.devices} {'device' if row.devices == 1 else 'devices'}{revoked}"


def _labelled_lines(told: Sequence[tuple[str, str, str]], width: int) -> list[Line]:
    lines = []
    for label, text, style in told:
        parts = wrapped(clean(text), width - LABEL - 1)[:2]
        lines += [labelled("" if place else label, ((part, style),), width) for place, part in enumerate(parts)]
    return lines


def _next(row: UserRow, found: Outlook) -> str:
    lost = f"; if {row.server} is lost: {found.if_lost or 'nobody can take it'}" if row.server else ""
    if found.next is None:
        return f"no server may take it{lost}"
    if found.next == row.server:
        return f"it stays on {found.next} when its device comes{lost}"
    return f"{found.next} takes it when its device comes{lost}"


def _points(one: Points) -> str:
    if one.against:
        return f"{one.server} {one.against}"
    return f"{one.server} {one.total}" + (f" ({one.index}+{one.added})" if one.added else "")


def targets(item: UserItem) -> tuple[Choice, ...]:
    """Where an operator may move a user: every server, the best first, with what the last look says of it."""
    found: list[tuple[bool, Choice]] = []
    for one in item.outlook.points:
        server = item.servers[one.server]
        reason = f"{item.name} is there" if one.server == item.row.server else against(server)
        if item.row.server is None:
            reason = "no server monitors it; its next request chooses one"
        if item.row.disabled:
            reason = f"{item.name} is disabled"
        means = f"availability {one.index}, {figures.count(server.users)} users, room for {figures.count(one.room)}"
        choice = Choice("move", (item.name, one.server), f"move {item.name} to {one.server}", reason or means)
        found.append((bool(reason), choice))
    return tuple(choice for _, choice in sorted(found, key=lambda pair: pair[0]))


def items_of(
    rows: Sequence[UserRow], servers: Mapping[str, Candidate], biases: Biases
) -> tuple[UserItem, ...]:
    """Rows of a page as items."""
    return tuple(UserItem(row, servers, biases) for row in rows)


SHEET_OF_ONE = Sheet(
    tuple(column for column in SHEET.columns if column.key != "server"),
    tuple(key for key in SHEET.weight if key != "server"),
)


def server_user_lines(
    users: Sequence[UserItem], told: str, trouble: str, now: float, width: int
) -> tuple[Line, ...]:
    """The list with its titles; `told` says how many there are, `trouble` why they cannot be read now."""
    title = rule(width, f"users: {told}")
    if trouble:
        title = rule(width, "users")
        return (title, Line(fit(((f" {trouble}", "warning"),), width)))
    if not users:
        return (title,)
    sight = ColumnSight(now, Trends(no_history))
    columns = placed(users, sight, width, SHEET_OF_ONE)
    rows = (row_line(cells_of(user, columns, sight), columns, width, False, "ground") for user in users)
    return (title, title_line(columns, width, ""), *rows)

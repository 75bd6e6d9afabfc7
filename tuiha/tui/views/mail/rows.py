"""Mail servers by cluster: users monitored through each, and which of them stands in for which."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tuiha.model.facts import MailFacts, Snapshot
from tuiha.model.problems.mail_trouble import WithoutMail
from tuiha.model.reports import MAIL_AWAY, MailState
from tuiha.model.words import natural
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import Column, ColumnSight, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.marks import DOWN, OK, WARN
from tuiha.tui.draw.plots import Metric, Plotted
from tuiha.tui.draw.rows import STALE_RANK, RowOrder
from tuiha.tui.draw.spans import GAP, Line, Span, clean, fit, left, right
from tuiha.tui.views.nodes.rows import Item, coarse, from_home, rows_by_name
from tuiha.words.mail import explained

USERS = Metric("users", "USERS", figures.count, least=10.0)
LATENCY = Metric("latency_ms", "LATENCY", figures.milliseconds, least=10.0)


@dataclass(frozen=True, slots=True)
class MailItem(Item):
    """A mail server with its partners in the cluster."""

    facts: MailFacts
    partners: tuple[MailFacts, ...]
    since: float | None  # seconds in this state, as far as that is known
    cluster: WithoutMail | None = None  # its cluster's users with and without mail

    @property
    def stands(self) -> str:
        """Where its users are instead, or whose users it has besides its own."""
        if self.facts.state in MAIL_AWAY:
            return f"-> {', '.join(self.takers)}" if self.takers else "no other server"
        away = [one.name for one in self.partners if one.state in MAIL_AWAY]
        return f"for {', '.join(away)}" if away and self.facts.state is MailState.UP else ""

    @property
    def takers(self) -> tuple[str, ...]:
        """The partners that take its users while it is away."""
        return tuple(one.name for one in self.partners if one.state is MailState.UP)


def mail_items(snapshot: Snapshot, now: float) -> tuple[MailItem, ...]:
    """All mail servers."""
    rows = rows_by_name(snapshot, now)
    clusters = {one.cluster: one for one in snapshot.without_mail}
    items = []
    for one in snapshot.mail:
        partners = tuple(other for other in snapshot.mail if other.cluster == one.cluster and other.name != one.name)
        began = one.failing_since if one.state is MailState.DOWN else one.changed_at
        items.append(MailItem(rows[one.name], one, partners, None if began is None else max(0.0, now - began),
                              clusters.get(one.cluster)))
    return tuple(items)


def _service(item: MailItem, _: ColumnSight) -> Span:
    words: dict[bool | None, Span] = {
        True: ("in", "quiet"), False: ("out", "warning bold"), None: (figures.UNKNOWN, "quiet")}
    return words[item.facts.in_service]


def _stands(item: MailItem, _: ColumnSight) -> Span:
    if item.facts.state not in MAIL_AWAY:
        return (item.stands, "flow")
    return (item.stands, "warning" if item.takers else "bad")


def _note(item: MailItem, _: ColumnSight) -> Span:
    facts = item.facts
    if facts.error:
        return (facts.error, "bad")
    if facts.in_service is False and facts.reason:
        return (facts.reason, "warning")
    if facts.closed:
        return (f"refuses log-ins: {facts.closed}", "warning")
    return (item.row.note, "warning") if item.rank < STALE_RANK else ("", "quiet")


def _without(item: MailItem, _: ColumnSight) -> Span:
    """Of its cluster: who has no connection is at no server."""
    if item.cluster is None:
        return (figures.UNKNOWN, "quiet")
    return (figures.count(item.cluster.failing), "warning bold" if item.cluster.failing else "quiet")


SHEET: Sheet[MailItem] = Sheet(
    (
        from_home("node", 0),
        Column("cluster", "CLUSTER", 0, lambda item, _: (item.facts.cluster, "heading"), 8, 12),
        from_home("state", 0), from_home("users", 0), from_home("users15", 100), from_home("latency", 0, "LATENCY"),
        from_home("latency15", 100, "LAT 15m"),
        Column("service", "SERVICE", 80, _service, 7),
        Column("without", "WITHOUT MAIL", 100, _without, 12, numeric=True),
        Column("since", "SINCE", 60, lambda item, _: (coarse(item.since), "quiet"), 5, numeric=True),
        Column("stands", "REPLACES", 0, _stands, 9, 18),
        from_home("age", 60),
        Column("note", "NOTE", 60, _note, 0),
        from_home("host", 120),
    ),
    ("node", "state", "users", "without", "stands", "cluster", "latency", "note", "age", "since", "service", "users15",
     "latency15", "host"),
)
SHEET = replace(SHEET, columns=tuple(
    replace(column, least=7) if column.key == "latency" else column for column in SHEET.columns))


def _by_cluster(item: MailItem) -> tuple[object, ...]:
    return (natural(item.facts.cluster), natural(item.name))


ORDERS: tuple[RowOrder[MailItem], ...] = (
    RowOrder("by cluster", "cluster", _by_cluster),
    RowOrder("worst first", "state", lambda item: (item.rank, *_by_cluster(item))),
    RowOrder("users", "users", lambda item: (-(item.facts.users or 0), *_by_cluster(item))),
    RowOrder("latency", "latency", lambda item: (-(item.facts.latency_ms or 0), *_by_cluster(item))),
)
FIELDS: Fields[MailItem] = Fields(
    {
        "node": lambda item: item.name,
        "cluster": lambda item: item.facts.cluster,
        "state": lambda item: item.facts.state,
        "stands": lambda item: item.stands,
        "note": lambda item: f"{item.facts.error or ''} {item.facts.reason or ''}",
    },
    {
        "users": lambda item: item.facts.users,
        "latency": lambda item: item.facts.latency_ms,
        "without": lambda item: None if item.cluster is None else item.cluster.failing,
        "age": lambda item: item.row.age_seconds,
    },
)


def cluster_lines(items: tuple[MailItem, ...], width: int, room: int) -> list[Line]:
    """Each cluster in a line: how many of its servers serve, its users, who stands in for whom; troubled ones first."""
    clusters: dict[str, list[MailItem]] = {}
    for item in items:
        clusters.setdefault(item.facts.cluster, []).append(item)
    ordered = sorted(clusters.items(), key=lambda pair: (
        all(item.facts.state is MailState.UP for item in pair[1]), natural(pair[0])))
    lines = [_cluster(name, members, width) for name, members in ordered]
    if len(lines) > room > 0:
        rest = len(lines) - room + 1
        lines = [*lines[: room - 1], Line(fit(((f"   and {rest} more clusters", "quiet"),), width))]
    return lines[: max(0, room)]


def trouble_lines(cluster: WithoutMail, now: float) -> list[Line]:
    """Why users of a cluster have no mail, a reason in a line: the most users first."""
    lines = []
    for trouble in cluster.troubles:
        said = f"because: {explained(trouble.reason).what}"
        since = "" if trouble.since is None else f", for {coarse(max(0.0, now - trouble.since))}"
        these = "this user" if trouble.users == 1 else f"these {figures.count(trouble.users)} users"
        named = ", ".join(clean(name) for name in trouble.examples)
        named += ", ..." if trouble.users > len(trouble.examples) else ""
        told = f"  {clean(trouble.text)}" if trouble.text else ""
        lines.append(Line(((f" without mail: {these}, ", "warning bold"), (f"{said}{since}", "text"), GAP,
                           (f"  {named}", "strong"), GAP, (told, "quiet"))))
    return lines


def _cluster(name: str, members: list[MailItem], width: int) -> Line:
    serving = [item for item in members if item.facts.state is MailState.UP]
    users = [item.facts.users for item in members if item.facts.users is not None]
    mark: Span = (OK, "well") if len(serving) == len(members) else (WARN, "warning") if serving else (DOWN, "bad")
    spans: list[Span] = [
        (" ", "text"), mark, (" ", "text"), (left(name, 12), "strong bold"),
        (f"{len(serving)} of {len(members)} serve", mark[1]),
        (right(figures.count(sum(users) if users else None), 10), "strong"), (" users   ", "quiet"),
    ]
    without = members[0].cluster
    if without is not None and without.failing:
        spans.append((f"WITHOUT MAIL {figures.count(without.failing)}   ", "warning bold"))
    for item in members:
        if item.facts.state is not MailState.UP:
            style = "bad bold" if item.facts.state is MailState.DOWN else "warning bold"
            spans += [(f"{item.name} {item.facts.state} ", style),
                      (f"{coarse(item.since)} {item.stands}   ", "text")]
    return Line(fit(spans, width))


def mail_plots(names: tuple[str, ...]) -> tuple[Plotted, ...]:
    """What is plotted of mail servers."""
    return tuple(Plotted(name, replace(metric, title=f"{name} {metric.title}"))
                 for name in names for metric in (USERS, LATENCY))

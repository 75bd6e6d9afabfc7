"""The detail of one node, of whatever kind: identity, figures, 15 minutes of history, problems, events."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tuiha.model.facts import DatabaseFacts, MailFacts, ServerFacts, Snapshot, SprayerFacts
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import availability_span
from tuiha.tui.draw.lists import event_line, problem_lines, rule
from tuiha.tui.draw.marks import state_mark, state_style
from tuiha.tui.draw.plots import Metric, Plotted, plot_lines
from tuiha.tui.draw.rows import is_astray, target_of
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, left, right, spread
from tuiha.tui.draw.trends import History
from tuiha.tui.draw.view import View

Facts = ServerFacts | DatabaseFacts | SprayerFacts | MailFacts
Pair = tuple[str, Span]
LABEL = 14  # cells of a label
PLOT_ROWS = 4
EVENTS = 8


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the detail shows of one kind of node."""

    kind: str
    identity: tuple[Pair, ...]
    figures: tuple[Pair, ...]
    metrics: tuple[Metric, ...]
    extra: tuple[Line, ...] = ()


def find_node(snapshot: Snapshot, name: str) -> Facts | None:
    """The node of that name."""
    nodes: tuple[Facts, ...] = (
        *snapshot.servers, *snapshot.databases, *snapshot.sprayers, *snapshot.mail,
    )
    return next((node for node in nodes if node.name == name), None)


def detail_lines(view: View, name: str, history: History, width: int) -> tuple[Line, ...]:
    """Everything that is known of a node."""
    snapshot = view.snapshot
    node = None if snapshot is None else find_node(snapshot, name)
    if snapshot is None or node is None:
        return (BLANK, Line(fit(((f" {name} is not in the newest snapshot", "warning"),), width)))
    portrait = _PORTRAITS[type(node)](node, snapshot)
    lines = [_title(node, portrait, view, width), BLANK, *_two_columns(portrait, width)]
    lines += portrait.extra
    plotted = [Plotted(node.name, metric) for metric in portrait.metrics]
    lines += [BLANK, *plot_lines(plotted, history, snapshot.at, width, PLOT_ROWS)]
    lines += _problems(view, snapshot, node.name, width)
    return (*lines, *_events(view, node.name, width))


def _title(node: Facts, portrait: Portrait, view: View, width: int) -> Line:
    style = state_style(node.state)
    interval = view.snapshot.interval if view.snapshot else 1.0
    age = None if node.seen_at is None else max(0.0, view.now - node.seen_at)
    stale = figures.is_stale(age, interval)
    start: list[Span] = [
        (" ", "text"), state_mark(node.state), (f" {node.name}", "strong bold"), (f"  {portrait.kind}  ", "heading"),
        (node.state, f"{style} bold"), (f"  {node.error or node.note}", style if node.error else "quiet"),
    ]
    end: list[Span] = [("  seen ", "quiet"), (figures.age_text(age, interval), "bad bold" if stale else "text"),
                       (" ago ", "quiet")]
    return Line(spread(start, end, width))


def _two_columns(portrait: Portrait, width: int) -> list[Line]:
    pairs = (portrait.identity, portrait.figures)
    if width < 70:
        return [Line(fit(_pair(label, value, width), width)) for column in pairs for label, value in column]
    half = width // 2
    lines = []
    for row in range(max(len(column) for column in pairs)):
        spans: list[Span] = []
        for column in pairs:
            spans += fit(_pair(*column[row], half) if row < len(column) else (), half)
        lines.append(Line(fit(spans, width)))
    return lines


def _pair(label: str, value: Span, width: int) -> tuple[Span, ...]:
    return fit(((" " + left(label, LABEL), "quiet"), value), width)


def _problems(view: View, snapshot: Snapshot, name: str, width: int) -> list[Line]:
    said = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    mine = [
        problem for problem in snapshot.problems if problem.subject == name or said.search(problem.what)
    ]
    if not mine:
        return []
    return [rule(width, "problems"), *problem_lines(mine, view.now, width), BLANK]


def _events(view: View, name: str, width: int) -> list[Line]:
    mine = [event for event in view.events if event.subject == name][:EVENTS]
    shown = [event_line(event, width) for event in mine]
    return [rule(width, "last events"), *(shown or [Line(fit(((" none so far", "quiet"),), width))])]


def _text(value: object, style: str = "text") -> Span:
    if value is None or value == "":
        return (figures.UNKNOWN, "quiet")
    return (clean(str(value)), style)


def _figure(text: str) -> Span:
    return (right(text, 9), "quiet" if text == figures.UNKNOWN else "strong")


def _server(server: ServerFacts, snapshot: Snapshot) -> Portrait:
    astray = is_astray(server, snapshot)
    availability, style = availability_span(server.availability_index)
    lease = None if server.lease_seconds is None else f"{max(0.0, server.lease_seconds):.0f} s left"
    return Portrait(
        "pool server",
        (
            ("address", _text(server.address)),
            ("target", _text(server.target)),
            ("database", (f"{server.database}, not the pool's {snapshot.active}", "bad bold") if astray
             else _text(server.database, "well")),
            ("epoch", _text(server.epoch)),
            ("lease", _text(lease, "text" if server.lease_seconds else "bad")),
            ("alive", _text({True: "yes", False: "no", None: None}[server.alive])),
        ),
        (
            ("users", _figure(figures.count(server.users))),
            ("devices", _figure(figures.count(server.devices))),
            ("availability", (right(availability, 9), style)),
            ("requests/s", _figure(figures.count(server.requests_per_second))),
            ("latency p95", _figure(figures.milliseconds(server.latency_ms, " "))),
            ("cpu, memory", _figure(f"{figures.percent(server.cpu_percent)} {figures.memory(server.memory_bytes)}")),
        ),
        (
            Metric("users", "USERS", figures.count),
            Metric("requests_per_second", "REQUESTS/S", figures.count),
            Metric("latency_ms", "LATENCY P95", figures.milliseconds),
            Metric("availability_index", "AVAILABILITY", figures.count, "well"),
        ),
    )


def _database(database: DatabaseFacts, _: Snapshot) -> Portrait:
    access = {True: "read and write", False: "read only", None: None}[database.writable]
    lag = None if database.lag_seconds is None else database.lag_seconds * 1000
    return Portrait(
        "database",
        (
            ("address", _text(database.address)),
            ("role", _text(database.role)),
            ("should be", _text(database.expected or target_of(database))),
            ("access", _text(access)),
            ("identity", _text(database.system_identifier)),
            ("timeline", _text(database.timeline)),
        ),
        (
            ("sessions", _figure(figures.count(database.pool_sessions))),
            ("transactions/s", _figure(figures.count(database.transactions_per_second))),
            ("behind", _figure(figures.size(database.lag_bytes))),
            ("lag", _figure(figures.milliseconds(lag, " "))),
            ("replication", _figure(database.sync_state or figures.UNKNOWN)),
        ),
        (
            Metric("transactions_per_second", "TRANSACTIONS/S", figures.count),
            Metric("lag_bytes", "BYTES BEHIND", lambda value: figures.size(None if value is None else int(value))),
            Metric("pool_sessions", "SESSIONS", figures.count),
        ),
    )


def _sprayer(sprayer: SprayerFacts, _: Snapshot) -> Portrait:
    carries = {True: "yes", False: "no, stands by", None: None}[sprayer.active]
    return Portrait(
        "sprayer",
        (("address", _text(sprayer.address)), ("carries devices", _text(carries))),
        (
            ("sessions", _figure(figures.count(sprayer.sessions))),
            ("requests/s", _figure(figures.count(sprayer.requests_per_second))),
        ),
        (Metric("sessions", "SESSIONS", figures.count),
         Metric("requests_per_second", "REQUESTS/S", figures.count)),
        _backends(sprayer),
    )


def _backends(sprayer: SprayerFacts) -> tuple[Line, ...]:
    titles = Line(((f"   {left('SERVER', 12)}{left('STATE', 8)}{right('SESSIONS', 9)}{right('QUEUE', 7)}", "heading"),))
    rows = [
        Line((
            (" ", "text"), state_mark(backend.state), (f" {left(backend.server, 12)}", "strong"),
            (left(backend.state, 8), state_style(backend.state)),
            (right(figures.count(backend.sessions), 9), "text"),
            (right(figures.count(backend.queue), 7), "warning" if backend.queue else "quiet"),
        ))
        for backend in sprayer.backends
    ]
    return (BLANK, titles, *rows) if rows else ()


def _mail(mail: MailFacts, snapshot: Snapshot) -> Portrait:
    others = [other.name for other in snapshot.mail if other.cluster == mail.cluster and other.name != mail.name]
    service = {True: "in service", False: "out of service", None: None}[mail.in_service]
    return Portrait(
        "mail server",
        (
            ("address", _text(mail.address)),
            ("cluster", _text(mail.cluster)),
            ("partners", _text(", ".join(others) or None)),
            ("service", _text(service)),
        ),
        (
            ("users", _figure(figures.count(mail.users))),
            ("latency", _figure(figures.milliseconds(mail.latency_ms, " "))),
        ),
        (Metric("users", "USERS", figures.count), Metric("latency_ms", "LATENCY", figures.milliseconds)),
    )


_PORTRAITS: dict[type, Callable[..., Portrait]] = {
    ServerFacts: _server,
    DatabaseFacts: _database,
    SprayerFacts: _sprayer,
    MailFacts: _mail,
}

"""What the detail says of each kind of node: identity, figures, what is plotted, what only that kind has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuiha.model.facts import DatabaseFacts, MailFacts, ServerFacts, Snapshot, SprayerFacts
from tuiha.model.reports import DatabaseRole, SprayerState
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import full_span
from tuiha.tui.draw.marks import DOWN, gauge, state_mark, state_style
from tuiha.tui.draw.plots import Metric
from tuiha.tui.draw.rows import is_astray, target_of
from tuiha.tui.draw.spans import BLANK, GAP, Line, Span, clean, left, right
from tuiha.tui.views.database.panel import COMMITS, LAG_BYTES, LAG_SECONDS, WAITING, position, waited_for
from tuiha.tui.views.mail.rows import LATENCY, USERS, trouble_lines
from tuiha.tui.views.nodes.rows import coarse
from tuiha.tui.views.sprayers.rows import RATE, SESSIONS, addresses, checked

Facts = ServerFacts | DatabaseFacts | SprayerFacts | MailFacts
Pair = tuple[str, Span]
HIGH = 90  # percent of a machine's cpu, memory or disk from which on it is a warning


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the detail shows of one kind of node."""

    kind: str
    identity: tuple[Pair, ...]
    figures: tuple[Pair, ...]
    metrics: tuple[Metric, ...]
    extra: tuple[Line, ...] = ()


def portrait_of(node: Facts, snapshot: Snapshot, now: float) -> Portrait:
    """The portrait of a node, of whatever kind, at `now` (unix seconds)."""
    return _PORTRAITS[type(node)](node, snapshot, now)


def _ago(at: float | None, now: float) -> str | None:
    return None if at is None else coarse(max(0.0, now - at))


def _text(value: object, style: str = "text") -> Span:
    if value is None or value == "":
        return (figures.UNKNOWN, "quiet")
    return (clean(str(value)), style)


def _figure(text: str) -> Span:
    return (right(text, 9), "quiet" if text == figures.UNKNOWN else "strong")


def _server(server: ServerFacts, snapshot: Snapshot, now: float) -> Portrait:
    full, style = full_span(server.full)
    lease = f"{max(0.0, server.lease_seconds):.0f} s left" if figures.known(server.lease_seconds) else None
    return Portrait(
        "pool server",
        (
            ("address", _text(server.address)),
            ("target", _text(server.target)),
            ("database", _attached(server, snapshot)),
            ("identity", _text(server.system_identifier)),
            ("epoch", _text(server.epoch)),
            ("lease", _text(lease, "text" if server.lease_seconds else "bad")),
            ("heartbeat", _text({True: "alive", False: "too old", None: None}[server.alive])),
            ("version", _text(server.version)),
            ("runs for", _text(_ago(server.started_at, now))),
        ),
        (
            ("users", _figure(figures.count(server.users))),
            ("devices", _figure(figures.count(server.devices))),
            ("full", (right(full, 9), style)),
            ("limited by", (right(server.limited_by or figures.UNKNOWN, 9), "text")),
            ("requests/s", _figure(figures.count(server.requests_per_second))),
            ("latency p95", _figure(figures.milliseconds(server.latency_ms, " "))),
            ("held requests", (right(figures.count(server.queue), 9), "warning" if server.queue else "strong")),
            ("sessions", _figure(_sessions_of(server, snapshot))),
            ("own cpu", _figure(figures.percent(server.cpu_percent))),
            ("own memory", _figure(figures.memory(server.memory_bytes))),
        ),
        (
            Metric("users", "USERS", figures.count, least=10.0),
            Metric("requests_per_second", "REQUESTS/S", figures.count, least=10.0),
            Metric("latency_ms", "LATENCY P95", figures.milliseconds, least=10.0),
            Metric("full", "FULL", figures.percent, least=100.0),
            WAITING,
            Metric("host_cpu_percent", "CPU OF THE HOST", figures.percent, least=100.0),
        ),
        _host(server),
    )


def _attached(server: ServerFacts, snapshot: Snapshot) -> Span:
    if is_astray(server, snapshot):
        return (f"{DOWN} {server.database}, not the pool's {snapshot.active}", "bad bold")
    return _text(server.database, "well")


def _sessions_of(server: ServerFacts, snapshot: Snapshot) -> str:
    """On each database that it has sessions on."""
    found = [f"{one.name} {said.sessions}" for one in snapshot.databases for said in one.sessions
             if said.server == server.name and said.sessions]
    return "  ".join(found) or figures.UNKNOWN


def _host(server: ServerFacts) -> tuple[Line, ...]:
    """The machine: shares as gauges, the load beside the number of processors."""
    shares = (("cpu", server.host_cpu_percent), ("memory", server.host_memory_percent),
              ("disk", server.host_disk_percent))
    if all(value is None for _, value in shares) and server.host_load is None:
        return ()
    spans: list[Span] = [(" HOST  ", "heading")]
    for word, value in shares:
        tint = "warning" if value is not None and value >= HIGH else "flow"
        style = "strong" if tint == "flow" else "warning bold"
        spans += [(f"{word} ", "quiet"), *gauge(value, 100, 6, tint), (right(figures.percent(value), 5), style), GAP]
    if figures.known(server.host_load):
        many = server.host_processors is not None and server.host_load > server.host_processors
        processors = "" if server.host_processors is None else f" of {server.host_processors}"
        spans += [("load ", "quiet"), (f"{server.host_load:.1f}", "warning bold" if many else "strong"),
                  (processors, "quiet")]
    return (BLANK, Line(tuple(spans)))


def _database(database: DatabaseFacts, snapshot: Snapshot, _: float) -> Portrait:
    access = {True: "read and write", False: "read only", None: None}[database.writable]
    lag = None if database.lag_seconds is None else database.lag_seconds * 1000
    wrong = database.expected is not None and database.role not in (None, database.expected)
    names = database.synchronous_names
    waits = None if database.role is not DatabaseRole.PRIMARY or names is None else waited_for(names) or "nobody"
    return Portrait(
        "database",
        (
            ("address", _text(database.address)),
            ("role", _text(database.role, "bad bold" if wrong else "text")),
            ("should be", _text(database.expected or target_of(database))),
            ("access", _text(access)),
            ("identity", _text(database.system_identifier)),
            ("timeline", _text(database.timeline)),
            ("position", _text(position(database.position))),
            ("replayed", _text(position(database.replayed))),
            ("commits wait for", _text(waits)),
            ("version", _text(database.version)),
        ),
        (
            ("sessions", _figure(figures.count(database.pool_sessions))),
            ("transactions/s", _figure(figures.count(database.transactions_per_second))),
            ("behind", _figure(figures.size(database.lag_bytes))),
            ("lag", _figure(figures.milliseconds(lag, " "))),
            ("replication", _figure(database.sync_state or figures.UNKNOWN)),
        ),
        (LAG_BYTES, LAG_SECONDS) if database.name != snapshot.active else (
            COMMITS, Metric("pool_sessions", "SESSIONS", figures.count, least=10.0)),
        (*_listed("SESSIONS", [(f"{said.server} {said.sessions}", "text") for said in database.sessions]),
         *_listed("SLOTS", [(_slot_text(slot.name, slot.active, slot.kept_bytes, slot.state),
                             "text" if slot.active else "warning") for slot in database.slots])),
    )


def _slot_text(name: str, active: bool, kept: int | None, state: str | None) -> str:
    return f"{name} {'active' if active else 'NOT ACTIVE'}, keeps {figures.size(kept)}, {state or 'unused'}"


def _listed(title: str, words: list[Span]) -> tuple[Line, ...]:
    """A line of several things; none when there are none."""
    if not words:
        return ()
    spans: list[Span] = [(" " + left(title, 10), "heading")]
    for text, style in words:
        spans += [(clean(text), style), GAP]
    return (BLANK, Line(tuple(spans)))


def _sprayer(sprayer: SprayerFacts, _: Snapshot, __: float) -> Portrait:
    carries = {True: "yes", False: "no, standby", None: None}[sprayer.active]
    told, style = ("", "quiet") if sprayer.addresses is None else addresses(sprayer)
    return Portrait(
        "sprayer",
        (
            ("address", _text(sprayer.address)),
            ("carries devices", _text(carries, "well" if sprayer.active else "text")),
            ("keepalived", _text(told if sprayer.state is SprayerState.UP else None, style)),
            ("version", _text(sprayer.version)),
            ("runs for", _text(None if sprayer.uptime_seconds is None else coarse(sprayer.uptime_seconds))),
        ),
        (
            ("sessions", _figure(figures.count(sprayer.sessions))),
            ("requests/s", _figure(figures.count(sprayer.requests_per_second))),
            ("queue", _figure(figures.count(sum(backend.queue for backend in sprayer.backends)))),
            ("users it knows", _figure(figures.count(sprayer.learned))),
        ),
        (SESSIONS, RATE),
        _backends(sprayer),
    )


def _backends(sprayer: SprayerFacts) -> tuple[Line, ...]:
    titles = Line(((f"   {left('SERVER', 12)}{left('STATE', 8)}{right('SESSIONS', 9)}{right('QUEUE', 7)}"
                    f"{right('REQ/S', 7)}{right('SINCE', 7)}  CHECK", "heading"),))
    rows = [
        Line((
            (" ", "text"), state_mark(backend.state), (f" {left(backend.server, 12)}", "strong"),
            (left(backend.state, 8), state_style(backend.state)),
            (right(figures.count(backend.sessions), 9), "text"),
            (right(figures.count(backend.queue), 7), "warning" if backend.queue else "quiet"),
            (right(figures.count(backend.requests_per_second), 7), "text"),
            (right(coarse(backend.since_seconds), 7), "quiet"),
            (f"  {clean(checked(backend))}", "quiet"),
        ))
        for backend in sprayer.backends
    ]
    return (BLANK, titles, *rows) if rows else ()


def _mail(mail: MailFacts, snapshot: Snapshot, now: float) -> Portrait:
    others = [f"{other.name} {other.state}" for other in snapshot.mail
              if other.cluster == mail.cluster and other.name != mail.name]
    service = {True: "in service", False: "out of service", None: None}[mail.in_service]
    return Portrait(
        "mail server",
        (
            ("address", _text(mail.address)),
            ("cluster", _text(mail.cluster)),
            ("partners", _text(", ".join(others) or None)),
            ("service", _text(service, "warning" if mail.in_service is False else "text")),
            ("since", _text(_ago(mail.changed_at, now))),
            ("reason", _text(mail.reason)),
        ),
        (
            ("users", _figure(figures.count(mail.users))),
            ("latency", _figure(figures.milliseconds(mail.latency_ms, " "))),
            ("failing for", _figure(_least(mail) + (_ago(mail.failing_since, now) or figures.UNKNOWN))),
        ),
        (USERS, LATENCY),
        _without_mail(mail, snapshot, now),
    )


def _least(mail: MailFacts) -> str:
    """What is said before the time of a failure that was there when this watcher began."""
    return "at least " if mail.failing_since is not None and mail.seen_at is None else ""


def _without_mail(mail: MailFacts, snapshot: Snapshot, now: float) -> tuple[Line, ...]:
    """The users of its cluster without mail, and why."""
    found = next((one for one in snapshot.without_mail if one.cluster == mail.cluster), None)
    lines = () if found is None else trouble_lines(found, now)
    return (BLANK, *lines) if lines else ()


_PORTRAITS: dict[type, Callable[..., Portrait]] = {
    ServerFacts: _server,
    DatabaseFacts: _database,
    SprayerFacts: _sprayer,
    MailFacts: _mail,
}

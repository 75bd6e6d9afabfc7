"""A snapshot as text for people: the verdict, the problems, then every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tuiha.cli.output.table import aligned, cell, moment, plain
from tuiha.model.facts import DatabaseFacts, MailFacts, Problem, ServerFacts, Severity, Snapshot, SprayerFacts
from tuiha.model.problems.symptoms import NodeTrouble, troubles
from tuiha.model.reports import BackendState
from tuiha.model.words import count, names, size, span
from tuiha.words import guard
from tuiha.words.mail import explained
from tuiha.words.next import command
from tuiha.words.problems import means, what
from tuiha.words.reports.backups import backup_age, backup_result
from tuiha.words.states import note, served, shown, why

_MARK = {Severity.BAD: "x", Severity.WARNING: "!", Severity.NOTE: "-"}


def status_text(snapshot: Snapshot) -> str:
    """All of a snapshot, in aligned lines."""
    lines = [_headline(snapshot)]
    for problem in snapshot.problems:
        lines += problem_text(problem, snapshot.at)
    if not snapshot.problems:
        lines.append("all good, no action needed")
    lines += [*_versions(snapshot), *guard_lines(snapshot)]
    known = troubles(snapshot.problems)
    for part in (_databases(snapshot, known), _backup(snapshot), _servers(snapshot, known), _sprayers(snapshot, known),
                 _mail(snapshot, known), _without_mail(snapshot)):
        if part:
            lines += ["", *part]
    return "\n".join(lines)


def _headline(snapshot: Snapshot) -> str:
    parts = [snapshot.pool, str(snapshot.verdict), served(snapshot, snapshot.at)]
    if snapshot.users is not None:
        parts.append(count(snapshot.users, "user"))
    parts.append(f"epoch {cell(snapshot.epoch)}")
    parts.append(snapshot.protection or "protection unknown")
    parts.append(moment(snapshot.at) or "")
    return "  ".join(parts)


def _versions(snapshot: Snapshot) -> list[str]:
    """Said while a pool is being updated; servers of other systems have versions of their own."""
    own = {s.name: s.version for s in snapshot.servers if s.version is not None and s.lease_seconds is not None}
    if len(set(own.values())) < 2:
        return []
    said = "; ".join(f"{names(n for n, v in own.items() if v == version)}: {version}"
                     for version in sorted(set(own.values())))
    return [f"versions differ: {said}"]


def guard_lines(snapshot: Snapshot) -> list[str]:
    """How the guard is, and how it stands with each order that it thinks of; nothing where it has no orders."""
    if snapshot.guard is None:
        return []
    report = snapshot.guard.report
    told = [] if report is None else [f"    {guard.countdown(one)}" for one in report.outlook]
    orders = "" if report is None else f": {', '.join(report.orders)}"
    return [f"{guard.state(snapshot.guard, snapshot.at)}{orders}", *told]


def problem_text(problem: Problem, now: float) -> list[str]:
    """A problem in lines: its state, what it means, and the next step."""
    least = "at least " if problem.at_least else ""
    since = f"  for {least}{span(now - problem.since)}" if problem.since is not None and now > problem.since else ""
    lines = [f"{_MARK[problem.severity]} {problem.subject} {what(problem)}{since}", f"    {means(problem)}"]
    if problem.next is not None:
        lines.append(f"    next: {command(problem.next)}")
    return lines


def _age(seen_at: float | None, snapshot: Snapshot) -> str:
    """Age of the facts; one older than three looks is marked."""
    if seen_at is None:
        return "never"
    age = max(0.0, snapshot.at - seen_at)
    return span(age) + ("!" if age > 3 * snapshot.interval else "")


def _table(head: str, rows: Iterable[tuple[str, ...]], right: Iterable[int]) -> list[str]:
    body = list(rows)
    return aligned([tuple(head.split("|")), *body], right) if body else []


def _why(
    node: ServerFacts | DatabaseFacts | SprayerFacts | MailFacts, shown: str, known: Mapping[str, NodeTrouble]
) -> str:
    """Why a node is as it is, in the words of the dashboard's rows."""
    trouble = known.get(node.name)
    return plain(note(node) if trouble is None else why(trouble, shown))


def _servers(snapshot: Snapshot, known: Mapping[str, NodeTrouble]) -> list[str]:
    def row(s: ServerFacts) -> tuple[str, ...]:
        trouble = known.get(s.name)
        state = shown(s, None if trouble is None else trouble.problem)
        memory = cell(size(s.memory_bytes) if s.memory_bytes is not None else None)
        return (s.name, state, cell(s.users, "{:,}"), cell(s.devices, "{:,}"), cell(s.full, "{:.0f}%"),
                cell(s.limited_by), cell(s.cpu_percent, "{:.0f}%"), memory, cell(s.requests_per_second, "{:.1f}"),
                cell(s.latency_ms, "{:.0f} ms"), cell(s.database), cell(s.lease_seconds, "{:.1f}s"),
                _age(s.seen_at, snapshot), s.address, _why(s, state, known))

    return _table("SERVER|STATE|USERS|DEVICES|FULL|LIMITED BY|CPU|MEMORY|REQ/S|P95|DB|LEASE|SEEN|ADDRESS|WHY",
                  map(row, snapshot.servers), (2, 3, 4, 6, 7, 8, 9))


def _databases(snapshot: Snapshot, known: Mapping[str, NodeTrouble]) -> list[str]:
    def row(d: DatabaseFacts) -> tuple[str, ...]:
        access = cell({True: "rw", False: "ro", None: None}[d.writable])
        lag = cell(size(d.lag_bytes) if d.lag_bytes is not None else None)
        return (d.name, d.state, cell(d.role), access, cell(d.timeline), cell(d.sync_state), lag,
                cell(d.lag_seconds, "{:.3f}s"), cell(d.pool_sessions), _age(d.seen_at, snapshot), d.address,
                _why(d, d.state, known))

    return _table("DATABASE|STATE|ROLE|ACCESS|TIMELINE|SYNC|BEHIND|LAG|SESSIONS|SEEN|ADDRESS|WHY",
                  map(row, snapshot.databases), (4, 6, 7, 8))


def _backup(snapshot: Snapshot) -> list[str]:
    found = snapshot.backup
    if found is None:
        return []
    row = (found.source, backup_age(found, snapshot.at), found.label or "-",
           cell(size(found.size) if found.size is not None else None), backup_result(found))
    return _table("BACKUP|NEWEST|LABEL|SIZE|LAST RESULT", [row], (3,))


def _sprayers(snapshot: Snapshot, known: Mapping[str, NodeTrouble]) -> list[str]:
    def row(s: SprayerFacts) -> tuple[str, ...]:
        up = f"{sum(b.state is BackendState.UP for b in s.backends)}/{len(s.backends)}" if s.backends else "-"
        active = cell({True: "yes", False: "no", None: None}[s.active])
        return (s.name, s.state, active, cell(s.sessions, "{:,}"), up, _age(s.seen_at, snapshot), s.address,
                _why(s, s.state, known))

    return _table("SPRAYER|STATE|ACTIVE|SESSIONS|BACKENDS UP|SEEN|ADDRESS|WHY", map(row, snapshot.sprayers), (3, 4))


def _without_mail(snapshot: Snapshot) -> list[str]:
    rows = [(c.cluster, f"{c.users:,}", f"{c.connected:,}", f"{c.waiting:,}", f"{c.failing:,}",
             ", ".join(f"{explained(t.reason).what}: {t.users:,}" for t in c.troubles)) for c in snapshot.without_mail]
    return _table("CLUSTER|USERS|CONNECTED|WAITING|WITHOUT MAIL|BECAUSE", rows, range(1, 5))


def _mail(snapshot: Snapshot, known: Mapping[str, NodeTrouble]) -> list[str]:
    def row(m: MailFacts) -> tuple[str, ...]:
        service = cell({True: "in service", False: "out", None: None}[m.in_service])
        return (m.cluster, m.name, m.state, service, cell(m.users, "{:,}"), cell(m.latency_ms, "{:.0f} ms"),
                _age(m.seen_at, snapshot), m.address, _why(m, m.state, known))

    return _table("CLUSTER|MAIL|STATE|SERVICE|USERS|LATENCY|SEEN|ADDRESS|WHY", map(row, snapshot.mail), (4, 5))

"""Facts of each node: its own report, what the database and the sprayers know of it, and the age of it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from tuiha.model.databases.active import ActiveStanding
from tuiha.model.databases.backups import BackupFacts, BackupReport
from tuiha.model.databases.durability import same_name
from tuiha.model.facts import (
    BackendFacts,
    DatabaseFacts,
    MailFacts,
    Polled,
    PolledMail,
    R,
    ServerFacts,
    SprayerFacts,
)
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import (
    DatabaseReport,
    DatabaseRole,
    DatabaseState,
    MailState,
    MemberRow,
    ReplicationRow,
    ServerReport,
    ServerState,
    ServerTarget,
    SprayerReport,
    SprayerState,
)
from tuiha.model.rules import Rules
from tuiha.model.users.availability import fullness

S = TypeVar("S")
_NO_SPEEDS: Mapping[str, float | None] = {}
NOT_THERE = frozenset({None, Cause.REFUSED})  # nothing listens; None: a recording of an earlier version


def down(polled: Polled[R], rules: Rules) -> bool:
    """Whether a target failed often enough in a row to be called down."""
    return polled.failures >= rules.down_after


def _reached(polled: Polled[R], rules: Rules, up: S, gone: S, unknown: S) -> S:
    if down(polled, rules):
        return gone
    return unknown if polled.report is None else up


def server_facts(polled: Polled[ServerReport], stand: ActiveStanding, rules: Rules) -> ServerFacts:
    """Conclude on one pool server."""
    member = stand.members.get(polled.name)
    report = None if down(polled, rules) else polled.report
    target = report.target if report is not None else member.target if member is not None else ServerTarget.UNKNOWN
    users = member.users if member is not None else report.users if report is not None else None
    return ServerFacts(
        name=polled.name,
        address=polled.address,
        state=_settled(_server_state(polled, member, stand, rules), users),
        target=target,
        alive=member.alive if member is not None and stand.current else None,
        users=users,
        devices=report.devices if report is not None else None,
        availability_index=report.availability_index if report is not None else None,
        full=_full(report),
        limited_by=report.limited_by if report is not None else None,
        database=report.database if report is not None else None,
        epoch=report.epoch if report is not None else None,
        lease_seconds=report.lease_seconds if report is not None else None,
        requests_per_second=report.requests_per_second if report is not None else None,
        latency_ms=report.latency_ms if report is not None else None,
        cpu_percent=report.cpu_percent if report is not None else None,
        memory_bytes=report.memory_bytes if report is not None else None,
        seen_at=polled.seen_at,
        note=polled.error or (report.reason if report is not None else None) or "",
        error=polled.error,
        **_told(report, _OF_SERVER),
    )


_OF_SERVER = ("system_identifier", "queue", "version", "started_at", "host_cpu_percent", "host_memory_percent",
              "host_disk_percent", "host_load", "host_processors")
_OF_DATABASE = ("position", "replayed", "receiving", "synchronous_names", "sessions", "slots", "managed")


def _told(report: ServerReport | DatabaseReport | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Figures that are facts as the node told them; nothing when it cannot be asked."""
    return {} if report is None else {name: getattr(report, name) for name in names}


def _server_state(polled: Polled[ServerReport], member: MemberRow | None, stand: ActiveStanding, rules: Rules,
                  ) -> ServerState:
    if polled.report is not None and not down(polled, rules):
        return polled.report.state
    if member is not None and member.state == ServerState.LEFT:
        return ServerState.LEFT
    if member is not None and stand.current and member.alive and runs(polled, member, rules):
        return member.state  # only the watcher cannot reach it, or it is too busy to answer
    return ServerState.DOWN if down(polled, rules) else ServerState.UNKNOWN


def _full(report: ServerReport | None) -> float | None:
    """How full a server is: as it says, or by its availability index where its version does not say."""
    if report is None or report.full is not None:
        return None if report is None else report.full
    return None if report.availability_index is None else fullness(report.availability_index)


def _settled(state: ServerState, users: int | None) -> ServerState:
    return ServerState.DRAINED if state is ServerState.DRAINING and users == 0 else state


def runs(polled: Polled[ServerReport], member: MemberRow, rules: Rules) -> bool:
    """Whether the database knows that a server runs right now. A lease may be that of a process that just died."""
    return member.heartbeat_age <= rules.beating or (member.leased and polled.cause not in NOT_THERE)


def database_facts(polled: Polled[DatabaseReport], stand: ActiveStanding, rules: Rules, speed: float | None,
                   ) -> DatabaseFacts:
    """Conclude on one database of the pair."""
    report = polled.report
    away = down(polled, rules)
    reachable = report is not None and not away
    expected = None
    if stand.active is not None:
        expected = DatabaseRole.PRIMARY if polled.name == stand.active else DatabaseRole.SECONDARY
    row = replication_row(polled.name, stand)
    return DatabaseFacts(
        name=polled.name,
        address=polled.address,
        state=_database_state(polled, stand, rules),
        role=report.role if report is not None else None,
        expected=expected,
        reachable=reachable,
        writable=report.writable if report is not None and reachable else None,
        system_identifier=report.system_identifier if report is not None else None,
        timeline=report.timeline if report is not None else None,
        lag_bytes=_lag_bytes(polled, row, stand, rules),
        lag_seconds=_lag_seconds(polled, row, rules),
        sync_state=row.sync_state if row is not None and reachable else None,
        pool_sessions=sum(s.sessions for s in report.sessions) if report is not None and reachable else None,
        transactions_per_second=speed if reachable else None,
        seen_at=polled.seen_at,
        note=polled.error or "",
        error=polled.error,
        version=report.version if report is not None else None,
        **_told(report if reachable else None, _OF_DATABASE),
    )


def replication_row(name: str, stand: ActiveStanding) -> ReplicationRow | None:
    """The primary's replication row of a secondary, when the newest poll has one."""
    report = stand.primary_report
    if report is None or name == stand.active:
        return None
    return next((r for r in report.replication if same_name(r.name, name)), None)


def _database_state(polled: Polled[DatabaseReport], stand: ActiveStanding, rules: Rules) -> DatabaseState:
    state = _reached(polled, rules, DatabaseState.UP, DatabaseState.DOWN, DatabaseState.UNKNOWN)
    report = polled.report
    if state is DatabaseState.UP and report is not None and report.writable \
            and stand.active not in (None, polled.name):
        return DatabaseState.ROGUE_PRIMARY
    return state


def _lag_bytes(polled: Polled[DatabaseReport], row: ReplicationRow | None, stand: ActiveStanding, rules: Rules,
               ) -> int | None:
    if row is not None and row.lag_bytes is not None:
        return row.lag_bytes
    primary, report = stand.primary_report, polled.report
    if primary is None or report is None or down(polled, rules) or polled.name == stand.active \
            or report.role != DatabaseRole.SECONDARY:
        return None
    return max(0, primary.position - report.position)


def _lag_seconds(polled: Polled[DatabaseReport], row: ReplicationRow | None, rules: Rules) -> float | None:
    if row is not None:
        if row.lag_seconds is not None:
            return row.lag_seconds
        if row.lag_bytes == 0:
            return 0.0  # nothing is on its way, so PostgreSQL measures no time
    if polled.report is None or down(polled, rules) or polled.report.role != DatabaseRole.SECONDARY:
        return None
    return polled.report.replay_lag_seconds


def sprayer_facts(polled: Polled[SprayerReport], rules: Rules, speed: float | None,
                  speeds: Mapping[str, float | None] = _NO_SPEEDS) -> SprayerFacts:
    """Conclude on one sprayer; `speed` is its requests per second, `speeds` those of each server behind it."""
    report = None if down(polled, rules) else polled.report
    backends = tuple(
        BackendFacts(b.server, b.state, b.sessions, b.queue, speeds.get(b.server), b.since_seconds, b.check)
        for b in report.backends
    ) if report is not None else ()
    return SprayerFacts(
        name=polled.name,
        address=polled.address,
        state=_reached(polled, rules, SprayerState.UP, SprayerState.DOWN, SprayerState.UNKNOWN),
        active=report.sessions > 0 if report is not None else None,
        sessions=report.sessions if report is not None else None,
        requests_per_second=speed if report is not None else None,
        backends=backends,
        seen_at=polled.seen_at,
        note=polled.error or "",
        error=polled.error,
        version=report.version if report is not None else None,
        uptime_seconds=report.uptime_seconds if report is not None else None,
        learned=report.learned if report is not None else None,
        addresses=report.addresses if report is not None else None,
        process=polled.report.process if polled.report is not None else None,  # also while it is down: the last one
    )


def backup_facts(polled: Polled[BackupReport] | None, rules: Rules) -> BackupFacts | None:
    """Conclude on the backup of the pair; None when none is configured."""
    if polled is None:
        return None
    report = polled.report or BackupReport(polled.address, None)
    return BackupFacts(report.source, report.newest, report.label, report.size, report.failed, rules.backup_older,
                       polled.seen_at, polled.error)


def mail_facts(polled: PolledMail, stand: ActiveStanding, rules: Rules, closed: str | None = None) -> MailFacts:
    """Conclude on one mail server; `closed`: why it lets nobody in, as a pool server sees it."""
    row = stand.mail.get(polled.name)
    state = _reached(polled, rules, MailState.UP, MailState.DOWN, MailState.UNKNOWN)
    if state is MailState.UP and row is not None and not row.in_service:
        state = MailState.OUT
    return MailFacts(
        name=polled.name,
        cluster=polled.cluster,
        address=polled.address,
        state=state,
        users=row.users if row is not None else None,
        latency_ms=polled.report.latency_ms if polled.report is not None and state is not MailState.DOWN else None,
        in_service=row.in_service if row is not None else None,
        seen_at=polled.seen_at,
        note=polled.error or closed or "",
        error=polled.error,
        closed=closed,
        reason=row.reason if row is not None else None,
        changed_at=row.changed_at if row is not None else None,
        failing_since=polled.failing_since,
    )

"""The JSON documents of what commands look at; their fields are in `tuiha.model.documents`. Unknown values are null."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from tuiha.cli.output.table import moment, stamp
from tuiha.model.codes import Next
from tuiha.model.databases.backups import BackupFacts
from tuiha.model.facts import (
    DatabaseFacts,
    MailFacts,
    Problem,
    ServerFacts,
    Severity,
    Snapshot,
    SprayerFacts,
)
from tuiha.model.guard.report import GuardOutlook
from tuiha.model.problems.mail_trouble import TroubleReport, WithoutMail
from tuiha.model.problems.operation import Running, running
from tuiha.model.reports import (
    DatabaseState,
    MailState,
    Managed,
    NodeState,
    ServerState,
    ServerTarget,
    SprayerState,
)
from tuiha.words.explain import RUNBOOKS, ExplainedWord, runbook
from tuiha.words.guard import countdown
from tuiha.words.next import command
from tuiha.words.problems import means, what
from tuiha.words.states import note

if TYPE_CHECKING:
    from tuiha.model.documents import (
        ActionDocument,
        BackupDocument,
        DatabaseDocument,
        DevicesDocument,
        EventsDocument,
        ExplainDocument,
        GuardDocument,
        GuardOutlookDocument,
        MailServerDocument,
        ManagedDocument,
        ProblemDocument,
        RunningDocument,
        ServerDocument,
        SprayerDocument,
        StatusDocument,
        TroubleDocument,
        UserDocument,
        UsersDocument,
        WithoutMailDocument,
    )
    from tuiha.watch.reader import DeviceRow, EventRow, UnreadableRow, UserRow

State = TypeVar("State", bound=NodeState | ServerTarget)
_UNKNOWN: frozenset[NodeState | ServerTarget] = frozenset({
    ServerState.UNKNOWN, DatabaseState.UNKNOWN, SprayerState.UNKNOWN, MailState.UNKNOWN, ServerTarget.UNKNOWN})


def status(snapshot: Snapshot, runbooks: str = RUNBOOKS) -> StatusDocument:
    """The document of `tuiha status --json`. `runbooks`: the address of the problems' pages."""
    return {
        "schema": "tuiha.status/2",
        "pool": snapshot.pool,
        "at": moment(snapshot.at),
        "verdict": snapshot.verdict,
        "epoch": snapshot.epoch,
        "protection": snapshot.protection,
        "unserved_since": moment(snapshot.unserved_since),
        "problems": [_problem(p, runbooks) for p in snapshot.problems],
        "servers": [_server(s, snapshot.at) for s in snapshot.servers],
        "databases": [_database(d, snapshot.at) for d in snapshot.databases],
        "sprayers": [_sprayer(s, snapshot.at) for s in snapshot.sprayers],
        "mail": [{"cluster": cluster, "servers": [_mail(m, snapshot.at) for m in snapshot.mail if m.cluster == cluster]}
                 for cluster in dict.fromkeys(m.cluster for m in snapshot.mail)],
        "active": snapshot.active,
        "users": snapshot.users,
        "interval_seconds": snapshot.interval,
        "manager": snapshot.manager,
        "operation": _operation(running(snapshot)),
        "guard": _guard(snapshot),
        "without_mail": [_without_mail(one) for one in snapshot.without_mail],
        "backup": _backup(snapshot.backup, snapshot.at),
    }


def _backup(found: BackupFacts | None, now: float) -> BackupDocument | None:
    if found is None:
        return None
    return {"source": found.source, "newest": moment(found.newest), "age_seconds": _short(found.age(now)),
            "older_than_seconds": found.older, "label": found.label or None, "bytes": found.size,
            "failed": found.failed, "error": found.error}


def _without_mail(found: WithoutMail) -> WithoutMailDocument:
    return {"cluster": found.cluster, "users": found.users, "connected": found.connected, "waiting": found.waiting,
            "failing": found.failing, "troubles": [_trouble(one) for one in found.troubles],
            "servers": list(found.servers), "ahead": found.ahead}


def _trouble(found: TroubleReport) -> TroubleDocument:
    return {"reason": found.reason, "users": found.users, "since": moment(found.since),
            "examples": list(found.examples), "text": found.text}


def _operation(found: Running | None) -> RunningDocument | None:
    if found is None:
        return None
    return {"id": found.id, "kind": found.kind, "who": found.owner, "host": found.host, "since": moment(found.since),
            "step": found.step, "action": found.action, "condition": found.condition,
            "silent_seconds": _short(found.silent), "ways": list(found.ways)}


def _guard(snapshot: Snapshot) -> GuardDocument | None:
    if snapshot.guard is None:
        return None
    report, pause = snapshot.guard.report, snapshot.guard.notes.paused(snapshot.at)
    return {
        "active": None if report is None else report.name,
        "host": None if report is None else report.host,
        "orders": [] if report is None else list(report.orders),
        "outlook": [] if report is None else [_outlook(one) for one in report.outlook],
        "paused": None if pause is None else {"until": moment(pause.until), "who": pause.by, "reason": pause.reason},
        "acknowledge": snapshot.guard.to_acknowledge,
    }


def _outlook(found: GuardOutlook) -> GuardOutlookDocument:
    return {"order": found.order, "database": found.partner, "evidence": list(found.signs),
            "missing": list(found.missing), "wait_seconds": _short(found.wait),
            "held": [one.hold for one in found.held], "text": countdown(found)}


def _problem(problem: Problem, runbooks: str) -> ProblemDocument:
    return {"severity": problem.severity, "subject": problem.subject, "code": problem.code,
            "what": what(problem), "since": moment(problem.since), "at_least": problem.at_least,
            "next": None if problem.next is None else command(problem.next),
            "action": None if problem.next is None else _action(problem.next),
            "kind": problem.kind, "means": means(problem), "runbook": runbook(problem.code, runbooks)}


def _action(then: Next) -> ActionDocument:
    """What comes next, for programs."""
    return {"kind": then.action, "operation": then.operation or None, "targets": list(then.targets)}


def _age(seen_at: float | None, now: float) -> float | None:
    return None if seen_at is None else _short(max(0.0, now - seen_at))


def _short(value: float | None) -> float | None:
    """Three decimals are more than any of these figures means."""
    return None if value is None else round(value, 3)


def _known(state: State) -> State | None:
    return None if state in _UNKNOWN else state


def _server(facts: ServerFacts, now: float) -> ServerDocument:
    return {
        "name": facts.name,
        "state": _known(facts.state),
        "target": _known(facts.target),
        "alive": facts.alive,
        "users": facts.users,
        "devices": facts.devices,
        "availability_index": facts.availability_index,
        "full_percent": _short(facts.full),
        "limited_by": facts.limited_by,
        "database": facts.database,
        "lease_seconds": _short(facts.lease_seconds),
        "requests_per_second": _short(facts.requests_per_second),
        "latency_ms": _short(facts.latency_ms),
        "cpu_percent": _short(facts.cpu_percent),
        "memory_bytes": facts.memory_bytes,
        "age_seconds": _age(facts.seen_at, now),
        "address": facts.address,
        "epoch": facts.epoch,
        "system_identifier": facts.system_identifier,
        "queue": facts.queue,
        "note": note(facts),
        "error": facts.error,
        "version": facts.version,
        "started_at": moment(facts.started_at),
        "host": {
            "cpu_percent": _short(facts.host_cpu_percent),
            "memory_percent": _short(facts.host_memory_percent),
            "disk_percent": _short(facts.host_disk_percent),
            "load": _short(facts.host_load),
            "processors": facts.host_processors,
        },
    }


def _database(facts: DatabaseFacts, now: float) -> DatabaseDocument:
    return {
        "name": facts.name,
        "role": facts.role,
        "reachable": facts.reachable,
        "writable": facts.writable,
        "system_identifier": facts.system_identifier,
        "timeline": facts.timeline,
        "lag_bytes": facts.lag_bytes,
        "lag_seconds": _short(facts.lag_seconds),
        "sync_state": facts.sync_state,
        "pool_sessions": facts.pool_sessions,
        "address": facts.address,
        "age_seconds": _age(facts.seen_at, now),
        "state": _known(facts.state),
        "expected": facts.expected,
        "transactions_per_second": _short(facts.transactions_per_second),
        "position": facts.position,
        "replayed": facts.replayed,
        "receiving": facts.receiving,
        "synchronous_names": facts.synchronous_names,
        "note": note(facts),
        "error": facts.error,
        "version": facts.version,
        "sessions": [{"server": one.server, "sessions": one.sessions} for one in facts.sessions],
        "slots": [{"name": one.name, "kind": one.kind, "active": one.active, "kept_bytes": one.kept_bytes,
                   "state": one.state} for one in facts.slots],
        "managed": None if facts.managed is None else _managed(facts.managed),
    }


def _managed(found: Managed) -> ManagedDocument:
    return {"role": found.role, "state": found.state, "leader": found.leader, "timeline": found.timeline,
            "lag_bytes": found.lag_bytes, "pending_restart": found.pending_restart, "paused": found.paused,
            "scheduled": found.scheduled, "synchronous": found.synchronous, "strict": found.strict,
            "version": found.version, "error": found.error}


def _sprayer(facts: SprayerFacts, now: float) -> SprayerDocument:
    return {
        "name": facts.name,
        "state": _known(facts.state),
        "active": facts.active,
        "sessions": facts.sessions,
        "backends": [{"server": b.server, "state": b.state, "sessions": b.sessions, "queue": b.queue,
                      "requests_per_second": _short(b.requests_per_second), "since_seconds": b.since_seconds,
                      "check": b.check} for b in facts.backends],
        "address": facts.address,
        "requests_per_second": _short(facts.requests_per_second),
        "age_seconds": _age(facts.seen_at, now),
        "error": facts.error,
        "version": facts.version,
        "uptime_seconds": facts.uptime_seconds,
        "learned": facts.learned,
        "addresses": None if facts.addresses is None else [
            {"address": row.address, "state": row.state} for row in facts.addresses],
    }


def _mail(facts: MailFacts, now: float) -> MailServerDocument:
    return {
        "name": facts.name,
        "state": _known(facts.state),
        "users": facts.users,
        "latency_ms": _short(facts.latency_ms),
        "in_service": facts.in_service,
        "address": facts.address,
        "age_seconds": _age(facts.seen_at, now),
        "error": facts.error,
        "reason": facts.reason,
        "changed_at": moment(facts.changed_at),
        "failing_since": moment(facts.failing_since),
        "closed": facts.closed,
    }


def events(pool: str, rows: Sequence[EventRow]) -> EventsDocument:
    """The document of `tuiha events --json`."""
    return {"schema": "tuiha.events/1", "pool": pool,
            "events": [{"id": r.id, "at": stamp(r.at), "severity": Severity(r.severity), "subject": r.subject,
                        "text": r.text} for r in rows]}


def users(
    pool: str, rows: Sequence[UserRow], after: str | None, unreadable: Sequence[UnreadableRow] = ()
) -> UsersDocument:
    """The document of `tuiha users --json`; `after` is where the next page begins, None when there is none.

    `unreadable`: of the one user that was asked for by name.
    """
    return {"schema": "tuiha.users/1", "pool": pool, "after": after,
            "unreadable": [{"mailbox": r.mailbox, "uid": r.uid, "mail_server": r.mail_server, "size": r.size,
                            "at": stamp(r.at), "reason": r.reason} for r in unreadable],
            "users": [_user(r) for r in rows]}


def _user(row: UserRow) -> UserDocument:
    no_mail = row.no_mail
    return {"name": row.name, "server": row.server, "since": stamp(row.since), "locked_until": stamp(row.locked_until),
            "devices": row.devices, "mail_server": row.mail_server, "last_sync": stamp(row.last_sync),
            "disabled_at": stamp(row.disabled_at), "disabled_reason": row.disabled_reason, "revoked": row.revoked,
            "no_mail": None if no_mail is None else {
                "reason": no_mail.reason, "text": no_mail.text, "since": stamp(no_mail.since),
                "mail_server": no_mail.mail_server}}


def devices(pool: str, user: str, rows: Sequence[DeviceRow]) -> DevicesDocument:
    """The document of `tuiha devices --json`."""
    return {"schema": "tuiha.devices/1", "pool": pool, "user": user,
            "devices": [{"name": r.name, "kind": r.kind, "registered_at": stamp(r.registered_at),
                         "last_seen": stamp(r.last_seen), "behind": r.behind, "revoked_at": stamp(r.revoked_at),
                         "revoked_reason": r.revoked_reason} for r in rows]}


def explained(words: Iterable[ExplainedWord]) -> ExplainDocument:
    """The document of `tuiha explain --json`."""
    return {"schema": "tuiha.explain/1", "words": [
        {"word": str(one.word), "kind": str(one.kind), "meaning": one.explanation.meaning,
         "users": one.explanation.users or None, "remedy": one.explanation.remedy or None,
         "runbook": one.explanation.runbook or None, "formerly": one.formerly or None} for one in words]}

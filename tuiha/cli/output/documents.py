"""JSON documents; docs/json.md describes them. Unknown values are null, never left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tuiha.model.codes import Next
from tuiha.model.facts import (
    DatabaseFacts,
    MailFacts,
    Problem,
    ServerFacts,
    Snapshot,
    SprayerFacts,
)
from tuiha.model.problems.operation import Running, running
from tuiha.model.reports import DatabaseState, MailState, NodeState, ServerState, ServerTarget, SprayerState
from tuiha.words.explain import RUNBOOKS, ExplainedWord, runbook
from tuiha.words.next import command
from tuiha.words.problems import means, what
from tuiha.words.states import note

if TYPE_CHECKING:
    from tuiha.watch.reader import DeviceRow, EventRow, UnreadableRow, UserRow

STATUS = "tuiha.status/2"
EVENTS = "tuiha.events/1"
USERS = "tuiha.users/1"
DEVICES = "tuiha.devices/1"
CHECK = "tuiha.check/1"
EXPLAIN = "tuiha.explain/1"

Document = dict[str, Any]
_UNKNOWN: frozenset[NodeState | ServerTarget] = frozenset({
    ServerState.UNKNOWN, DatabaseState.UNKNOWN, SprayerState.UNKNOWN, MailState.UNKNOWN, ServerTarget.UNKNOWN})


def moment(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, with milliseconds."""
    if seconds is None:
        return None
    return stamp(datetime.fromtimestamp(seconds, UTC))


def stamp(at: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC, with milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(snapshot: Snapshot, runbooks: str = RUNBOOKS) -> Document:
    """The document of `tuiha status --json`. `runbooks`: the address of the problems' pages."""
    return {
        "schema": STATUS,
        "pool": snapshot.pool,
        "at": moment(snapshot.at),
        "verdict": str(snapshot.verdict),
        "epoch": snapshot.epoch,
        "protection": snapshot.protection,
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
        "without_mail": [asdict(one) | {"troubles": [
            asdict(trouble) | {"since": moment(trouble.since)} for trouble in one.troubles]}
            for one in snapshot.without_mail],
    }


def _operation(found: Running | None) -> Document | None:
    if found is None:
        return None
    return {"id": found.id, "kind": found.kind, "who": found.owner, "host": found.host, "since": moment(found.since),
            "step": found.step, "action": found.action, "condition": str(found.condition),
            "silent_seconds": _short(found.silent), "ways": [str(way) for way in found.ways]}


def _problem(problem: Problem, runbooks: str) -> Document:
    return {"severity": str(problem.severity), "subject": problem.subject, "code": str(problem.code),
            "what": what(problem), "since": moment(problem.since), "at_least": problem.at_least,
            "next": None if problem.next is None else command(problem.next),
            "action": None if problem.next is None else _action(problem.next),
            "kind": str(problem.kind), "means": means(problem), "runbook": runbook(problem.code, runbooks)}


def _action(then: Next) -> Document:
    """What comes next, for programs."""
    return {"kind": str(then.action), "operation": then.operation or None, "targets": list(then.targets)}


def _age(seen_at: float | None, now: float) -> float | None:
    return None if seen_at is None else _short(max(0.0, now - seen_at))


def _short(value: float | None) -> float | None:
    """Three decimals are more than any of these figures means."""
    return None if value is None else round(value, 3)


def _known(state: NodeState | ServerTarget) -> str | None:
    return None if state in _UNKNOWN else str(state)


def _server(facts: ServerFacts, now: float) -> Document:
    return {
        "name": facts.name,
        "state": _known(facts.state),
        "target": _known(facts.target),
        "alive": facts.alive,
        "users": facts.users,
        "devices": facts.devices,
        "availability_index": facts.availability_index,
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


def _database(facts: DatabaseFacts, now: float) -> Document:
    return {
        "name": facts.name,
        "role": None if facts.role is None else str(facts.role),
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
        "expected": None if facts.expected is None else str(facts.expected),
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
        "managed": None if facts.managed is None else asdict(facts.managed),
    }


def _sprayer(facts: SprayerFacts, now: float) -> Document:
    return {
        "name": facts.name,
        "state": _known(facts.state),
        "active": facts.active,
        "sessions": facts.sessions,
        "backends": [{"server": b.server, "state": str(b.state), "sessions": b.sessions, "queue": b.queue,
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


def _mail(facts: MailFacts, now: float) -> Document:
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


def events(pool: str, rows: Sequence[EventRow]) -> Document:
    """The document of `tuiha events --json`."""
    return {"schema": EVENTS, "pool": pool,
            "events": [{"id": r.id, "at": stamp(r.at), "severity": r.severity, "subject": r.subject, "text": r.text}
                       for r in rows]}


def users(
    pool: str, rows: Sequence[UserRow], after: str | None, unreadable: Sequence[UnreadableRow] = ()
) -> Document:
    """The document of `tuiha users --json`; `after` is where the next page begins, None when there is none.

    `unreadable`: of the one user that was asked for by name.
    """
    return {"schema": USERS, "pool": pool, "after": after,
            "unreadable": [{"mailbox": r.mailbox, "uid": r.uid, "mail_server": r.mail_server, "size": r.size,
                            "at": stamp(r.at), "reason": r.reason} for r in unreadable],
            "users": [{"name": r.name, "server": r.server, "since": stamp(r.since),
                       "locked_until": stamp(r.locked_until), "devices": r.devices, "mail_server": r.mail_server,
                       "last_sync": stamp(r.last_sync), "disabled_at": stamp(r.disabled_at),
                       "disabled_reason": r.disabled_reason, "revoked": r.revoked,
                       "no_mail": None if r.no_mail is None else {
                           "reason": r.no_mail.reason, "text": r.no_mail.text, "since": stamp(r.no_mail.since),
                           "mail_server": r.no_mail.mail_server}} for r in rows]}


def devices(pool: str, user: str, rows: Sequence[DeviceRow]) -> Document:
    """The document of `tuiha devices --json`."""
    return {"schema": DEVICES, "pool": pool, "user": user,
            "devices": [{"name": r.name, "kind": r.kind, "registered_at": stamp(r.registered_at),
                         "last_seen": stamp(r.last_seen), "behind": r.behind, "revoked_at": stamp(r.revoked_at),
                         "revoked_reason": r.revoked_reason} for r in rows]}


def explained(words: Iterable[ExplainedWord]) -> Document:
    """The document of `tuiha explain --json`."""
    return {"schema": EXPLAIN, "words": [
        {"word": str(one.word), "kind": str(one.kind), "meaning": one.explanation.meaning,
         "users": one.explanation.users or None, "remedy": one.explanation.remedy or None,
         "runbook": one.explanation.runbook or None, "formerly": one.formerly or None} for one in words]}

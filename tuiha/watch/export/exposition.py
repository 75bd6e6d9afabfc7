"""A snapshot in Prometheus' text format, which its library writes. Every figure here is one of now: a gauge.

A figure that is not known is left out, as Prometheus wants it: a gap in the graph, not a zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tuiha.model.databases.backups import BackupFacts
from tuiha.model.facts import Protection, Severity, Snapshot, Verdict
from tuiha.model.operations.intent import Condition
from tuiha.model.problems.operation import running

Sample = tuple[dict[str, str], "float | None"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of the whole pool."""

    name: str
    help: str
    samples: Callable[[Snapshot], Iterable[Sample]]


def _pool(value: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], Iterable[Sample]]:
    return lambda snapshot: [({}, value(snapshot))]


def _nodes(group: str, label: str, value: Callable[[Any], float | None],
           more: Callable[[Any], dict[str, str]] = lambda _: {}) -> Callable[[Snapshot], Iterable[Sample]]:
    return lambda snapshot: [({label: node.name, **more(node)}, value(node)) for node in getattr(snapshot, group)]


def _field(group: str, label: str, field: str) -> Callable[[Snapshot], Iterable[Sample]]:
    return _nodes(group, label, lambda node: getattr(node, field))


def _state(group: str, label: str) -> Callable[[Snapshot], Iterable[Sample]]:
    return _nodes(group, label, lambda _: 1.0, lambda node: {"state": str(node.state)})


def _cluster(node: Any) -> dict[str, str]:
    return {"cluster": node.cluster}


def _verdicts(snapshot: Snapshot) -> Iterable[Sample]:
    return [({"verdict": str(one)}, float(one is snapshot.verdict)) for one in Verdict]


def _problems(snapshot: Snapshot) -> Iterable[Sample]:
    return [({"severity": level}, sum(p.severity is level for p in snapshot.problems)) for level in Severity]


def _codes(snapshot: Snapshot) -> Iterable[Sample]:
    found = Counter((p.severity, p.kind, p.subject, p.code) for p in snapshot.problems)
    return [({"severity": severity, "kind": kind, "subject": subject, "code": code}, number)
            for (severity, kind, subject, code), number in found.items()]


def _operation(snapshot: Snapshot) -> Iterable[Sample]:
    found = running(snapshot)
    return [({"condition": str(one), "kind": "" if found is None else found.kind},
             float(found is not None and one is found.condition)) for one in Condition]


def _step(snapshot: Snapshot) -> Iterable[Sample]:
    found = running(snapshot)
    return [] if found is None else [({"kind": found.kind}, found.step)]


def _silent(snapshot: Snapshot) -> Iterable[Sample]:
    found = running(snapshot)
    return [] if found is None else [({"kind": found.kind}, found.silent)]


def _guard(snapshot: Snapshot) -> Iterable[Sample]:
    found = snapshot.guard
    if found is None:
        return []
    states = {"paused": found.notes.paused(snapshot.at) is not None, "off": found.report is None,
              "acknowledge": found.to_acknowledge, "active": True}
    first = next(state for state, is_so in states.items() if is_so)
    return [({"state": state}, float(state == first)) for state in states]


def _orders(snapshot: Snapshot) -> Iterable[Sample]:
    report = None if snapshot.guard is None else snapshot.guard.report
    return [] if report is None else [({"order": str(one.order)}, one.wait) for one in report.outlook]


def _acts(snapshot: Snapshot) -> Iterable[Sample]:
    acts = () if snapshot.guard is None else snapshot.guard.notes.acts
    return [({"order": order}, at) for order, at in {str(act.order): act.at for act in acts}.items()]


def _attached(snapshot: Snapshot) -> Iterable[Sample]:
    return [({"server": s.name, "database": s.database or ""}, 1.0 if s.database else None) for s in snapshot.servers]


def _users_of(snapshot: Snapshot) -> Iterable[Sample]:
    return [({"cluster": one.cluster, "state": state}, getattr(one, state))
            for one in snapshot.without_mail for state in ("connected", "waiting", "failing")]


def _ahead(snapshot: Snapshot) -> Iterable[Sample]:
    return [({"cluster": one.cluster}, one.ahead) for one in snapshot.without_mail]


def _without(snapshot: Snapshot) -> Iterable[Sample]:
    return [({"cluster": one.cluster, "reason": trouble.reason}, trouble.users)
            for one in snapshot.without_mail for trouble in one.troubles]


def _backup(value: Callable[[BackupFacts, float], float | None]) -> Callable[[Snapshot], Iterable[Sample]]:
    def samples(snapshot: Snapshot) -> Iterable[Sample]:
        found = snapshot.backup
        return [] if found is None else [({"repository": found.source}, value(found, snapshot.at))]

    return samples


FAMILIES: tuple[Family, ...] = (
    Family("tuiha_pool_verdict", "1 for the pool's verdict, 0 for the others", _verdicts),
    Family("tuiha_pool_problems", "Problems that are known now", _problems),
    Family("tuiha_pool_problem", "How many problems with this code a node has now", _codes),
    Family("tuiha_pool_epoch", "Counts the changes of the active database", _pool(lambda s: s.epoch)),
    Family("tuiha_pool_protected", "1: the secondary has every acknowledged write",
           _pool(lambda s: None if s.protection is None else float(s.protection is Protection.PROTECTED))),
    Family("tuiha_pool_users", "Users of the pool", _pool(lambda s: s.users)),
    Family("tuiha_pool_operation", "1 for the condition of the operation that has the pool; all 0 when none has",
           _operation),
    Family("tuiha_pool_operation_step", "The step of the operation that has the pool", _step),
    Family("tuiha_pool_operation_silent_seconds", "Since the last sign of life of its runner", _silent),
    Family("tuiha_pool_guard", "1 for the state of the pool's guards; nothing where they have no orders", _guard),
    Family("tuiha_pool_guard_wait_seconds", "Until the active guard gives this order", _orders),
    Family("tuiha_pool_guard_acted_timestamp_seconds", "When a guard last gave this order", _acts),
    Family("tuiha_pool_seen_timestamp_seconds", "When this was seen", _pool(lambda s: s.at)),
    Family("tuiha_server_state", "1 for the state that a pool server is in", _state("servers", "server")),
    Family("tuiha_server_alive", "1: its heartbeat is inside the window",
           _nodes("servers", "server", lambda s: None if s.alive is None else float(s.alive))),
    Family("tuiha_server_attached", "1 for the database that a pool server is attached to", _attached),
    Family("tuiha_server_users", "Users whose mail is monitored there", _field("servers", "server", "users")),
    Family("tuiha_server_devices", "Devices of those users seen lately", _field("servers", "server", "devices")),
    Family("tuiha_server_availability_index", "0 to 100 available, below overloaded, -200 draining",
           _field("servers", "server", "availability_index")),
    Family("tuiha_server_lease_seconds", "What is left of its lease on the database",
           _field("servers", "server", "lease_seconds")),
    Family("tuiha_server_requests_per_second", "Requests of devices",
           _field("servers", "server", "requests_per_second")),
    Family("tuiha_server_latency_seconds", "95th percentile of the time that a request works", _nodes(
        "servers", "server", lambda s: None if s.latency_ms is None else s.latency_ms / 1000)),
    Family("tuiha_server_memory_bytes", "Resident memory", _field("servers", "server", "memory_bytes")),
    Family("tuiha_database_state", "1 for the state that a database is in",
           _nodes("databases", "database", lambda _: 1.0,
                  lambda d: {"state": str(d.state), "role": str(d.role or "UNKNOWN")})),
    Family("tuiha_database_writable", "1: it takes writes", _nodes(
        "databases", "database", lambda d: None if d.writable is None else float(d.writable))),
    Family("tuiha_database_timeline", "PostgreSQL's timeline", _field("databases", "database", "timeline")),
    Family("tuiha_database_lag_bytes", "What the secondary has still to replay",
           _field("databases", "database", "lag_bytes")),
    Family("tuiha_database_lag_seconds", "How far the secondary is behind",
           _field("databases", "database", "lag_seconds")),
    Family("tuiha_database_sessions", "Sessions of pool servers", _field("databases", "database", "pool_sessions")),
    Family("tuiha_backup_age_seconds", "Since the newest good backup of the pair ended",
           _backup(lambda b, now: b.age(now))),
    Family("tuiha_backup_good", "1: the last backup of the pair went well",
           _backup(lambda b, _: None if b.seen_at is None else float(b.failed is None))),
    Family("tuiha_sprayer_state", "1 for the state that a sprayer is in", _state("sprayers", "sprayer")),
    Family("tuiha_sprayer_sessions", "Connections of devices", _field("sprayers", "sprayer", "sessions")),
    Family("tuiha_mail_server_state", "1 for the state that a mail server is in",
           _nodes("mail", "mail_server", lambda _: 1.0, lambda m: {**_cluster(m), "state": str(m.state)})),
    Family("tuiha_mail_server_users", "Users monitored through it",
           _nodes("mail", "mail_server", lambda m: m.users, _cluster)),
    Family("tuiha_mail_cluster_users", "Users of a mail cluster: connected, waiting, or failing", _users_of),
    Family("tuiha_mail_cluster_mailboxes_ahead", "Mailboxes with mail of which the mail servers had not told", _ahead),
    Family("tuiha_mail_cluster_users_failing", "Users without mail for some seconds, by reason", _without),
    Family("tuiha_mail_server_latency_seconds", "Time of the probe's answer", _nodes(
        "mail", "mail_server", lambda m: None if m.latency_ms is None else m.latency_ms / 1000, _cluster)),
)


def exposition(snapshot: Snapshot) -> str:
    """All families of a snapshot; every sample names the pool."""
    registry = CollectorRegistry()
    registry.register(_Looked(snapshot))
    return generate_latest(registry).decode()


class _Looked(Collector):
    """The figures of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Each family, with the samples whose values are known."""
        for family in FAMILIES:
            metric = GaugeMetricFamily(family.name, family.help)
            for labels, value in family.samples(self._snapshot):
                if value is not None:
                    metric.add_sample(family.name, {"pool": self._snapshot.pool, **labels}, value)
            yield metric

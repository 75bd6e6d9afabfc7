"""A healthy pool as a look, and ways to hurt it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tuiha.model.facts import Look, Polled, PolledMail, R
from tuiha.model.reports import (
    BackendReport,
    BackendState,
    DatabaseReport,
    DatabaseRole,
    EpochRow,
    EpochState,
    LedgerRecord,
    MailReport,
    MailRow,
    MemberRow,
    ReplicationRow,
    ServerReport,
    ServerState,
    ServerTarget,
    SessionRow,
    SprayerReport,
    Standby,
)

NOW = 1_800_000_000.0
SYSTEM = "7400000000000000001"
SERVERS = ("s1", "s2", "s3", "s4")
EPOCH = EpochRow("east", 12, "db1", EpochState.ACTIVE)


def server(name: str, at: float = NOW, **fields: Any) -> Polled[ServerReport]:
    values: dict[str, Any] = {
        "pool": "east", "version": "0.1.0", "state": ServerState.UP, "target": ServerTarget.UP, "users": 125,
        "devices": 200, "availability_index": 80, "database": "db1", "epoch": 12, "system_identifier": SYSTEM,
        "lease_seconds": 4.2, "requests_per_second": 20.0, "latency_ms": 8.0, "cpu_percent": 10.0,
        "memory_bytes": 90_000_000} | fields
    return Polled(name, f"http://127.0.0.1:80{name[1:]}", ServerReport(name=name, **values), at, duration_ms=2.0)


def member(name: str, **fields: Any) -> MemberRow:
    values: dict[str, Any] = {
        "address": f"http://127.0.0.1:80{name[1:]}", "state": ServerState.UP, "target": ServerTarget.UP,
        "availability_index": 80, "epoch": 12, "heartbeat_age": 0.5, "alive": True, "users": 125} | fields
    return MemberRow(name, **values)


def primary(name: str = "db1", at: float = NOW, **fields: Any) -> Polled[DatabaseReport]:
    other = "db2" if name == "db1" else "db1"
    values: dict[str, Any] = {
        "role": DatabaseRole.PRIMARY, "writable": True, "system_identifier": SYSTEM, "timeline": 7,
        "version": "18.6", "position": 5_000_000, "synchronous_names": other, "transactions": 1000,
        "replication": (ReplicationRow(other, "streaming", "sync", 0, None),), "epoch": EPOCH,
        "sessions": tuple(SessionRow(s, 8) for s in SERVERS), "members": tuple(member(s) for s in SERVERS),
        "mail": (MailRow("mail1", "east", True, 250), MailRow("mail2", "east", True, 250)), "users": 500} | fields
    return Polled(name, f"127.0.0.1:543{name[2:]}", DatabaseReport(**values), at, duration_ms=5.0)


def secondary(name: str = "db2", at: float = NOW, **fields: Any) -> Polled[DatabaseReport]:
    values: dict[str, Any] = {"role": DatabaseRole.SECONDARY, "writable": False, "receiving": True, "replication": (),
                              "synchronous_names": "", "replay_lag_seconds": 0.1, "sessions": ()} | fields
    return primary(name, at, **values)


def sprayer(name: str, at: float = NOW, **fields: Any) -> Polled[SprayerReport]:
    values: dict[str, Any] = {
        "version": "2.8.25", "sessions": 400, "requests": 9000,
        "backends": tuple(BackendReport(s, BackendState.UP, 100, 0, 2000) for s in SERVERS)} | fields
    return Polled(name, f"127.0.0.1:70{name[-1]}", SprayerReport(**values), at, duration_ms=1.0)


def mail(name: str, cluster: str = "east", at: float = NOW) -> PolledMail:
    return PolledMail(name, f"127.0.0.1:14{name[-1]}", MailReport(4.0, "ready"), at, duration_ms=4.0, cluster=cluster)


def record(**fields: Any) -> Polled[LedgerRecord]:
    values: dict[str, Any] = {"pool": "east", "epoch": 12, "active": "db1", "standby": Standby.SYNC,
                              "system_identifier": SYSTEM, "timeline": 7} | fields
    return Polled("ledger", "ledger.json", LedgerRecord(**values), NOW)


def healthy(at: float = NOW) -> Look:
    return Look("east", at, 1, tuple(server(s, at) for s in SERVERS), (primary(at=at), secondary(at=at)),
                (sprayer("spray1", at), sprayer("spray2", at)), (mail("mail1", at=at), mail("mail2", at=at)), record())


def failing(polled: Polled[R], error: str = "connection refused", failures: int = 3, since: float = NOW - 4,
            ) -> Polled[R]:
    """The same target, which has failed since."""
    return replace(polled, error=error, failures=failures, failing_since=since, seen_at=since - 1)


def with_server(look: Look, polled: Polled[ServerReport]) -> Look:
    return replace(look, servers=tuple(polled if s.name == polled.name else s for s in look.servers))


def with_database(look: Look, polled: Polled[DatabaseReport]) -> Look:
    return replace(look, databases=tuple(polled if d.name == polled.name else d for d in look.databases))


def with_members(look: Look, *members: MemberRow) -> Look:
    """Other rows of `server` in both databases."""
    changed = tuple(replace(d, report=replace(d.report, members=members)) if d.report is not None else d
                    for d in look.databases)
    return replace(look, databases=changed)

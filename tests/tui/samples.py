"""Made-up snapshots for tests and pictures of the dashboard. No figure in here was measured anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from tests.tui.waves import fifteen_minutes
from tuiha.model.codes import (
    CHECK,
    Effect,
    EventKind,
    Lost,
    LostMail,
    Named,
    ProblemCode,
    Reason,
    Recorded,
    plan,
)
from tuiha.model.facts import (
    BackendFacts,
    DatabaseFacts,
    Event,
    MailFacts,
    NodeKind,
    Problem,
    Protection,
    ServerFacts,
    Severity,
    Snapshot,
    SprayerFacts,
    Verdict,
)
from tuiha.model.problems.mail_trouble import TroubleReport, WithoutMail
from tuiha.model.reports import (
    BackendState,
    DatabaseRole,
    DatabaseState,
    MailState,
    ServerState,
    ServerTarget,
    SessionRow,
    SlotRow,
    SprayerState,
)

AT = 1_795_144_327.0  # 03:12:07 UTC of some day


class SampleFeed:
    """A feed that shows what a test gives it."""

    def __init__(self, snapshot: Snapshot | None, events: tuple[Event, ...] = ()) -> None:
        self._snapshot = snapshot
        self._events = events
        self._calls: list[Callable[[Snapshot], None]] = []
        self._lock = threading.Lock()
        self.polls = 0

    def latest(self) -> Snapshot | None:
        return self._snapshot

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        with self._lock:
            self._calls.append(call)

        def end() -> None:
            with self._lock:
                self._calls.remove(call)

        return end

    def events(self) -> tuple[Event, ...]:
        return self._events

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        return () if self._snapshot is None else fifteen_minutes(self._snapshot, healthy(), node, metric)

    def poll_now(self) -> None:
        self.polls += 1

    def publish(self, snapshot: Snapshot, events: tuple[Event, ...] | None = None) -> None:
        """As a watcher does it: the newest first, then everybody is told."""
        self._snapshot = snapshot
        if events is not None:
            self._events = events
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call(snapshot)


def server(name: str, users: int | None = 500, **other: object) -> ServerFacts:
    facts = ServerFacts(
        name=name, address=f"http://127.0.0.1:{41000 + sum(map(ord, name)) % 900}", state=ServerState.UP,
        target=ServerTarget.UP, alive=True, users=users,
        devices=None if users is None else 2 * users + 7, availability_index=45, full=55.0, limited_by="users",
        database="db1", epoch=12, lease_seconds=4.4, requests_per_second=212.0, latency_ms=11.0,
        cpu_percent=31.0, memory_bytes=84_000_000, seen_at=AT - 0.3, note="",
        system_identifier="7401234567890123456", queue=0, version="0.1.0", started_at=AT - 90_000,
        host_cpu_percent=37.0, host_memory_percent=52.0, host_disk_percent=61.0, host_load=1.4, host_processors=8,
    )
    return replace(facts, **other)  # type: ignore[arg-type]


def database(name: str, role: DatabaseRole, **other: object) -> DatabaseFacts:
    second = role is DatabaseRole.SECONDARY
    facts = DatabaseFacts(
        name=name, address="127.0.0.1:5432", state=DatabaseState.UP, role=role, expected=role, reachable=True,
        writable=not second, system_identifier="7401234567890123456", timeline=7,
        lag_bytes=0 if second else None, lag_seconds=0.001 if second else None,
        sync_state="sync" if second else None, pool_sessions=None if second else 16,
        transactions_per_second=None if second else 412.0, seen_at=AT - 0.2, note="",
        position=81_235_968, replayed=81_235_968 if second else None, receiving=True if second else None,
        synchronous_names="" if second else "db2", version="18.1",
        sessions=() if second else tuple(SessionRow(f"s{n}", 4) for n in range(1, 5)),
        slots=() if second else (SlotRow("db2", "physical", True, 0, "reserved"),),
    )
    return replace(facts, **other)  # type: ignore[arg-type]


def sprayer(name: str, active: bool, servers: tuple[str, ...], **other: object) -> SprayerFacts:
    each = 1024 // max(1, len(servers)) if active else 0
    facts = SprayerFacts(
        name=name, address="127.0.0.1:8080", state=SprayerState.UP, active=active, sessions=each * len(servers),
        requests_per_second=824.0 if active else 0.0,
        backends=tuple(
            BackendFacts(server_name, BackendState.UP, each, requests_per_second=206.0 if active else 0.0,
                         since_seconds=90_000, check="L7OK 200") for server_name in servers
        ),
        seen_at=AT - 0.3, note="", version="2.8.25", uptime_seconds=90_000, learned=2004 if active else 0,
    )
    return replace(facts, **other)  # type: ignore[arg-type]


def mail(name: str, cluster: str, users: int | None, **other: object) -> MailFacts:
    facts = MailFacts(
        name=name, cluster=cluster, address="127.0.0.1:143", state=MailState.UP, users=users, latency_ms=3.4,
        in_service=True, seen_at=AT - 0.4, note="", changed_at=AT - 90_000,
    )
    return replace(facts, **other)  # type: ignore[arg-type]


def healthy() -> Snapshot:
    """Four servers, everything as it should be."""
    names = ("s1", "s2", "s3", "s4")
    return Snapshot(
        pool="corp-east", at=AT, number=100, interval=1.0, verdict=Verdict.HEALTHY, epoch=12, active="db1",
        protection=Protection.PROTECTED, users=2004, problems=(),
        servers=(
            server("s1", 512, full=57.0, cpu_percent=31.0),
            server("s2", 498, full=52.0, cpu_percent=28.0, requests_per_second=205.0, latency_ms=10.0),
            server("s3", 505, full=59.0, cpu_percent=33.0, requests_per_second=209.0, latency_ms=12.0),
            server("s4", 489, full=50.0, limited_by="cpu", cpu_percent=25.0, requests_per_second=198.0, latency_ms=10.0,
                   note="joined 02:58"),
        ),
        databases=(database("db1", DatabaseRole.PRIMARY), database("db2", DatabaseRole.SECONDARY)),
        sprayers=(sprayer("spray1", True, names), sprayer("spray2", False, names)),
        mail=(
            mail("mail1", "east", 1010), mail("mail2", "east", 994, latency_ms=4.2),
            mail("mail3", "west", 0, latency_ms=3.0), mail("mail4", "west", 0, latency_ms=3.1),
        ),
        without_mail=(WithoutMail("east", 2004, 2004, 0, 0),),
    )


def recorded(at: float, severity: Severity, subject: str, text: str) -> Event:
    return Event(at, severity, subject, EventKind.RECORDED, Recorded(text))


def events() -> tuple[Event, ...]:
    return (
        recorded(AT - 844, Severity.NOTE, "s4", "joined the pool, 489 users so far"),
        recorded(AT - 1850, Severity.NOTE, "db2", "lag 0.8 s -> 0 B"),
        recorded(AT - 1872, Severity.NOTE, "mail2", "back in service, 994 users returned"),
        recorded(AT - 2127, Severity.WARNING, "mail2", 'out of service by oncall@bastion: "patch 7"'),
    )


def degraded() -> Snapshot:
    """A mail server is down and a server drains."""
    base = healthy()
    down = mail("mail2", "east", 0, state=MailState.DOWN, latency_ms=None, seen_at=AT - 252,
                error="connection refused", failing_since=AT - 252)
    drained = server("s2", 37, state=ServerState.DRAINING, target=ServerTarget.DRAIN,
                     availability_index=-200, full=4.0, cpu_percent=10.0, requests_per_second=16.0,
                     note="drain by oncall")
    return replace(
        base, verdict=Verdict.DEGRADED,
        problems=(
            Problem(Severity.BAD, NodeKind.MAIL, "mail2", ProblemCode.MAIL_DOWN,
                    LostMail("east", ("mail1",), "imap 143: connection refused"), AT - 252,
                    next=plan("failover-mail", "mail2")),
            Problem(Severity.NOTE, NodeKind.SERVER, "s2", ProblemCode.SERVER_DRAINING, Reason("drain by oncall"),
                    next=plan("enable", "s2")),
        ),
        servers=(base.servers[0], drained, *base.servers[2:]),
        mail=(replace(base.mail[0], users=2004), down, *base.mail[2:]),
        without_mail=(WithoutMail("east", 2004, 2001, 0, 3, (
            TroubleReport("mailbox", 2, AT - 240, ("anna", "bob"), "mailbox is locked"),
            TroubleReport("login-refused", 1, AT - 900, ("carl",), "Authentication failed."),
        ), ("s1", "s3")),),
    )


def degraded_events() -> tuple[Event, ...]:
    return (
        recorded(AT - 252, Severity.BAD, "mail2", "probe failed 3 times: DOWN; 994 users moved to mail1 in 1.8 s"),
        recorded(AT - 417, Severity.WARNING, "s2", 'drain by oncall@bastion: "kernel patch"'),
        *events(),
    )


def split() -> Snapshot:
    """Somebody promoted db2 outside of the pool, and s4 followed it."""
    base = healthy()
    stray = database("db2", DatabaseRole.PRIMARY, state=DatabaseState.ROGUE_PRIMARY, expected=DatabaseRole.SECONDARY,
                     timeline=8, sync_state=None, lag_bytes=None, lag_seconds=None, transactions_per_second=3.0,
                     pool_sessions=4,
                     position=81_300_000, replayed=None, receiving=None, synchronous_names="",
                     sessions=(SessionRow("s4", 4),), slots=(), note="promoted outside this pool")
    lost = server("s4", 489, state=ServerState.CUT_OFF, availability_index=-100, database="db2", lease_seconds=0.0,
                  requests_per_second=0.0, latency_ms=None, note="attached to db2")
    return replace(
        base, verdict=Verdict.SPLIT, protection=Protection.UNPROTECTED,
        problems=(
            Problem(Severity.BAD, NodeKind.POOL, "corp-east", ProblemCode.RECORDED, Recorded(
                        "s4 is attached to db2, which is not the pool's", "SPLIT",
                        "two databases accept changes: a change in one is missing in the other",
                        ("s4", "db2")),
                    AT - 12, next=plan("rejoin", "db2")),
            Problem(Severity.BAD, NodeKind.DATABASE, "db2", ProblemCode.ROGUE_PRIMARY, Named(("db1",)), AT - 12,
                    next=plan("rejoin", "db2")),
        ),
        servers=(*base.servers[:3], lost),
        databases=(replace(base.databases[0], sessions=base.databases[0].sessions[:3], pool_sessions=12), stray),
    )


def split_events() -> tuple[Event, ...]:
    return (
        recorded(AT - 12, Severity.BAD, "db2", "promoted outside this pool: timeline 7 -> 8"),
        recorded(AT - 12, Severity.BAD, "s4", "lease refused, fenced itself, answers 503"),
        *events(),
    )


def down() -> Snapshot:
    """The primary is gone: nobody has a lease, nothing is written."""
    base = healthy()
    gone = database("db1", DatabaseRole.PRIMARY, state=DatabaseState.DOWN, reachable=False,
                    writable=None, pool_sessions=None, transactions_per_second=None,
                    seen_at=AT - 9, error="connection refused", sessions=(), slots=())
    second = database("db2", DatabaseRole.SECONDARY, sync_state=None, lag_bytes=None, lag_seconds=None, note="ready")
    fenced = tuple(
        replace(facts, state=ServerState.CUT_OFF, availability_index=-100, lease_seconds=0.0, requests_per_second=0.0,
                latency_ms=None, note="no lease: answers 503")
        for facts in base.servers
    )
    return replace(
        base, verdict=Verdict.DOWN, protection=Protection.PROTECTED,
        problems=(
            Problem(Severity.BAD, NodeKind.DATABASE, "db1", ProblemCode.DATABASE_DOWN,
                    Lost(Effect.FAILS_OVER, "connection refused", partner="db2"), AT - 9, next=plan("failover")),
            *(Problem(Severity.BAD, NodeKind.SERVER, facts.name, ProblemCode.SERVER_CUT_OFF, Reason(facts.note), AT - 6,
                      next=CHECK) for facts in fenced),
        ),
        servers=fenced, databases=(gone, second), unserved_since=AT - 6,
    )


def down_events() -> tuple[Event, ...]:
    return (
        recorded(AT - 4, Severity.BAD, "s1", "lease ended, fenced itself, answers 503"),
        recorded(AT - 9, Severity.BAD, "db1", "UP -> DOWN: connection refused"),
        *events(),
    )


def many(servers: int = 20) -> Snapshot:
    """A large pool."""
    base = healthy()
    names = tuple(f"s{number}" for number in range(1, servers + 1))
    return replace(
        base, users=500 * servers,
        servers=tuple(
            server(name, 480 + 7 * (place % 9), full=80.0 - place % 20,
                   cpu_percent=20.0 + place % 30)
            for place, name in enumerate(names)
        ),
        sprayers=(sprayer("spray1", True, names), sprayer("spray2", True, names)),
    )


def odd() -> Snapshot:
    """Names that are long, wide, or try to steer the terminal."""
    base = healthy()
    return replace(
        base, pool="東京プール-production-cluster-number-one",
        servers=(
            server("東京1", 1_234_567, note="\x1b[31mred\x1b[0m\nnext line"),
            server("a-very-long-server-name-that-goes-on-and-on", None, availability_index=None, full=None,
                   limited_by=None,
                   cpu_percent=None, memory_bytes=None, latency_ms=None, requests_per_second=None, database=None,
                   state=ServerState.UNKNOWN, target=ServerTarget.UNKNOWN, seen_at=None),
            server("é́s3", 0, note="👩‍🚀 emoji note", availability_index=-200, full=None),
        ),
        databases=(database("データベース", DatabaseRole.PRIMARY),),
        sprayers=(), mail=(), epoch=None, protection=None, users=None, active=None,
    )


SAMPLES: dict[str, Callable[[], tuple[Snapshot, tuple[Event, ...]]]] = {
    "healthy": lambda: (healthy(), events()),
    "degraded": lambda: (degraded(), degraded_events()),
    "split": lambda: (split(), split_events()),
    "down": lambda: (down(), down_events()),
    "many": lambda: (many(), events()),
    "odd": lambda: (odd(), ()),
}

"""The one pool of all pictures: a script on a virtual clock, and the application's own conclusions from it.

The script says only what a pool would answer when it is polled, second by second. Everything else is the application's:
problems, verdicts, events, plots. Its operations are those of a real pool (tests/programs/docs/tape.py), and what the
pool answers follows their steps: a database is the primary from the moment when its promotion was read back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tests.programs.docs.tape import HOST, POOL, SERVERS, WHO, Taped, tape
from tuiha.model.conclude import conclude
from tuiha.model.events import events
from tuiha.model.facts import Event, Look, Polled, PolledMail, R, Snapshot
from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.intent import Intent
from tuiha.model.operations.plans import StepStatus
from tuiha.model.problems.mail_trouble import ClusterReport, MailSight, TroubleReport
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
    SlotRow,
    SprayerReport,
    Standby,
)
from tuiha.operate.records.state import OperationState
from tuiha.watch.history import History

KILLED = 1_795_921_920.0  # 03:12:00Z: the primary dies
BEFORE = 930  # seconds of a healthy pool before that
LEASE = 5.0  # seconds
FAILOVER = KILLED + 23.85  # so the last lease was renewed just before the kill, as the evidence has it
DRAIN, ENABLE = KILLED - 700, KILLED - 520
OVERLOAD = range(240, 330)  # seconds after the kill: s3 is overloaded
MAIL_LOST = 420  # seconds after the kill: mail2 dies
DRAINED = 400  # seconds after the kill: s2 was told to drain
OPERATIONS: dict[str, Taped] = tape({"drain": DRAIN, "enable": ENABLE, "failover": FAILOVER})
SYSTEM: str = OPERATIONS["failover"].plan.facts["ledger"]["system_identifier"]
USERS = {"s1": 512, "s2": 498, "s3": 505, "s4": 489}
MAIL = (("mail1", "east"), ("mail2", "east"), ("mail3", "west"), ("mail4", "west"))
ALONE = -60  # seconds, of the split pool: from then on db1 waits for nobody, else its servers would wait for db2
DISPUTED_SERVER = "s4"  # of a split pool: it follows the database that was promoted from outside


@dataclass(frozen=True, slots=True)
class Moment:
    """A second of a story, by the name that pictures use."""

    second: int  # after the kill
    split: bool = False  # of the other story: nobody is killed, db2 is promoted from outside at that second


MOMENTS = {
    "healthy": Moment(-20),
    "killed": Moment(2),
    "down": Moment(12),
    "plan": Moment(16),
    "confirm": Moment(21),
    "promoting": Moment(28),
    "run": Moment(32),
    "result": Moment(40),
    "again": Moment(120),
    "overloaded": Moment(270),
    "degraded": Moment(480),
    "split": Moment(12, split=True),
}


class Pool:
    """What the pool of a story answers at a moment."""

    def __init__(self, at: float, operations: Sequence[Taped], *, split: bool) -> None:
        self.at, self.split = at, split and at >= KILLED
        self.second = int(at - KILLED)
        self.killed = at >= KILLED and not split
        self.failover = None if split else _state(operations, "failover", at)
        self.now = next((state for state in (one.at(at) for one in operations) if state and not state.ended), None)
        self.drained = {"s2"} if self._drained(operations) else set()
        self.mail_lost = not split and self.second >= MAIL_LOST
        self.active = "db2" if self._step(StepId.PROMOTE) else "db1"
        self.epoch = 2 if self._step(StepId.BEGIN_EPOCH) else 1
        self.follows = not self.killed or self._step(StepId.REJOIN_IF_THERE)
        self.alone = split and self.second >= ALONE  # the pool was told to run without db2
        self.sync = (not self.killed or self._step(StepId.PROTECT_IF_FOLLOWS)) and not self.alone

    def _drained(self, operations: Sequence[Taped]) -> bool:
        drain, enable = (_state(operations, kind, self.at) for kind in ("drain", "enable"))
        over = enable is not None and enable.ended
        return (drain is not None and not over) or (not self.split and self.second >= DRAINED)

    def _step(self, step: StepId) -> bool:
        """Whether the failover has done that step."""
        return self.failover is not None and any(
            one.planned.id == step and one.state is StepStatus.DONE for one in self.failover.steps)

    # What is polled

    def look(self, number: int, before: Look | None) -> Look:
        """All answers of this second; what does not answer has its last report from `before`."""
        return Look(POOL, self.at, number,
                    tuple(self._polled(name, f"10.1.0.{10 + n}:8080", self._server(name))
                          for n, name in enumerate(SERVERS, 1)),
                    tuple(self._database(name, n, before) for n, name in enumerate(("db1", "db2"))),
                    tuple(self._polled(name, f"10.1.0.{n}:443", self._sprayer(name)) for n, name in
                          enumerate(("spray1", "spray2"), 2)),
                    tuple(self._mail(name, cluster, n, before) for n, (name, cluster) in enumerate(MAIL)),
                    self._polled("ledger", "etcd", self._record()))

    def _polled(self, name: str, address: str, report: R) -> Polled[R]:
        return Polled(name, address, report, self.at - 0.1, duration_ms=2.0)

    def _wave(self, level: float, share: float, key: str) -> float:
        """A figure that goes up and down as figures do, the same in every run."""
        turn = sum(map(ord, key)) % 60
        return level * (1 + share * (math.sin((self.at + 9 * turn) / 90) + 0.5 * math.sin(self.at / 23 + turn)))

    @property
    def _idle(self) -> bool:
        """Whether no server can use a database."""
        return self.killed and not self._step(StepId.ATTACH)

    def users(self, name: str) -> int:
        """Users that a server monitors."""
        there = [one for one in SERVERS if one not in self.drained]
        extra = 0 if self.second not in OVERLOAD or self.split else 180
        moved = {"s3": extra, "s1": -extra // 3, "s2": -extra // 3, "s4": -extra // 3}
        if name in self.drained:
            return 0
        return USERS[name] + moved.get(name, 0) + sum(USERS[one] for one in self.drained) // len(there)

    def _server(self, name: str) -> ServerReport:
        split = self.split and name == DISPUTED_SERVER
        idle = self._idle or split
        waits = idle and not split and self.at < KILLED + 2 * LEASE
        overloaded = name == "s3" and self.second in OVERLOAD and not self.split
        drained = name in self.drained
        users, busy = self.users(name), 0.0 if idle or drained else 1.0
        full = 100 * users / 1000
        state = (ServerState.WAITING if waits else ServerState.CUT_OFF) if idle else (
            ServerState.OVERLOADED if overloaded else ServerState.DRAINING if drained else ServerState.UP)
        cpu = 96.0 if overloaded else self._wave(full * 0.6, 0.2, name) * busy + 3
        why = "no lease on db1: connection refused" if idle and not split else "no lease on db2" if split else \
            "cpu 96 % of its limit" if overloaded else f"drain by {WHO}@{HOST}" if drained else None
        index = -60 if overloaded else -200 if drained else -100 if idle else round(100 - full)
        return ServerReport(
            name=name, pool=POOL, version="1.0.0", state=state, target=ServerTarget.DRAIN if drained else
            ServerTarget.UP, users=users, devices=round(users * 2.01), availability_index=index,
            database="db2" if split else None if idle else self.active, epoch=self.epoch,
            system_identifier=SYSTEM, lease_seconds=0.0 if idle else LEASE - 0.8,
            requests_per_second=self._wave(users * 0.41, 0.1, name) * busy,
            latency_ms=self._wave(840 if overloaded else 11, 0.2, name) if busy else None, cpu_percent=cpu,
            memory_bytes=round(90e6 + 40e3 * users), queue=round(31 * (users / 500)) if waits else 0,
            started_at=KILLED - 90_000, reason=why, host_cpu_percent=cpu * 0.7, host_memory_percent=41.0,
            host_disk_percent=23.0, host_load=cpu / 40, host_processors=4,
            mail=self._clusters(name, users), mail_servers=tuple(self._sight(mail) for mail, _ in MAIL))

    def _clusters(self, name: str, users: int) -> tuple[ClusterReport, ...]:
        trouble = (TroubleReport("mailbox", 2, KILLED + MAIL_LOST + 20, ("anna", "bob"), "mailbox is locked"),) \
            if self.mail_lost and self.second > MAIL_LOST + 20 and name == "s1" else ()
        failing = sum(one.users for one in trouble)
        return (ClusterReport("east", users, users - failing, 0, failing, trouble), ClusterReport("west", 0, 0, 0, 0))

    def _sight(self, mail: str) -> MailSight:
        if mail == "mail2" and self.mail_lost:
            return MailSight(mail, self.second - MAIL_LOST + 0.5, gone="connection refused")
        return MailSight(mail, 0.2, self._wave(3.0 + int(mail[4:]) / 2, 0.15, mail), "ready")

    def _database(self, name: str, place: int, before: Look | None) -> Polled[DatabaseReport]:
        address = f"10.1.0.{21 + place}:5432"
        down = name == "db1" and self.killed and not self.follows
        if down and before is not None:
            last = before.databases[place]
            return replace(last, error="connection refused", failures=last.failures + 1,
                           failing_since=last.failing_since or self.at)
        leads, stray = name == self.active, self.split and name == "db2"
        partner = "db1" if name == "db2" else "db2"
        position = 81_235_968 + 5_100 * (self.second + BEFORE)
        streams = leads and self.follows and not self.split
        row = ReplicationRow(partner, "streaming", "sync" if self.sync else "async", 0, 0.001)
        attached = [one for one in SERVERS if not (self.split and one == DISPUTED_SERVER)] if leads else \
            [DISPUTED_SERVER] if stray else []
        report = DatabaseReport(
            role=DatabaseRole.PRIMARY if leads or stray else DatabaseRole.SECONDARY, writable=leads or stray,
            system_identifier=SYSTEM, timeline=2 if self.epoch == 2 or stray else 1, version="18.1", position=position,
            replayed=None if leads or stray else position, receiving=None if leads or stray else self.follows and (
                not self.killed or (leads is False and name == "db1")),
            replay_lag_seconds=None if leads or stray else 0.001,
            synchronous_names=f"FIRST 1 ({partner})" if leads and self.sync else "", replication=(row,) * streams,
            sessions=() if self._idle else tuple(SessionRow(one, 4) for one in attached),
            slots=(SlotRow(partner, "physical", True, 0, "reserved"),) * streams,
            transactions=round(412 * (self.second + BEFORE)) if leads else 3 * self.second,
            epoch=EpochRow(POOL, self.epoch, self.active, EpochState.ACTIVE),
            members=tuple(map(self._member, SERVERS)),
            mail=tuple(MailRow(one, cluster, True, self._through(one)) for one, cluster in MAIL),
            users=sum(USERS.values()))
        return self._polled(name, address, report)

    def _member(self, name: str) -> MemberRow:
        drained = name in self.drained
        return MemberRow(name, f"10.1.0.{10 + int(name[1:])}:8080",
                         ServerState.DRAINING if drained else ServerState.UP,
                         ServerTarget.DRAIN if drained else ServerTarget.UP, -200 if drained else 50, self.epoch,
                         0.4, True, self.users(name), leased=not self._idle)

    def _through(self, mail: str) -> int:
        """Users monitored through a mail server."""
        every = sum(map(self.users, SERVERS))
        shares = {"mail1": 1.0, "mail2": 0.0} if self.mail_lost else {"mail1": 0.504, "mail2": 0.496}
        return round(every * shares.get(mail, 0.0))

    def _sprayer(self, name: str) -> SprayerReport:
        carries = name == "spray1"
        each = 0 if not carries else round(self._wave(256, 0.03, name))
        asked = round(206 * (self.second + BEFORE)) if carries else 0

        def backend(server: str) -> BackendReport:
            away = (self._idle and self.at >= KILLED + LEASE + 2) or (self.split and server == DISPUTED_SERVER)
            state = BackendState.DOWN if away else BackendState.DRAIN if server in self.drained else BackendState.UP
            check = "L7STS/503" if away else "L7OK/200"
            return BackendReport(server, state, 0 if server in self.drained else each, 0, asked,
                                 self.second % 1000 + 2 if away else 90_000, check)

        return SprayerReport("2.8.25", 4 * each, tuple(map(backend, SERVERS)), uptime_seconds=90_000 + self.second,
                             learned=sum(USERS.values()) if carries else 0, requests=4 * asked, process=714)

    def _mail(self, name: str, cluster: str, place: int, before: Look | None) -> PolledMail:
        if name == "mail2" and self.mail_lost and before is not None:
            last = before.mail[place]
            return replace(last, error="imap 143: connection refused", failures=last.failures + 1,
                           failing_since=last.failing_since or self.at)
        return PolledMail(name, f"10.1.1.{11 + place}:993", MailReport(self._wave(3.2 + place / 4, 0.2, name), "ready"),
                          self.at - 0.1, duration_ms=3.0, cluster=cluster)

    def _record(self) -> LedgerRecord:
        recorded = self._step(StepId.RECORD)
        standby = Standby.STALE if self.alone or (recorded and not self.sync) else Standby.SYNC
        return LedgerRecord(POOL, 2 if recorded else 1, "db2" if recorded else "db1", standby, SYSTEM,
                            2 if recorded else 1, self._phase(), self._intent(), self.second + BEFORE)

    def _phase(self) -> str:
        changing = self.failover is not None and not self.failover.ended and not self._step(StepId.RECORD)
        return "FAILOVER" if changing else "STEADY"

    def _intent(self) -> str | None:
        state = self.now
        if state is None:
            return None
        step = state.current
        return Intent(state.id, state.kind, state.who, state.host, state.started_at or self.at,
                      0 if step is None else step.planned.number, "" if step is None else step.planned.action,
                      beat=self.at, past=state.past_no_return).text()


def _state(operations: Sequence[Taped], kind: str, at: float) -> OperationState | None:
    return next((one.at(at) for one in operations if one.plan.kind == kind), None)


class StoryFeed:
    """What a watcher would offer at a moment of a story."""

    def __init__(self, seen: Sequence[tuple[Snapshot, tuple[Event, ...]]]) -> None:
        self._seen = seen
        self._history: History | None = None

    @property
    def snapshots(self) -> list[Snapshot]:
        """All until then, oldest first."""
        return [snapshot for snapshot, _ in self._seen]

    def latest(self) -> Snapshot:
        """The newest snapshot."""
        return self._seen[-1][0]

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Time stands still: nobody is called."""
        return lambda: None

    def events(self) -> tuple[Event, ...]:
        """What changed, newest first."""
        return tuple(event for _, happened in reversed(self._seen) for event in reversed(happened))

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """Fifteen minutes of a figure."""
        if self._history is None:
            self._history = History(self.latest().interval)
            for snapshot, _ in self._seen[-900:]:
                self._history.record(snapshot)
        return self._history.read(node, metric)

    def poll_now(self) -> None:
        """There is nothing new."""


@lru_cache(maxsize=2)
def _told(*, split: bool) -> list[tuple[Snapshot, tuple[Event, ...]]]:
    """The whole story, a second at a time."""
    operations = tuple(OPERATIONS.values())
    last = max(moment.second for moment in MOMENTS.values() if moment.split is split)
    seen: list[tuple[Snapshot, tuple[Event, ...]]] = []
    look: Look | None = None
    for number, second in enumerate(range(-BEFORE, last + 1), 1):
        before, snapshot = look, seen[-1][0] if seen else None
        look = Pool(KILLED + second, operations, split=split).look(number, before)
        found = conclude(look, snapshot, before)
        seen.append((found, () if snapshot is None else events(snapshot, found)))
    return seen


def feed_at(name: str) -> StoryFeed:
    """What a watcher offers at a moment."""
    moment = MOMENTS[name]
    return StoryFeed(_told(split=moment.split)[:BEFORE + moment.second + 1])


def time_at(name: str) -> float:
    """Unix seconds at which a picture of that moment is taken."""
    return KILLED + MOMENTS[name].second + 0.02


def operations_at(name: str) -> tuple[OperationState, ...]:
    """Operations that had begun by then, newest first."""
    at = time_at(name)
    states: list[Any] = [one.at(at) for one in OPERATIONS.values()]
    known = [state for state in states if state is not None]
    return tuple(sorted(known, key=lambda state: -(state.started_at or 0.0)))

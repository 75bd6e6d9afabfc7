"""Pools with anything wrong, made by a seed: between them they have every problem that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from tests.model.looks import NOW, SERVERS, failing, mail, member, primary, record, secondary, server, sprayer
from tuiha.model.conclude import conclude
from tuiha.model.databases.backups import BackupReport
from tuiha.model.databases.durability import Durability, LogReceiver, Loose
from tuiha.model.facts import Look, Polled, PolledMail, R, Snapshot
from tuiha.model.guard.report import (
    GuardHold,
    GuardNotes,
    GuardOrder,
    GuardOutlook,
    GuardPause,
    GuardRecord,
    GuardReport,
    GuardSign,
    Held,
)
from tuiha.model.operations.intent import Condition, Intent, IntentWay
from tuiha.model.problems.causes import Cause
from tuiha.model.problems.mail_trouble import ClusterReport, MailSight, TroubleReport
from tuiha.model.reports import (
    LEADERLESS,
    BackendReport,
    BackendState,
    DatabaseReport,
    DatabaseRole,
    EpochRow,
    EpochState,
    LedgerRecord,
    MailRow,
    Managed,
    MemberRow,
    Obstacles,
    ReplicationRow,
    ServerReport,
    ServerState,
    ServerTarget,
    SlotRow,
    SprayerReport,
    Standby,
    Transaction,
)
from tuiha.model.rules import Rules

Fields = dict[str, Any]


class Luck:
    """Chance, in the words of this module."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.one = Random(seed).choice
        self._share = Random(seed + 1).random

    def falls(self, share: float) -> bool:
        """True in so many of all cases."""
        return self._share() < share

    def some(self, share: float, **choices: tuple[Any, ...]) -> Fields:
        """Each field in so many of all cases, with one of its values."""
        return {name: self.one(values) for name, values in choices.items() if self.falls(share)}

    def lost(self, polled: Polled[R], share: float = 0.12) -> Polled[R]:
        """The target, which may have failed."""
        if not self.falls(share):
            return polled
        gone = failing(polled, since=NOW - self.one((4, 20)), failures=self.one((1, 3)))
        return replace(gone, cause=self.one((None, Cause.REFUSED, Cause.SILENT)))


def snapshots(seed: int) -> Iterator[Snapshot]:
    """What is concluded from three looks at one pool, one after the other."""
    luck = Luck(seed)
    rules = Rules(manager=luck.one((None, None, "Patroni")), unverified=luck.one(((), (), ("database.tls",))))
    look: Look | None = None
    found: Snapshot | None = None
    for turn in range(3):
        earlier, look = look, replace(_look(luck, NOW + turn), backup=_backup(Luck(seed + turn), NOW + turn))
        found = conclude(look, found, earlier, rules)
        yield found


def _look(luck: Luck, at: float) -> Look:
    members = tuple(_member(luck, name) for name in SERVERS if not luck.falls(0.05))
    rows = (MailRow("mail1", "east", not luck.falls(0.2), 250), MailRow("mail2", "east", not luck.falls(0.1), 250))
    pair = ((primary, "db1"), (secondary, "db2"), (secondary, "db0"))[: 3 if luck.falls(0.1) else 2]
    databases = [_database(luck, make, name, at, members, rows) for make, name in pair]
    servers = tuple(_server(luck, name, at) for name in SERVERS[: luck.one((4, 4, 4, 2, 0))])
    return Look("east", at, 1, servers, tuple(databases), tuple(_sprayer(luck, name, at) for name in (
        "spray1", "spray2")), tuple(_mail(luck, name, at) for name in ("mail1", "mail2")), _ledger(luck, at),
        guard=_guard(Luck(luck.seed + 1000), at))


def _guard(luck: Luck, at: float) -> Polled[GuardRecord] | None:
    """From a chance of its own: the other things stay what they are."""
    held = (Held(GuardHold.ACKNOWLEDGE, ("g1",), 600.0), Held(GuardHold.REFUSED, ("receiving",), 2.0, "a check"))
    outlook = GuardOutlook(
        luck.one(tuple(GuardOrder)), "db1", "db2", tuple(GuardSign)[:4], luck.one(((), tuple(GuardSign)[4:6])),
        luck.one((0.0, 2.5)), luck.one(((), held[:1], held[1:])), luck.one(((), ("s1", "s2"))))
    report = GuardReport("g1", "h1", NOW - 90, tuple(GuardOrder), luck.one(((), (outlook,))))
    pause = GuardPause(NOW + 600, NOW - 60, "ann@bastion", luck.one(("", "a disk is changed")))
    record = GuardRecord(GuardNotes(luck.one((None, None, pause))), luck.one((report, report, None)))
    return luck.one((None, None, Polled("guard", "ledger.json", record, at)))


def _member(luck: Luck, name: str) -> MemberRow:
    return member(name, **luck.some(0.2, alive=(False,), heartbeat_age=(0.1, 9.0), leased=(True,), users=(0, 140),
                                    state=(ServerState.LEFT,)))


def _server(luck: Luck, name: str, at: float) -> Polled[ServerReport]:
    trouble = TroubleReport(luck.one(("mailbox", "login-refused", "eclipse")), luck.one((1, 7)),
                            luck.one((None, NOW - 50)), luck.one(((), ("anna", "bob"))), luck.one(("", "locked")))
    fields = luck.some(
        0.2,
        state=tuple(ServerState),
        reason=("cpu 97 %", "drain by x"),
        target=(ServerTarget.DRAIN,),
        users=(0, 100),
        lease_seconds=(0.0, 4.9),
        mail=((ClusterReport("east", 100, 90, 2, 8, (trouble,), ahead=9),),),
        mail_servers=(
            (MailSight("mail1", 0.1, 4.0, "hi", None, "the directory is away"),),
            (MailSight("mail1", None),),
        ),
    )
    fields |= luck.some(0.04, pool=("west",), system_identifier=("99",), copy=("its system is another",),
                        database=("db2",), epoch=(13,))
    return luck.lost(server(name, at, **fields))


def _database(luck: Luck, make: Callable[..., Polled[DatabaseReport]], name: str, at: float,
              members: tuple[MemberRow, ...], rows: tuple[MailRow, ...]) -> Polled[DatabaseReport]:
    follower = LogReceiver("db2", "streaming", "sync", "db2")
    fields = luck.some(
        0.1, synchronous_names=("", "db2", "db3", "*", "2 (db2)"),
        replication=((), (ReplicationRow("db2", "streaming", "async", 5, None),),
                     (ReplicationRow("db3", "streaming", "sync", 0, None),)),
        obstacles=(Obstacles(True, ("a", "b"), (Transaction(7, 50.0, "psql"),), 2), Obstacles(prepared=("a",))),
        slots=((SlotRow("db2", "physical", False, 10**9, "reserved"), SlotRow("other", "physical", False, None, None)),
               (SlotRow("db2", "physical", False, None, "lost"),)),
        durability=(Durability("db2", (follower,), ("db2",), (Loose("off", "app", None, True),)),
                    Durability("db2", (follower, follower)), Durability("db2", (follower,), lacking=True)),
        managed=(Managed("leader", "running", "db1", 7, 0, pending_restart=True), Managed("replica", paused=True),
                 Managed(error="no answer")))
    epochs = (None, EpochRow("west", 3, "db1", EpochState.ACTIVE), EpochRow("east", 12, "db1", EpochState.FENCED),
              EpochRow("east", 13, "db2", EpochState.ACTIVE))
    fields |= luck.some(0.08, writable=(make is not primary,), role=tuple(DatabaseRole), system_identifier=("99",),
                        epoch=epochs)
    return luck.lost(make(name, at, members=members, mail=rows, **fields))


def _sprayer(luck: Luck, name: str, at: float) -> Polled[SprayerReport]:
    backends = tuple(BackendReport(one, luck.one(tuple(BackendState)), 10, 0, 200, luck.one((None, 780)),
                                   luck.one((None, "L4CON")), not luck.falls(0.2)) for one in SERVERS)
    return luck.lost(sprayer(name, at, process=luck.one((1, 1, 2)), uptime_seconds=luck.one((None, 5, 90)),
                             **luck.some(0.2, backends=(backends,), lacking=(("/map",),), learned=(1, 1200))))


def _mail(luck: Luck, name: str, at: float) -> PolledMail:
    found = mail(name, at=at)
    lost = luck.lost(found)
    return replace(found, error=lost.error, failures=lost.failures, failing_since=lost.failing_since)


def _backup(luck: Luck, at: float) -> Polled[BackupReport] | None:
    report = BackupReport("pgbackrest main", luck.one((at - 3600, at - 3600, at - 200_000, None)), "20260101-000000F",
                          1_000_000, luck.one((None, None, None, "its repository has no room")),
                          luck.one((None, "42", "99")))
    return None if luck.falls(0.6) else luck.lost(Polled("backup", "pgbackrest main", report, at))


def _ledger(luck: Luck, at: float) -> Polled[LedgerRecord] | None:
    intent = Intent(
        "20260101-000000-beef",
        luck.one(("failover", "rebalance", "drain")),
        "op",
        "host",
        at - 100,
        luck.one((0, 2)),
        "stop s1",
        luck.one(tuple(Condition)),
        luck.one((None, at - 1, at - 50)),
        luck.one(((IntentWay.RESUME,), (IntentWay.UNDO, IntentWay.CANCEL))),
        luck.falls(0.5),
        targets=("s1",),
    )
    kept = record(**luck.some(0.1, epoch=(11, 13), phase=(LEADERLESS, "SWITCHING"), standby=(Standby.STALE,),
                              intent=(intent.text(),)))
    return luck.one((None, luck.lost(kept, 0.5), *(kept,) * 6))

"""Drills of the network: ways cut, one way, slow, flapping, reset; at rest and during operations."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Kill, KillMain, Leased, Start, Wait
from tuiha.lab.drill.acts.operate import Operate, ProtectAgain
from tuiha.lab.drill.acts.operators import GoOn, RefusedTo
from tuiha.lab.drill.faults.database import WaitFollows
from tuiha.lab.drill.faults.network import (
    cut,
    deaf,
    flapping,
    half_open,
    latency,
    lose_commits,
    mend,
    mute,
    refuse,
    reset,
)
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

_ENDED = ("done", "failed", "undone", "cancelled")
_OR_OPEN = (*_ENDED, "unknown", "interrupted")
_WAL = "db2>db1"
_BOTH = ("servers>db1", "servers>db2")

_SERVER = (
    Scenario("net-server-cut", "one server is cut off from db1; the others take its users over", STEADY,
             (cut("s2>db1"), Wait(14), mend("s2>db1"), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("net-server-half-open", "db1 ends a server's connections and the server never hears of it", STEADY,
             (half_open("s2>db1"), Wait(8), mend("s2>db1"), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("net-server-one-way", "a server's words reach db1, the answers do not come back", STEADY,
             (deaf("s2>db1"), Wait(8), mend("s2>db1"), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("net-server-refused", "every connection of a server to db1 is reset", STEADY,
             (refuse("s2>db1"), Wait(8), mend("s2>db1"), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("net-server-flapping", "a server's way to db1 comes and goes every 2 s", STEADY,
             (flapping(2.0, 2.0, "s2>db1"), Wait(14), mend("s2>db1"), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("net-reset", "all connections of all servers to db1 are reset, three times", STEADY,
             (reset("servers>db1"), Wait(2), reset("servers>db1"), Wait(2), reset("servers>db1"), Wait(3)), outage=3.0),
    Scenario("net-commit-answer-lost", "commits are done in db1 and their answers lost", STEADY,
             (lose_commits(4, "servers>db1", delivered=True), Wait(2)), outage=3.0),
    Scenario("net-commit-lost", "commits never arrive at db1, the connection is reset", STEADY,
             (lose_commits(4, "servers>db1", delivered=False), Wait(2)), outage=3.0),
    Scenario("net-latency", "every way from servers to db1 takes 0.3 s more", STEADY,
             (latency(0.15, "servers>db1"), Wait(10), mend("servers>db1"), Wait(2)), failed=None),
    Scenario("net-latency-lease", "one server needs more than half a lease to ask db1", STEADY,
             (latency(1.4, "s2>db1"), Wait(14), mend("s2>db1"), Leased("db1"), Wait(2)), outage=2.0, failed=None),
)

_WRITE_AHEAD = (
    Scenario("net-wal-cut", "db2 hears nothing of db1 any more: no commit may be acknowledged", STEADY,
             (cut(_WAL), Wait(7), mend(_WAL), WaitFollows("db1"), Leased("db1"), Wait(2))),
    Scenario("net-wal-one-way", "db1's log reaches db2, and db2's word about it never reaches db1", STEADY,
             (mute(_WAL), Wait(7), mend(_WAL), WaitFollows("db1"), Leased("db1"), Wait(2))),
    Scenario("net-wal-half-open", "db1 loses its secondary, which believes to be connected", STEADY,
             (half_open(_WAL), Wait(7), mend(_WAL), WaitFollows("db1"), Leased("db1"), Wait(2))),
    Scenario("net-wal-flapping", "the way between the databases comes and goes every 2 s", STEADY,
             (flapping(2.0, 2.0, _WAL), Wait(12), mend(_WAL), WaitFollows("db1"), Leased("db1"), Wait(2))),
    Scenario("net-wal-latency", "the way between the databases takes 0.6 s more", STEADY,
             (latency(0.3, _WAL), Wait(8), mend(_WAL), Wait(2)), failed=None),
    Scenario("net-wal-degrade", "db2 is cut off from db1, the pool goes on without it, and is protected again", STEADY,
             (cut(_WAL), Operate("degrade"), Wait(2), mend(_WAL), Wait(2), Operate("protect"), Wait(1))),
)

_DEVICES = (
    Scenario("net-sprayers-cut", "no sprayer reaches one server; it serves on for nobody", STEADY,
             (cut("sprayers>s2"), Wait(8), mend("sprayers>s2"), Wait(3)), outage=2.0),
    Scenario("net-sprayer-one-way", "a sprayer's requests reach a server, the answers do not come back", STEADY,
             (deaf("spray1>s2"), Wait(8), mend("spray1>s2"), Wait(3)), outage=2.0),
    Scenario("net-sprayers-reset", "all connections between sprayers and a server are reset", STEADY,
             (reset("sprayers>s2"), Wait(2), reset("sprayers>s2"), Wait(3)), outage=2.0, failed=None),
    Scenario("net-members-cut", "nobody in the pool reaches a server, sprayers and database do", STEADY,
             (cut("members>s2"), Wait(8), mend("members>s2"), Wait(3)), outage=2.0, failed=None),
    Scenario("net-mail-cut", "the servers' way to a mail server is cut: it takes connections and says nothing", STEADY,
             (cut("servers>mail1"), Wait(8), mend("servers>mail1"), Wait(4)), outage=2.0),
    Scenario("net-mail-flapping", "the way to a mail server comes and goes every second", STEADY,
             (flapping(1.0, 1.0, "servers>mail1"), Wait(12), mend("servers>mail1"), Wait(4)), outage=2.0),
    Scenario("net-mail-herd", "every connection to a mail server is reset: all its users log in again", STEADY,
             (reset("servers>mail1"), Wait(3), reset("servers>mail1"), Wait(5)), outage=2.0),
)

_SWITCHOVER = (
    Scenario("switchover-server-cut-from-target", "a server does not reach the secondary: refused", STEADY,
             (cut("s2>db2"), RefusedTo("switchover", "s2"), mend("s2>db2"), Wait(1),
              Operate("switchover"), Wait(1)), ends_on="db2"),
    Scenario("switchover-wal-cut", "the databases are cut off from each other: refused", STEADY,
             (cut(_WAL), Wait(7), RefusedTo("switchover", "synchronous"), mend(_WAL), WaitFollows("db1"),
              Leased("db1"), Wait(1))),
    Scenario("switchover-wal-cut-at-hold", "the databases are cut off from each other while requests are held",
             "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, then=(cut(_WAL),), after_death=None),
              mend(_WAL), GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None),
    Scenario("switchover-server-cut-at-hold", "a server is cut off from everybody while requests are held",
             "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, after_death=None,
                      then=(cut("members>s2", "s2>db1", "s2>db2"),)),
              Wait(7), mend("members>s2", "s2>db1", "s2>db2"), GoOn(result=_ENDED), Wait(6)), ends_on=None,
             failed=None),
    Scenario("switchover-coordinator-cut-from-primary", "the coordinator loses db1 while requests are held",
             "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, then=(cut("coordinator>db1"),),
                      after_death=None),
              mend("coordinator>db1"), GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None),
    Scenario("switchover-coordinator-cut-from-secondary", "the coordinator loses db2 right before the promotion",
             "after 'stop'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.STOP, then=(cut("coordinator>db2"),), after_death=None),
              mend("coordinator>db2"), GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None, failed=None),
    Scenario("switchover-servers-cut-from-target", "no server reaches db2 after its promotion, for 4 s",
             "after 'promote'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.PROMOTE, after_death=None,
                      then=(cut("servers>db2"), Wait(4), mend("servers>db2"))),
              GoOn(result=("done",)), Wait(3)), ends_on="db2", failed=None),
    Scenario("switchover-latency", "the pool moves while every way to a database takes 40 ms more", STEADY,
             (latency(0.02, *_BOTH, "coordinator>db1", "coordinator>db2"), Operate("switchover"),
              Wait(1), mend(*_BOTH, "coordinator>db1", "coordinator>db2"), Wait(1)), ends_on="db2", failed=None),
)

_FAILOVER = (
    Scenario("failover-disputed", "the coordinator does not see db1, the servers do: refused", STEADY,
             (cut("coordinator>db1"), RefusedTo("failover", "DISPUTED"), mend("coordinator>db1"), Wait(1))),
    Scenario("failover-one-server-sees", "one server still reaches db1: refused until it does not", STEADY,
             (cut("coordinator>db1", "s1>db1", "s2>db1", _WAL), RefusedTo("failover", "DISPUTED"),
              cut("s3>db1"), Operate("failover", result=_OR_OPEN, after_death=None), Wait(2),
              mend("coordinator>db1", "servers>db1", _WAL), GoOn(result=("done",)), Wait(2)), ends_on="db2",
             failed=None),
    Scenario("failover-primary-isolated", "db1 is alive and cut off from everybody: the pool fails over", STEADY,
             (cut("coordinator>db1", "servers>db1", _WAL), Operate("failover", result=_OR_OPEN, after_death=None),
              Wait(2), mend("coordinator>db1", "servers>db1", _WAL), GoOn(result=("done",)), Wait(3)), ends_on="db2",
             failed=None),
    Scenario("failover-main-process-killed",
             "db1's main process dies alone while commits wait for a slow db2: nobody may see them", STEADY,
             (latency(0.1, _WAL), Wait(1), KillMain("db1"), Operate("failover"), mend(_WAL), Wait(3)), ends_on="db2",
             failed=None),
    Scenario("failover-server-unreachable", "db1 dies, and the coordinator does not reach a server: it waits the lease",
             STEADY,
             (cut("members>s3"), Kill(("db1",)), Operate("failover", result=_OR_OPEN,
                                                         after_death=None), mend("members>s3"),
              GoOn(result=("done",)), Wait(4)), ends_on="db2", failed=None),
    Scenario("failover-server-cut-from-target", "db1 dies, and a server does not reach db2 for a while", STEADY,
             (cut("s3>db2"), Kill(("db1",)), Operate("failover", result=_OR_OPEN, after_death=None),
              mend("s3>db2"), GoOn(result=("done",)), Wait(3)), ends_on="db2", failed=None),
    Scenario("failover-primary-returns-early", "the old primary comes back by itself right before the promotion",
             "after 'cut'",
             (Kill(("db1",)), Operate("failover", at=StepId.CUT, then=(Start("db1"),)), Wait(3)), ends_on="db2"),
)

ALL = (*_SERVER, *_WRITE_AHEAD, *_DEVICES, *_SWITCHOVER, *_FAILOVER)

"""Drills in which a guard operates and nobody is at the keys: what it must do, and what it must leave alone."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Join, Kill, Leased, Pause, Resume, Start, Wait
from tuiha.lab.drill.acts.guards import KILL_GUARD, STOP_GUARD, Acted, Guards, WakeGuards
from tuiha.lab.drill.acts.operate import Operate
from tuiha.lab.drill.acts.operators import GoOn
from tuiha.lab.drill.faults.network import cut, flapping, mend
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

_WAL = "db2>db1"
_TWO = Guards(("g1", "g2"))

_PRIMARY = (
    Scenario("guard-primary-killed", "db1 dies with nobody at the keys: the guard fails over, and db1 follows",
             STEADY, (Guards(), Kill(("db1",)), Acted(("failover",)), Wait(2)), ends_on="db2", quick=True),
    Scenario("guard-primary-restarts", "db1 dies and is back before the guard's time is over: nothing is done", STEADY,
             (Guards(orders={"failover": {"after": "20s"}}), Kill(("db1",)), Wait(2), Start("db1"), Leased("db1"),
              Wait(4), Acted())),
    Scenario("guard-primary-stalls", "db1 hangs for less than lease and time: nothing is done", STEADY,
             (Guards(), Pause("db1"), Wait(4), Resume("db1"), Leased("db1"), Wait(4), Acted())),
    Scenario("guard-primary-isolated", "db1 is alive and cut off from everybody: the guard fails over", STEADY,
             (Guards(), cut("coordinator>db1", "servers>db1", _WAL), Acted(("failover",), ("done", "unknown")),
              mend("coordinator>db1", "servers>db1", _WAL), GoOn(), Wait(3)), ends_on="db2", failed=None),
    Scenario("guard-both-killed", "both databases die; db1 returns first, alone, and db2 later", STEADY,
             (Guards(), Kill(("db1", "db2")), Wait(2), Start("db1"), Acted(("degrade",)), Start("db2"),
              Acted(("degrade", "protect")), Leased("db1"), Wait(2))),
)

_SECONDARY = (
    Scenario("guard-secondary-killed", "db2 dies: the guard lets db1 go on without it, and protects when it is back",
             STEADY, (Guards(), Kill(("db2",)), Acted(("degrade",)), Wait(2), Start("db2"),
                      Acted(("degrade", "protect")), Leased("db1"), Wait(2))),
    Scenario("guard-secondary-paused", "db2 hangs for long: the guard lets db1 go on without it", STEADY,
             (Guards(), Pause("db2"), Acted(("degrade",)), Wait(2), Resume("db2"), Acted(("degrade", "protect")),
              Leased("db1"), Wait(2))),
    Scenario("guard-wal-cut", "only the way between the databases is cut: the guard lets db1 go on without db2", STEADY,
             (Guards(), cut(_WAL), Acted(("degrade",)), Wait(2), mend(_WAL), Acted(("degrade", "protect")),
              Leased("db1"), Wait(2))),
    Scenario("guard-wal-flapping", "the way between the databases comes and goes every 2 s: nothing is done", STEADY,
             (Guards(), flapping(2.0, 2.0, _WAL), Wait(16), mend(_WAL), Leased("db1"), Wait(2), Acted())),
)

_DISPUTED = (
    Scenario("guard-sees-nothing", "the guard is cut off from db1, the servers are not: nothing is done", STEADY,
             (Guards(), cut("coordinator>db1"), Wait(12), mend("coordinator>db1"), Wait(2), Acted())),
    Scenario("guard-sees-alone", "the servers are cut off from db1, the guard is not: nothing is done", STEADY,
             (Guards(), cut("servers>db1"), Wait(12), mend("servers>db1"), Leased("db1"), Wait(2), Acted()),
             failed=None),
)

_GUARDS = (
    Scenario("guard-killed", "the active guard dies, then db1: the other guard fails over", STEADY,
             (_TWO, KILL_GUARD, Wait(6), Kill(("db1",)), Acted(("failover",)), Wait(2)), ends_on="db2"),
    Scenario("guard-killed-while-waiting", "db1 dies, and the active guard before it acts: the other one fails over",
             STEADY, (_TWO, Kill(("db1",)), Wait(0.5), KILL_GUARD, Acted(("failover",)), Wait(2)), ends_on="db2",
             failed=None),
    Scenario("guard-stopped", "the guard stops, db1 dies and is back, the guard wakes: nothing is done", STEADY,
             (Guards(), STOP_GUARD, Kill(("db1",)), Wait(5), Start("db1"), Leased("db1"), Wait(20), WakeGuards(),
              Wait(6), Acted()), failed=None),
    Scenario("guard-paused", "an operator paused the guard: db1 dies, and nothing is done until the pause ends", STEADY,
             (Guards(), Operate("pause-guard"), Kill(("db1",)), Wait(10), Acted(), Operate("resume-guard"),
              Acted(("failover",)), Wait(2)), ends_on="db2", failed=None),
    Scenario("guard-again", "after its failover a guard leaves the next one to an operator, until it is acknowledged",
             STEADY, (Guards(), Kill(("db1",)), Acted(("failover",)), Wait(2), Kill(("db2",)), Wait(10),
                      Acted(("failover",)), Operate("acknowledge-guard"), Acted(("failover", "failover")), Wait(2)),
             failed=None),
    Scenario("guard-rebalance", "db1 dies while users are moved: the failover takes the pool from the rebalance",
             "during a rebalance",
             (Guards(), Join(), Leased("db1"), Wait(2),
              Operate("rebalance", options={"rate": "1"}, at=StepId.TAKE_MANY, begun=True, after_death=None,
                      then=(Wait(1), Kill(("db1",)), Acted(("failover",))),
                      result=("done", "cancelled", "failed", "interrupted", "unknown")), Wait(2)),
             ends_on="db2", failed=None),
)

ALL = (*_PRIMARY, *_SECONDARY, *_DISPUTED, *_GUARDS)

"""Drills of a database that goes on running, and is not what it should be."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Kill, Leased, Pause, Resume, Start, Wait
from tuiha.lab.drill.acts.operate import Operate, ProtectAgain
from tuiha.lab.drill.acts.operators import GoOn, RefusedTo
from tuiha.lab.drill.faults.database import (
    Archive,
    ArchiveEnds,
    Go,
    GuestsLeave,
    LongTransaction,
    StopSender,
    Strangers,
    StrangersLeave,
    WaitFollows,
    Writable,
    pause_replay,
    promote_by_hand,
    resume_replay,
    wait_for_anybody,
)
from tuiha.lab.drill.faults.disk import Fill, Free, KillIfRunning, StartIfEnded
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

_ENDED = ("done", "failed", "undone", "cancelled")
_OR_OPEN = (*_ENDED, "unknown", "interrupted")

_SENDER = (
    Scenario("sender-stopped", "only the WAL sender of db1 hangs: commits wait, and nothing is released", STEADY,
             (StopSender("db1"), Wait(7), Go(), WaitFollows("db1"), Leased("db1"), Wait(2))),
    Scenario("switchover-sender-stopped", "the WAL sender hangs while requests are held", "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, then=(StopSender("db1"),), after_death=None),
              Go(), GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None, failed=None),
)

_REPLAY = (
    Scenario("secondary-lagging", "db2 receives and replays nothing: a switchover is refused", STEADY,
             (pause_replay("db2"), Wait(2), RefusedTo("switchover", "replay"), resume_replay("db2"), Wait(1),
              Operate("switchover"), Wait(1)), ends_on="db2"),
    Scenario("switchover-secondary-lagging", "db2 stops replaying while requests are held", "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, then=(pause_replay("db2"),),
                      after_death=None),
              resume_replay("db2"), GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None, failed=None),
    Scenario("failover-secondary-lagging", "db1 dies while db2 replays nothing: refused until it does", STEADY,
             (pause_replay("db2"), Wait(2), Kill(("db1",)), RefusedTo("failover", "replay"),
              resume_replay("db2"), Operate("failover"), Wait(2)), ends_on="db2"),
    Scenario("secondary-promoted-by-hand", "somebody promotes db2 by hand: seen, and every change of roles refused",
             STEADY,
             (promote_by_hand("db2"), Writable("db2"), RefusedTo("switchover", "split"),
              RefusedTo("failover", "split"), Operate("degrade"), Operate("rejoin", ("db2",)), Leased("db1"), Wait(2))),
)

_STRANGERS = (
    Scenario("switchover-long-transaction", "a stranger's transaction is open: a switchover is refused", STEADY,
             (LongTransaction("db1", 12.0), RefusedTo("switchover", "long-transaction"), GuestsLeave(), Wait(1),
              Operate("switchover"), Wait(1)), ends_on="db2"),
    Scenario("switchover-transaction-at-hold", "a stranger begins a transaction while requests are held",
             "after 'hold'",
             (Operate("switchover", result=_ENDED, at=StepId.HOLD, then=(LongTransaction("db1", 0.0),)),
              GuestsLeave(), Wait(2)), ends_on=None),
    Scenario("connections-exhausted", "a stranger takes all connections of db1", STEADY,
             (Strangers("db1"), Wait(6), StrangersLeave(), Leased("db1"), Wait(2)), outage=3.0),
    Scenario("switchover-connections-exhausted", "a stranger takes all connections of db2: refused", STEADY,
             (Strangers("db2"), RefusedTo("switchover", "db2"), StrangersLeave(), Wait(1),
              Operate("switchover"), Wait(1)), ends_on="db2"),
    Scenario("switchover-exhausted-at-promotion", "a stranger takes all connections of db2 as it is promoted",
             "after 'stop'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.STOP, then=(Strangers("db2"), Wait(3), StrangersLeave()),
                      after_death=None),
              GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None, failed=None),
)

_DISKS = (
    Scenario("disk-full-primary", "the disk of db1 is full; there is room again after 6 s", STEADY,
             (Fill("db1"), Wait(6), Free("db1"), StartIfEnded("db1"), WaitFollows("db1"), Leased("db1"),
              Wait(2)), failed=None),
    Scenario("disk-full-secondary", "the disk of db2 is full; there is room again after 6 s", STEADY,
             (Fill("db2"), Wait(6), Free("db2"), StartIfEnded("db2"), WaitFollows("db1"), Leased("db1"),
              Wait(2)), failed=None),
    Scenario("failover-disk-full", "the disk of db1 is full until it dies of it, and the pool fails over", STEADY,
             (Fill("db1"), Wait(3), KillIfRunning("db1"),
              Operate("failover", result=_OR_OPEN, after_death=None), Free("db1"), GoOn(result=_ENDED),
              Operate("rejoin", ("db1",)), Wait(3)), ends_on="db2", failed=None),
)

_MOMENTS = {"hold": StepId.HOLD, "fence": StepId.FENCE, "checkpoint": StepId.PREPARE}
_KILLED = tuple(
    Scenario(f"switchover-primary-killed-{name}", f"db1 dies right after step '{step}'", f"after '{step}'",
             (Operate("switchover", result=_OR_OPEN, at=step, then=(Kill(("db1",)),), after_death=None),
              StartIfEnded("db1"), GoOn(result=_ENDED), ProtectAgain(), Wait(3)), ends_on=None, failed=None)
    for name, step in _MOMENTS.items()
)

_ARCHIVE = (
    Scenario("acknowledged-by-an-archive", "an archive acknowledges commits, db2 hangs, db1 dies: the plan says it",
             STEADY,
             (Archive("db1"), *wait_for_anybody("db1"), Wait(4), Pause("db2"), Wait(3), Kill(("db1",)), Resume("db2"),
              RefusedTo("failover", "protection"), Start("db1"), Leased("db1"), ArchiveEnds(), Operate("protect"),
              Wait(2)), failed=None),
)

_DEGRADED = (
    Scenario("degraded-primary-killed", "db1 dies while it runs without its secondary: a failover is refused", STEADY,
             (Kill(("db2",)), Operate("degrade"), Wait(1), Start("db2"), Kill(("db1",)),
              RefusedTo("failover", "protection"), Start("db1"), Leased("db1"), Operate("protect"),
              Wait(2)), failed=None),
    Scenario("degrade-secondary-returns", "the secondary comes back by itself in the middle of a degrade", STEADY,
             (Pause("db2"), Operate("degrade", result=_ENDED, begun=True, at=StepId.GIVE_UP, then=(Resume("db2"),)),
              Wait(2), ProtectAgain(), Wait(2)), failed=None),
    Scenario("protect-secondary-killed", "the secondary dies again while it is being protected", STEADY,
             (Kill(("db2",)), Operate("degrade"), Wait(1), Start("db2"),
              Operate("protect", result=_OR_OPEN, begun=True, at=StepId.PROTECT, then=(Kill(("db2",)),),
                      after_death=None),
              Start("db2"), Wait(1), GoOn(result=_ENDED), ProtectAgain(), Wait(2)), failed=None),
)

ALL = (*_SENDER, *_REPLAY, *_STRANGERS, *_DISKS, *_KILLED, *_ARCHIVE, *_DEGRADED)

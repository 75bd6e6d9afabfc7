"""Drills of one pool server, from inside its process and across a change of the database."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Join, Kill, Leased, Start, Wait
from tuiha.lab.drill.acts.operate import Operate
from tuiha.lab.drill.faults.inside import Fenced, block, shift
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

_ENDED = ("done", "failed", "undone", "cancelled")
_HOUR = 3600.0

_BLOCKED = (
    Scenario("server-busy", "a server's event loop is blocked for most of a lease: it keeps the lease and its users",
             STEADY, (block(4.0, "s2"), Wait(6), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("server-blocked", "a server's event loop is blocked for longer than that; its thread fences it", STEADY,
             (block(16.0, "s2"), Fenced("s2", 12.0), Wait(8), Leased("db1"), Wait(2)), outage=2.0),
    Scenario("server-blocked-across-failover", "a server's event loop is blocked while the pool fails over", STEADY,
             (block(14.0, "s3"), Kill(("db1",)), Operate("failover"), Wait(10)), ends_on="db2",
             failed=None),
    Scenario("switchover-server-blocked", "a server's event loop is blocked while requests are held",
             "after 'hold'",
             (Operate("switchover", result=_ENDED, at=StepId.HOLD, then=(block(8.0, "s2"),)), Wait(10)),
             ends_on=None, failed=None),
)

_CLOCK = (
    Scenario("clock-forward", "a server's wall clock jumps an hour ahead", STEADY,
             (shift(_HOUR, "s2"), Wait(8)), outage=2.0),
    Scenario("clock-back", "a server's wall clock jumps an hour back", STEADY,
             (shift(-_HOUR, "s2"), Wait(8)), outage=2.0),
    Scenario("switchover-clock", "the pool moves while two servers' wall clocks are an hour apart each way", STEADY,
             (shift(_HOUR, "s2"), shift(-_HOUR, "s3"), Operate("switchover"), Wait(3)), outage=1.5, ends_on="db2"),
    Scenario("failover-clock", "a server's wall clock jumps back while the pool fails over", STEADY,
             (Kill(("db1",)), shift(-_HOUR, "s2"), Operate("failover"), Wait(3)), ends_on="db2"),
)

_EPOCH = (
    Scenario("server-restarts-with-old-epoch", "a server dies, the pool moves, and it comes back as it was", STEADY,
             (Kill(("s2",)), Wait(11), Operate("switchover"), Start("s2"), Leased("db2"), Wait(2)), ends_on="db2"),
    Scenario("server-restarts-in-failover", "a server dies with db1 and is started before the promotion", STEADY,
             (Kill(("db1", "s3")), Operate("failover", at=StepId.CUT, then=(Start("s3"),)), Wait(4)),
             ends_on="db2"),
    Scenario("switchover-server-joins", "one more server joins while requests are held", "after 'hold'",
             (Operate("switchover", result=_ENDED, at=StepId.HOLD, then=(Join(),)), Wait(6)), ends_on=None),
)

ALL = (*_BLOCKED, *_CLOCK, *_EPOCH)

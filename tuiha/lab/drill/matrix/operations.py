"""Drills of operations: the pool is operated, and something breaks meanwhile. Data, one entry each."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Kill, Pause, RestartPart, Resume, Start, Wait
from tuiha.lab.drill.acts.operate import KillRunner, Operate, ProtectAgain
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

# What the moment after a step is called in the name of a scenario, and the step.
_OF_SWITCHOVER = {
    "phase": StepId.ANNOUNCE, "checkpoint": StepId.PREPARE, "hold": StepId.HOLD, "fence": StepId.FENCE,
    "stop": StepId.STOP, "replay": StepId.CATCH_UP, "promote": StepId.PROMOTE, "epoch": StepId.BEGIN_EPOCH,
    "ledger": StepId.RECORD, "attach": StepId.ATTACH, "verify": StepId.VERIFY,
    "rejoin": StepId.REJOIN,
}
_OF_FAILOVER = {
    "phase": StepId.ANNOUNCE, "cut": StepId.CUT, "let-go": StepId.LET_GO, "promote": StepId.PROMOTE,
    "attach": StepId.ATTACH,
}
_ANY = ("done", "failed", "undone", "cancelled")  # all of them are ends in which nothing is left half-done


def _dead_runners(kind: str, moments: dict[str, StepId], before: tuple[Kill, ...]) -> tuple[Scenario, ...]:
    return tuple(
        Scenario(f"{kind}-runner-killed-{name}", f"the {kind}'s runner dies after step '{step}' and is resumed",
                 f"after '{step}'", (*before, Operate(kind, at=step, then=(KillRunner(),)), Wait(1)),
                 ends_on="db2")
        for name, step in moments.items()
    )


_SWITCHOVER = (
    Scenario("switchover", "the pool moves to the secondary as planned, under load", STEADY,
             (Operate("switchover"), Wait(2)), outage=1.5, ends_on="db2", quick=True),
    Scenario("switchover-and-back", "to the secondary and back again", STEADY,
             (Operate("switchover"), Wait(2), Operate("switchover"), Wait(1)), outage=1.5),
    Scenario("switchover-server-killed", "a server dies while requests are held", "after 'hold'",
             (Operate("switchover", result=_ANY, at=StepId.HOLD, then=(Kill(("s2",)),)), Wait(12)), ends_on=None),
    Scenario("switchover-server-paused", "a server stops while requests are held, and wakes on the old database",
             "after 'hold'",
             (Operate("switchover", result=_ANY, at=StepId.HOLD, then=(Pause("s2"),)), Wait(7), Resume("s2"),
              Wait(3)), ends_on=None),
    Scenario("switchover-secondary-killed", "the secondary dies before its promotion: all is taken back",
             "after 'fence'",
             (Operate("switchover", result=_ANY, at=StepId.FENCE, then=(Kill(("db2",)), Wait(3), Start("db2"))),
              ProtectAgain(), Wait(2)), ends_on=None),
    Scenario("switchover-undone", "the runner dies before the point of no return, and all is taken back",
             "after 'fence'",
             (Operate("switchover", result=("undone",), at=StepId.FENCE, then=(KillRunner(),), after_death="undo"),
              Wait(1))),
)

_FAILOVER = (
    Scenario("failover", "the primary dies; an operator fails the pool over", STEADY,
             (Kill(("db1",)), Operate("failover"), Wait(2)), ends_on="db2", quick=True),
    Scenario("failover-primary-paused", "the primary hangs, the pool fails over, and it is fenced", STEADY,
             (Pause("db1"), Operate("failover"), Wait(2)), ends_on="db2"),
    Scenario("failover-server-paused", "a server stops before the failover and wakes after the promotion", STEADY,
             (Pause("s3"), Kill(("db1",)), Operate("failover"), Resume("s3"), Wait(3)), ends_on="db2"),
    Scenario("failover-server-killed", "a server dies with the primary", STEADY,
             (Kill(("db1", "s3")), Operate("failover"), Wait(8)), ends_on="db2"),
    Scenario("failover-primary-returns", "the old primary comes back by itself right after the promotion",
             "after 'promote'",
             (Kill(("db1",)), Operate("failover", at=StepId.PROMOTE, then=(Start("db1"),)), Wait(3)), ends_on="db2"),
)

_ALONE = (
    Scenario("degrade-and-protect", "the secondary dies, the pool goes on without it, and is protected again", STEADY,
             (Kill(("db2",)), Operate("degrade"), Wait(2), Start("db2"), Operate("protect"), Wait(1)), quick=True),
)

_USERS = (
    Scenario("drain-target-killed", "a server is drained, and one that is given its users dies", "in mid-move",
             (Operate("drain", ("s2",), options={"rate": "1"}, result=_ANY, at=StepId.HAND_OVER, begun=True,
                      then=(Wait(1), Kill(("s3",)))), Wait(12)), outage=2.0, servers=4, users=15),
    Scenario("drain-source-killed", "a server dies while it is drained", "in mid-move",
             (Operate("drain", ("s2",), options={"rate": "1"}, result=(*_ANY, "unknown"), at=StepId.HAND_OVER,
                      begun=True, then=(Wait(1), Kill(("s2",)))), Wait(12)), outage=2.0, servers=4, users=15),
    Scenario("drain-runner-killed", "the runner dies in mid-move and is resumed", "in mid-move",
             (Operate("drain", ("s2",), options={"rate": "1"}, at=StepId.HAND_OVER, begun=True,
                      then=(Wait(1), KillRunner())), Wait(2)), outage=2.0),
    Scenario("drain-and-enable", "a server is drained, restarted, and takes users again", STEADY,
             (Operate("drain", ("s2",)), RestartPart("s2"), Wait(2), Operate("enable", ("s2",)), Wait(2)), outage=2.0),
)

_MAIL = (
    Scenario("mail-failover-and-return", "a mail server dies, is taken out of service, and returns", STEADY,
             (Kill(("mail1",)), Operate("failover-mail", ("mail1",)), Wait(2), Start("mail1"), Wait(2),
              Operate("return-mail", ("mail1",)), Wait(2)), outage=2.0, quick=True),
)

ALL = (
    *_SWITCHOVER, *_FAILOVER, *_ALONE, *_USERS, *_MAIL,
    *_dead_runners("switchover", _OF_SWITCHOVER, ()),
    *_dead_runners("failover", _OF_FAILOVER, (Kill(("db1",)),)),
)

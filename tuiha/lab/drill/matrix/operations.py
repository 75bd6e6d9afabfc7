"""Drills of operations: the pool is operated, and something breaks meanwhile. Data, one entry each."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Kill, Pause, RestartPart, Resume, Start, Wait
from tuiha.lab.drill.acts.operate import KillRunner, Operate, ProtectAgain
from tuiha.lab.drill.scenario import STEADY, Scenario

# Words of the steps' actions, and what the moment after the step is called in a scenario's name.
_OF_SWITCHOVER = {
    "phase": "record the phase", "checkpoint": "checkpoint", "hold": "hold requests", "fence": "fence db1",
    "stop": "stop db1", "replay": "db2 replays", "promote": "promote db2", "epoch": "epoch + 1",
    "ledger": "db2 is active", "attach": "servers attach", "verify": "verify every server",
    "rejoin": "db1 becomes the secondary",
}
_OF_FAILOVER = {
    "phase": "record the phase", "cut": "cut db2 off", "let-go": "servers let db1 go", "promote": "promote db2",
    "attach": "servers attach",
}
_ANY = ("done", "failed", "undone", "cancelled")  # all of them are ends in which nothing is left half-done


def _dead_runners(kind: str, moments: dict[str, str], before: tuple[Kill, ...]) -> tuple[Scenario, ...]:
    return tuple(
        Scenario(f"{kind}-runner-killed-{name}", f"the {kind}'s runner dies after '{words}' and is resumed",
                 f"after '{words}'", (*before, Operate(kind, at=words, then=(KillRunner(),)), Wait(1)),
                 ends_on="db2")
        for name, words in moments.items()
    )


_SWITCHOVER = (
    Scenario("switchover", "the pool moves to the secondary as planned, under load", STEADY,
             (Operate("switchover"), Wait(2)), outage=1.5, ends_on="db2", quick=True),
    Scenario("switchover-and-back", "to the secondary and back again", STEADY,
             (Operate("switchover"), Wait(2), Operate("switchover"), Wait(1)), outage=1.5),
    Scenario("switchover-server-killed", "a server dies while requests are held", "after 'hold requests'",
             (Operate("switchover", result=_ANY, at="hold requests", then=(Kill(("s2",)),)), Wait(12)), ends_on=None),
    Scenario("switchover-server-paused", "a server stops while requests are held, and wakes on the old database",
             "after 'hold requests'",
             (Operate("switchover", result=_ANY, at="hold requests", then=(Pause("s2"),)), Wait(7), Resume("s2"),
              Wait(3)), ends_on=None),
    Scenario("switchover-secondary-killed", "the secondary dies before its promotion: all is taken back",
             "after 'fence'",
             (Operate("switchover", result=_ANY, at="fence db1", then=(Kill(("db2",)), Wait(3), Start("db2"))),
              ProtectAgain(), Wait(2)), ends_on=None),
    Scenario("switchover-undone", "the runner dies before the point of no return, and all is taken back",
             "after 'fence'",
             (Operate("switchover", result=("undone",), at="fence db1", then=(KillRunner(),), after_death="undo"),
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
             (Kill(("db1",)), Operate("failover", at="promote db2", then=(Start("db1"),)), Wait(3)), ends_on="db2"),
)

_ALONE = (
    Scenario("degrade-and-protect", "the secondary dies, the pool goes on without it, and is protected again", STEADY,
             (Kill(("db2",)), Operate("degrade"), Wait(2), Start("db2"), Operate("protect"), Wait(1)), quick=True),
)

_USERS = (
    Scenario("drain-target-killed", "a server is drained, and one that is given its users dies", "in mid-move",
             (Operate("drain", ("s2",), options={"rate": "1"}, result=_ANY, at="hand over", begun=True,
                      then=(Wait(1), Kill(("s3",)))), Wait(12)), outage=2.0, servers=4, users=15),
    Scenario("drain-source-killed", "a server dies while it is drained", "in mid-move",
             (Operate("drain", ("s2",), options={"rate": "1"}, result=(*_ANY, "unknown"), at="hand over", begun=True,
                      then=(Wait(1), Kill(("s2",)))), Wait(12)), outage=2.0, servers=4, users=15),
    Scenario("drain-runner-killed", "the runner dies in mid-move and is resumed", "in mid-move",
             (Operate("drain", ("s2",), options={"rate": "1"}, at="hand over", begun=True,
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

"""Drills of users on the move, of sprayers and of mail servers."""

from __future__ import annotations

import signal

from tuiha.lab.drill.acts.base import Act, Join, Kill, Leased, Pause, RestartPart, Resume, Start, Wait
from tuiha.lab.drill.acts.operate import KillRunner, Operate
from tuiha.lab.drill.acts.operators import AskOperation, CloseTerminal, GoOn
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

_ENDED = ("done", "failed", "undone", "cancelled")
_OR_OPEN = (*_ENDED, "unknown", "interrupted")
_SLOW = {"rate": "1"}


def _rebalance(*then: Act, result: tuple[str, ...] = ("done",), after_death: str | None = "resume",
               terminal: bool = False) -> tuple[Act, ...]:
    """A new server gets its share, slowly enough for something to happen meanwhile."""
    return (Join(), Leased("db1"), Wait(2),
            Operate("rebalance", options=_SLOW, at=StepId.TAKE_MANY, begun=True, then=(Wait(1), *then), result=result,
                    after_death=after_death, terminal=terminal))


_REBALANCE = (
    Scenario(
        "rebalance",
        "a server joins and gets its share of the users",
        STEADY,
        (Join(), Leased("db1"), Wait(2), Operate("rebalance"), Wait(2)),
        outage=2.0,
    ),
    Scenario(
        "rebalance-target-killed",
        "the server that is given users dies in mid-move",
        "in mid-move",
        (*_rebalance(Kill(("s4",)), result=_OR_OPEN, after_death=None), Wait(12), GoOn(result=_ENDED), Wait(2)),
        outage=2.0,
    ),
    Scenario(
        "rebalance-source-killed",
        "a server that gives users away dies in mid-move",
        "in mid-move",
        (*_rebalance(Kill(("s2",)), result=_OR_OPEN, after_death=None), Wait(12), GoOn(result=_ENDED), Wait(2)),
        outage=2.0,
    ),
    Scenario(
        "rebalance-target-paused",
        "the server that is given users hangs in mid-move and goes on",
        "in mid-move",
        (
            *_rebalance(Pause("s4"), result=_OR_OPEN, after_death=None),
            Resume("s4"),
            Wait(4),
            GoOn(result=_ENDED),
            Wait(2),
        ),
        outage=2.0,
    ),
    Scenario(
        "rebalance-runner-killed",
        "the runner of a rebalance dies in mid-move and is resumed",
        "in mid-move",
        (*_rebalance(KillRunner()), Wait(2)),
        outage=2.0,
    ),
    Scenario(
        "rebalance-terminal-closed",
        "the terminal that a rebalance was started from is killed",
        "in mid-move",
        (*_rebalance(CloseTerminal(), terminal=True), Wait(2)),
        outage=2.0,
    ),
    Scenario(
        "rebalance-cancelled",
        "a rebalance is cancelled in mid-move and resumed",
        "in mid-move",
        (*_rebalance(AskOperation("cancel"), result=("cancelled",)), Wait(1), GoOn(), Wait(2)),
        outage=2.0,
    ),
    Scenario(
        "rebalance-primary-restarts",
        "db1 dies in the middle of a rebalance and comes back",
        "in mid-move",
        (
            *_rebalance(Kill(("db1",)), Wait(2), Start("db1"), result=_OR_OPEN, after_death=None),
            Wait(4),
            GoOn(result=_ENDED),
            Wait(2),
        ),
    ),
    Scenario(
        "rebalance-failover",
        "db1 dies in the middle of a rebalance: a failover takes the pool from it",
        "in mid-move",
        (*_rebalance(Kill(("db1",)), Operate("failover"), result=("cancelled",), after_death=None), Wait(8)),
        ends_on="db2",
        failed=None,
    ),
    Scenario(
        "rebalance-stuck-failover",
        "db1 dies in a rebalance, which then stands half-way: given up, failed over",
        "in mid-move",
        (
            *_rebalance(Kill(("db1",)), KillRunner(), result=("interrupted",), after_death=None),
            AskOperation("cancel"),
            Operate("failover"),
            Wait(8),
        ),
        ends_on="db2",
        failed=None,
    ),
)

_SPRAYERS = (
    Scenario(
        "sprayer-restarted",
        "a sprayer is ended gently (SIGUSR1) and started again",
        STEADY,
        (RestartPart("spray1", number=signal.SIGUSR1), Wait(3), RestartPart("spray2", number=signal.SIGUSR1), Wait(3)),
        outage=2.0,
    ),
    Scenario(
        "switchover-sprayer-killed",
        "a sprayer dies while requests are held",
        "after 'hold'",
        (Operate("switchover", at=StepId.HOLD, then=(Kill(("spray1",)),)), Wait(3)),
        ends_on="db2",
    ),
)

_MAIL = (
    Scenario("mail-restarted", "a mail server is told to end: it says BYE in IDLE; it comes back", STEADY,
             (RestartPart("mail1"), Wait(6)), outage=2.0),
    Scenario("mail-flapping", "a mail server dies and comes back three times", STEADY,
             (Kill(("mail1",)), Wait(2), Start("mail1"), Wait(2), Kill(("mail1",)), Wait(2), Start("mail1"), Wait(2),
              Kill(("mail1",)), Wait(2), Start("mail1"), Wait(6)), outage=2.0),
    Scenario("mail-cluster-changes-sides", "a mail server dies, and its partner when it is back: numbers differ twice",
             STEADY,
             (Kill(("mail1",)), Wait(6), Start("mail1"), Wait(3), Kill(("mail2",)), Wait(6), Start("mail2"), Wait(6)),
             outage=2.0),
    Scenario("mail-killed-in-switchover", "a mail server dies while requests are held", "after 'hold'",
             (Operate("switchover", at=StepId.HOLD, then=(Kill(("mail1",)),)), Wait(8)), ends_on="db2"),
)

ALL = (*_REBALANCE, *_SPRAYERS, *_MAIL)

"""Drills of who operates: a second operator, closed terminals, dead runners, a ledger that is lost, a full disk."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Act, Kill, Start, Wait
from tuiha.lab.drill.acts.operate import KillRunner, Operate, ProtectAgain
from tuiha.lab.drill.acts.operators import AskOperation, CloseTerminal, GoOn, RefusedTo
from tuiha.lab.drill.faults.database import pause_replay, resume_replay
from tuiha.lab.drill.faults.ledger import (
    LEDGER_DAMAGED,
    LEDGER_LOST,
    LEDGER_RESTORED,
    LEDGER_UNWRITABLE,
    LEDGER_WRITABLE,
    JournalFull,
)
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.model.operations.evidence import StepId

_ENDED = ("done", "failed", "undone", "cancelled")
_OR_OPEN = (*_ENDED, "unknown", "interrupted")
_SLOW = {"rate": "1"}


def _drain(*then: Act, result: tuple[str, ...] = ("done",), terminal: bool = False,
           after_death: str | None = "resume") -> Operate:
    """A drain that is slow enough for something to happen meanwhile."""
    return Operate("drain", ("s2",), options=_SLOW, at=StepId.HAND_OVER, begun=True, then=(Wait(1), *then),
                   result=result, terminal=terminal, after_death=after_death)


_OPERATORS = (
    Scenario("second-operator", "a second operator begins a switchover while a server is drained: refused",
             "in mid-move", (_drain(RefusedTo("switchover", "drain")), Wait(1)), outage=2.0),
    Scenario("drain-terminal-closed", "the terminal that a drain was started from is killed in mid-move",
             "in mid-move", (_drain(CloseTerminal(), terminal=True), Wait(1)), outage=2.0),
    Scenario("switchover-terminal-closed", "the terminal that a switchover was started from is killed",
             "after 'hold'",
             (Operate("switchover", at=StepId.HOLD, then=(CloseTerminal(),), terminal=True), Wait(1)),
             ends_on="db2"),
    Scenario("drain-cancelled", "a drain is cancelled in mid-move", "in mid-move",
             (_drain(AskOperation("cancel"), result=("cancelled",)), Wait(2)), outage=2.0),
    Scenario("drain-cancelled-and-resumed", "a drain is cancelled in mid-move, and goes on later", "in mid-move",
             (_drain(AskOperation("cancel"), result=("cancelled",)), Wait(1), GoOn(), Wait(1)), outage=2.0),
    Scenario("drain-undone", "a drain is taken back in mid-move", "in mid-move",
             (_drain(AskOperation("undo"), result=("undone",)), Wait(2)), outage=2.0),
    Scenario("drain-runner-killed-and-undone", "the runner of a drain dies in mid-move, and all is taken back",
             "in mid-move", (_drain(KillRunner(), result=("undone",), after_death="undo"), Wait(2)), outage=2.0),
    Scenario("last-server-drained", "all servers but one are drained; draining the last is refused", STEADY,
             (Operate("drain", ("s1",), overrides=("capacity",)), Operate("drain", ("s2",), overrides=("capacity",)),
              RefusedTo("drain", "s3", ("s3",)), Operate("enable", ("s1",)),
              Operate("enable", ("s2",)), Wait(1)), outage=2.0),
)

_BEFORE = {"phase": StepId.ANNOUNCE, "checkpoint": StepId.PREPARE, "hold": StepId.HOLD, "stop": StepId.STOP}
_ABORTED = tuple(
    Scenario(f"switchover-undone-{name}", f"the switchover's runner dies after step '{step}', and all is taken back",
             f"after '{step}'",
             (Operate("switchover", at=step, then=(KillRunner(),), after_death="undo",
                      result=("undone", "done")), Wait(1)), ends_on=None, failed=None)  # done: it was past the return
    for name, step in _BEFORE.items()
)

_RUNNERS = (
    Scenario("switchover-undone-replay", "the switchover's runner dies before db2 has replayed, and all is taken back",
             "in 'catch-up'",
             (Operate("switchover", at=StepId.HOLD, after_death="undo", result=("undone", "done"),
                      then=(pause_replay("db2"), Wait(0.5), KillRunner(), resume_replay("db2"))), Wait(1)),
             ends_on=None, failed=None),
    Scenario("failover-undone", "the failover's runner dies before the promotion, db1 returns, and all is taken back",
             "after 'cut'",
             (Kill(("db1",)), Operate("failover", at=StepId.CUT, then=(KillRunner(), Start("db1")),
                                      after_death="undo", result=("undone",)), ProtectAgain(), Wait(2))),
    Scenario("degrade-runner-killed", "the runner of a degrade dies after the ledger says STALE, and is resumed",
             "after 'give-up'",
             (Kill(("db2",)), Operate("degrade", at=StepId.GIVE_UP, then=(KillRunner(),)), Start("db2"), Wait(1),
              Operate("protect"), Wait(1))),
    Scenario("protect-runner-killed", "the runner of a protect dies in the middle, and is resumed", "in 'protect'",
             (Kill(("db2",)), Operate("degrade"), Start("db2"),
              Operate("protect", at=StepId.PROTECT, begun=True, then=(KillRunner(),)), Wait(1))),
)

_LEDGER = (
    Scenario("ledger-lost", "the ledger is gone: the pool serves on, a switchover is refused", STEADY,
             (LEDGER_LOST, RefusedTo("switchover", "ledger"), Wait(6), LEDGER_RESTORED, Operate("switchover"),
              Wait(1)), outage=2.0, ends_on="db2"),
    Scenario("ledger-damaged", "the ledger is cut in half: the pool serves on, a switchover is refused", STEADY,
             (LEDGER_DAMAGED, RefusedTo("switchover", "damaged"), Wait(6), LEDGER_RESTORED, Operate("switchover"),
              Wait(1)), outage=2.0, ends_on="db2"),
    Scenario("ledger-unwritable", "the ledger cannot be written: the pool serves on, a switchover is refused", STEADY,
             (LEDGER_UNWRITABLE, RefusedTo("switchover", "lock"), Wait(6), LEDGER_WRITABLE, Operate("switchover"),
              Wait(1)), outage=2.0, ends_on="db2"),
    Scenario("switchover-ledger-unwritable", "the ledger cannot be written right after the promotion",
             "after 'promote'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.PROMOTE, then=(LEDGER_UNWRITABLE,), after_death=None),
              LEDGER_WRITABLE, GoOn(result=("done",)), Wait(2)), ends_on="db2", failed=None),
    Scenario("switchover-ledger-lost", "the ledger is gone while requests are held, and restored later",
             "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, then=(LEDGER_LOST,), after_death=None),
              LEDGER_RESTORED, GoOn(result=_ENDED), ProtectAgain(), Wait(2)), ends_on=None, failed=None),
    Scenario("failover-ledger-unwritable", "db1 dies and the ledger cannot be written: refused until it can", STEADY,
             (Kill(("db1",)), LEDGER_UNWRITABLE, RefusedTo("failover", "lock"), LEDGER_WRITABLE,
              Operate("failover"), Wait(2)), ends_on="db2", failed=None),
)

_JOURNAL = (
    Scenario("drain-journal-full", "the journal of a drain cannot be written any more, in the middle of it",
             "in mid-move",
             (_drain(JournalFull(), result=_OR_OPEN, after_death=None), GoOn(result=_ENDED), Wait(2)), outage=2.0),
    Scenario("switchover-journal-full", "the journal of a switchover cannot be written while requests are held",
             "after 'hold'",
             (Operate("switchover", result=_OR_OPEN, at=StepId.HOLD, then=(JournalFull(),), after_death=None),
              GoOn(result=_ENDED), Wait(2)), ends_on=None, failed=None),
)

ALL = (*_OPERATORS, *_ABORTED, *_RUNNERS, *_LEDGER, *_JOURNAL)

"""A plan as text fits a terminal of 80 columns."""

from __future__ import annotations

from tests.doubles.operator import bad, switchover
from tuiha.cli.operations.text import next_command, plan_text
from tuiha.model.operations.plans import CheckVerdict
from tuiha.model.operations.statements import plain
from tuiha.operate.plans.plan import Check, PlannedStep

WELL = Check("pool", "demo", plain("HEALTHY, active db1"),
             plain("one active database that accepts writes; neither SPLIT nor DISPUTED"), CheckVerdict.OK)
STEPS = (
    PlannedStep(1, "anna", plain("every server refuses the user and stops monitoring"), 20.0, True),
    PlannedStep(2, "anna", plain("delete 2 devices and 16 changes"), 60.0, False, True),
)


def test_what_is_wanted_and_what_to_do_have_lines_of_their_own() -> None:
    lines = plan_text(switchover(checks=(WELL, bad("lag")), steps=STEPS)).splitlines()
    assert lines[2:6] == [
        "  OK   pool  demo  HEALTHY, active db1",
        "  BAD  lag   db2   4.2 MB behind",
        "           wanted: at most 1 MB",
        "           wait for db2, or type override lag",
    ]
    assert lines[-3:] == [
        "  1  anna  every server refuses the user and stops monitoring  20s  undo",
        "  -- POINT OF NO RETURN --",
        "  2  anna  delete 2 devices and 16 changes                     60s  no undo",
    ]
    assert max(map(len, lines)) <= 80


def test_the_command_that_applies_it_is_one_for_a_shell() -> None:
    assert "--confirm 'anna smith' " in next_command(switchover(confirm="anna smith"))

"""Plan, confirmation, run and result in every size: no line is cut, and nothing that matters is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.doubles.operator import CHECKS, EVIDENCE, bad, operation, switchover
from tests.tui.samples import AT, down, healthy
from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.plans import CheckVerdict, Moment, OperationStatus, StepStatus
from tuiha.operate.database.failover import Failover
from tuiha.operate.database.kinds import PairKind
from tuiha.operate.database.protection import Degrade, ProtectKind, RejoinKind
from tuiha.operate.database.steps.base import Job
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.plans.plan import Check, Plan, PlannedStep
from tuiha.tui.draw.spans import Line, plain, width_of
from tuiha.tui.operations.lines.confirm import ConfirmSight, above_entry, below_entry
from tuiha.tui.operations.lines.plan import PlanSight, plan_lines
from tuiha.tui.operations.lines.result import result_lines, summary
from tuiha.tui.operations.lines.run import run_lines, whole_lines
from tuiha.tui.operations.operator import StartedOperation, StepFacts
from tuiha.words.step_names import step_name

WIDTHS = (80, 93, 100, 119, 120, 159, 200)
ROOM = 19  # lines that 24 rows leave for the body
JOB = Job("db1", "db2", 12, 7, "7401234567890123456", "SYNC", "FAILOVER", {f"s{n}": "-" for n in range(1, 5)})
REASON = "db1 DOWN connection refused"
USERS = (
    (StepId.GIVE_NO_NEW(servers=["s2"]), "spray1, spray2"), (StepId.TAKE_NOBODY(), "s2"),
    (StepId.HAND_OVER(users=512), "s2"), (StepId.VERIFY_EMPTY(), "s2"),
    (StepId.WAIT_UNTIL_QUIET(servers=["s2"]), "spray1, spray2"),
)


def drain() -> Plan:
    steps = tuple(PlannedStep(number, target, says, 60.0, True) for number, (says, target) in enumerate(USERS, 1))
    users = {"users_before": {"s1": 500, "s2": 512}, "users_after": {"s1": 1012, "s2": 0}}
    return switchover(kind="drain", target=("s2",), confirm="s2", steps=steps, details=users)


def of_pair(kind: PairKind) -> Plan:
    steps = tuple(step.planned for step in kind.steps(switchover(details=JOB.details())))
    many = tuple(replace(CHECKS[0], name=f"check{number}") for number in range(30))
    return switchover(kind=kind.name, target=("db2",), steps=steps, details=JOB.details(), checks=many)


def plans() -> list[Plan]:
    return [*map(of_pair, (Switchover(), Failover(), Degrade(), ProtectKind(), RejoinKind())), drain()]


def started(plan: Plan, done: int, state: OperationStatus = OperationStatus.RUNNING) -> StartedOperation:
    steps = tuple(StepFacts(
        step.number, step.target, step.action,
        StepStatus.DONE if place < done else StepStatus.RUNNING if place == done else StepStatus.WAITING,
        step.limit_seconds, step.undo, step.point_of_no_return, 0.1 if place < done else None, AT - 2.0,
        EVIDENCE[place % len(EVIDENCE)] if place < done else "", id=step.id, name=step_name(step.says),
    ) for place, step in enumerate(plan.steps))
    own = {Moment.RENEWED: AT - 24.0} if plan.kind == "failover" else {Moment.HELD: AT - 4.0}
    moments = {Moment.BEGUN: AT - 5.0, **own, **({Moment.SERVED: AT - 3.0} if done > 10 else {})}
    return replace(operation(0), id="20261130-000511-eafb", kind=plan.kind, target=plan.target, steps=steps,
                   state=state, reason=REASON, moments=moments, loses=plan.loses, roles=("db1", "db2"),
                   started_at=AT - 5.0, seconds=None if state is OperationStatus.RUNNING else 5.0)


def text(lines: Sequence[Line]) -> str:
    return "\n".join(plain(line).rstrip() for line in lines)


def whole(lines: Sequence[Line], width: int) -> str:
    """The text, after a look at what may never be: a line that is cut, or that is longer than the terminal."""
    for line in lines:
        assert width_of(line.spans) <= width
        assert "…" not in plain(line), plain(line)
    return text(lines)


@pytest.mark.parametrize("plan", plans(), ids=lambda plan: plan.kind)
def test_every_plan_is_read_at_80x24_without_scrolling(plan: Plan) -> None:
    lines = plan_lines(PlanSight(plan, reason=REASON), 80, ROOM)
    said = whole(lines, 80)
    assert len(lines) <= ROOM
    for label in ("Data loss", "Outage", "Undo", "Reason", "Checks", "Steps"):
        assert f"\n {label}" in said
    assert said.index("Data loss") < said.index("Outage") < said.index("Undo") < said.index("Steps")
    assert ("POINT OF NO RETURN" in said) == (plan.point_of_no_return is not None)
    assert "passed   v shows them" in said


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("plan", plans(), ids=lambda plan: plan.kind)
def test_no_width_cuts_what_matters(plan: Plan, width: int) -> None:
    stopped = replace(plan, checks=(*plan.checks, bad("lag"), bad("servers")))
    for room in (ROOM, 35, 55):
        for each in (False, True):
            assert "4.2 MB behind" in whole(plan_lines(PlanSight(stopped, plan, REASON), width, room, each), width)
        sight = ConfirmSight(stopped, down(), REASON, "ctrl+r")
        above, below = above_entry(sight, width, room - 1), below_entry(sight, width)
        assert "override lag" in whole(above, width)
        assert "override servers, then" in " ".join(whole(below, width).split())
        for done in range(0, len(plan.steps), 3):
            shown = whole(run_lines(started(plan, done), AT, width, room, None), width)
            assert ("point of no return" in shown) == (plan.point_of_no_return is not None)
            assert "You can close this terminal." in shown
        ended = started(plan, len(plan.steps), OperationStatus.DONE)
        assert "Data loss" in whole(result_lines(ended, healthy(), (), width, room), width)
    for line in whole_lines(started(plan, 3), AT, width):
        assert width_of(line.spans) <= width


def test_a_run_fits_80x24_with_the_evidence_of_the_last_step() -> None:
    lines = run_lines(started(of_pair(Failover()), 11), AT, 80, ROOM, None)
    assert len(lines) <= ROOM
    said = text(lines)
    assert "Not served: 21s" in said
    assert "writes held: 2.0s by the operation" in " ".join(said.split())
    assert "point of no return: passed" in said
    assert "step 11: db2 may replicate" in said
    assert EVIDENCE[10 % len(EVIDENCE)] in said


def test_where_there_is_no_room_steps_that_were_done_share_a_line() -> None:
    said = text(run_lines(started(of_pair(Failover()), 11), AT, 60, 15, None))
    assert " ✓  1-10  done; point of no return: passed" in said
    assert "▸ 12  db1 is the standby" in said


def test_while_requests_wait_the_run_says_since_when() -> None:
    for kind, said in ((Switchover(), "Requests wait since 03:12:03Z: 4.0s"), (Failover(), "Nobody is served since")):
        assert said in text(run_lines(started(of_pair(kind), 4), AT, 80, ROOM, None))


def test_the_chosen_step_is_the_one_whose_evidence_is_shown() -> None:
    said = text(run_lines(started(of_pair(Failover()), 11), AT, 80, ROOM, 1))
    assert "step 2: db2 cut off from db1" in said
    assert EVIDENCE[1] in said


def test_a_result_has_both_outages_and_what_a_ticket_needs() -> None:
    ended = replace(started(of_pair(Failover()), 13, OperationStatus.DONE), outcome={
        "outage_ms": 2000.0, "unserved_ms": 21000.0, "requests_delayed": None, "requests_failed": None,
        "requests_unknown_on": ["s3", "s4"], "requests_unknown_why": {"s3": "restarted", "s4": "silent-after"}})
    lines = result_lines(ended, healthy(), (), 80, ROOM)
    assert len(lines) <= ROOM
    for said in (text(lines), summary(ended, healthy(), "corp-east")):
        for part in ("21s, from 03:11:43Z (the last lease) to 03:12:04Z", "2.0s by the operation", "db1 → db2",
                     "not known; s3 restarted meanwhile", "oncall@bastion", REASON, "13 of 13"):
            assert part in " ".join(said.split()), part
        assert "None" not in said
        assert "[" not in said
        assert "179" not in said  # as unix seconds begin


def test_only_what_went_wrong_is_told_of_the_steps_of_a_result() -> None:
    facts = started(of_pair(Failover()), 2, OperationStatus.FAILED)
    stuck = replace(facts.steps[2], state=StepStatus.FAILED, evidence="db1 cannot be fenced: no agent")
    facts = replace(facts, steps=(*facts.steps[:2], stuck, *facts.steps[3:]))
    said = text(result_lines(facts, None, (("c", "resume this operation"),), 80, ROOM))
    assert "db1 fenced: FAILED. db1 cannot be fenced: no agent" in said
    assert "2 of 13 done" in said
    assert "c resume this operation" in said


def test_what_changed_since_the_plan_was_opened_is_told_in_words() -> None:
    before = replace(of_pair(Failover()), facts={"servers": {"s1": "no answer", "s3": "no answer", "s2": "answers"}},
                     checks=(bad("lag"),))
    after = replace(before, id="other", facts={"servers": {"s1": "answers", "s3": "answers", "s2": "answers"}},
                    checks=CHECKS)
    said = " ".join(text(plan_lines(PlanSight(after, before), 80, 40)).split())
    assert "since you opened this plan: s1, s3 answer again; check passes now: lag db2" in said


def test_a_plan_that_nobody_may_start_says_so_in_its_title() -> None:
    plan = of_pair(Failover())
    assert "READY TO START" in text(plan_lines(PlanSight(plan), 80, ROOM)).splitlines()[0]
    never = Check("disputed", "db1", CHECKS[0].found, CHECKS[0].wanted, CheckVerdict.NEVER)
    assert "CANNOT BE STARTED" in text(plan_lines(PlanSight(replace(plan, checks=(never,))), 80, ROOM)).splitlines()[0]

"""Nothing rests on a sentence: in a language of `x` operations do and decide the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest

from tests.proof.operations.desk import Desk
from tests.proof.operations.scenarios import SCENARIOS
from tests.proof.operations.stage import simulate
from tests.words.operations_language import language_of_x
from tuiha.cli.operations.documents import operation as document
from tuiha.cli.operations.follow import exit_code
from tuiha.model.databases.durability import Gap
from tuiha.model.operations.evidence import Done, Ending, Fault, Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss, nothing, something
from tuiha.operate.plans.plan import Check, Plan, PlannedStep, plan_id
from tuiha.operate.plans.weight import voided_by
from tuiha.operate.records.state import OperationState, from_document, read_state, recorded
from tuiha.tui.operations.lines.plan import PlanSight, plan_lines, wanted
from tuiha.tui.operations.lines.result import result_lines
from tuiha.tui.operations.operator import StartedOperation

Seen = list[tuple[Any, ...]]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def played(name: str, seed: int, *kills: int) -> tuple[Any, ...]:
    """What a simulated operation did: planned, run, and, where its runner died, resumed, taken back or begun anew."""
    seen: Seen = []
    see = Desk.see

    async def noted(self: Desk, operation: str) -> OperationState:
        state = await see(self, operation)
        codes = [(step.state, None if step.said is None else step.said.code) for step in state.steps]
        seen.append((state.kind, state.status, codes, state.said and state.said.code, dict(state.outcome or {}),
                     exit_code(state), [check.verdict for check in state.plan.checks]))
        return state

    with mock.patch.object(Desk, "see", noted):
        verdict = simulate(SCENARIOS[name], seed, *kills)
    return verdict.broken, verdict.happened, verdict.awaits, verdict.kills, seen


@pytest.mark.parametrize(("name", "seed", "kills", "shown"), [
    ("switchover", 0, (), "promotions"), ("switchover", 1, (60,), "resume"), ("switchover", 2, (120,), "undo"),
    ("failover", 0, (), "promotions"), ("failover", 1, (80,), "resume"), ("degrade", 0, (), "operations"),
])
def test_operations_do_the_same_in_any_language(name: str, seed: int, kills: tuple[int, ...], shown: str) -> None:
    english = played(name, seed, *kills)
    assert english[1][shown], "the run shows what it is for"
    with language_of_x():
        assert played(name, seed, *kills) == english


def test_the_outage_is_known_in_any_language() -> None:
    with language_of_x():
        *_, seen = played("switchover", 0)
    assert any(outcome.get("outage_ms", 0) > 0 for *_, outcome, _, _ in seen)


def a_plan(loss: Loss = nothing(Loses.ON_PARTNER(partner="db2"))) -> Plan:  # noqa: B008 - it is frozen
    checks = (
        Check(CheckId.LAG, "db2", Found.BEHIND(bytes=0, seconds=0.0), Wanted.AT_MOST_BYTES(bytes=9), CheckVerdict.OK),
        Check(CheckId.PROTECTION, "ledger", Found.UNKNOWN(), Wanted.IS_GONE(), CheckVerdict.BAD, Mend.PROTECT_FIRST()),
    )
    steps = (PlannedStep(1, "s1", StepId.HOLD(old="db1", new="db2"), 5.0, True),
             PlannedStep(2, "db2", StepId.PROMOTE(old="db1", new="db2"), 5.0, False, True))
    return Plan(plan_id("failover", ("db2",), {}), "east", "failover", ("db2",), "db2", checks, steps, loss, 1.0, 2.0,
                {}, {})


HOLES = something(Loses.HOLES(partner="db2", gaps=[Gap.NOBODY], why="nobody is waited for"))
OTHERS = something(Loses.HOLES(partner="db2", gaps=[Gap.STRANGER], why="another has the slot"))


@pytest.mark.parametrize("words", [nullcontext, language_of_x])
def test_which_loss_voids_a_plan(words: Any) -> None:
    with words():
        assert voided_by(a_plan(), a_plan(HOLES)) is not None
        assert voided_by(a_plan(HOLES), a_plan(OTHERS)) is not None
        assert voided_by(a_plan(HOLES), a_plan(HOLES)) is None
        assert voided_by(a_plan(HOLES), a_plan()) is None  # it only improves


@pytest.mark.parametrize("words", [nullcontext, language_of_x])
def test_colours_and_what_has_to_be_typed(words: Any) -> None:
    with words():
        for loss, style in ((nothing(Loses.NOTHING()), "text"), (HOLES, "warning bold")):
            lines = plan_lines(PlanSight(a_plan(loss)), 100, 30)
            line = next(line for line in lines if line.spans and "Data loss" in line.spans[0][0])
            assert line.spans[1][1] == style
        assert wanted(a_plan(), ()) == ("override protection", "db2")


@pytest.mark.parametrize("words", [nullcontext, language_of_x])
def test_plans_and_results_are_read_back(words: Any) -> None:
    with words():
        plan = a_plan(HOLES)
        assert from_document(plan.document()) == plan
        state = read_state("1", plan, [
            {"at": 1.0, "record": "start", "who": "ada"},
            {"at": 2.0, "record": "step", "step": 1, "state": "done",
             **recorded("evidence", Done.HELD(servers=2, held_at=1795366738.5))},
            {"at": 3.0, "record": "step", "step": 2, "state": "unknown",
             **recorded("evidence", Fault.LIMIT_PASSED(seconds=5.0))},
            {"at": 4.0, "record": "result", "state": "unknown",
             **recorded("text", Ending.STEP_UNKNOWN(step=2, why=Fault.LIMIT_PASSED(seconds=5.0)))},
        ], alive=False)
        found = document(state)
        said = [None if step["says"] is None else (step["id"], step["says"]["code"]) for step in found["steps"]]
        assert said == [(StepId.HOLD, Done.HELD), (StepId.PROMOTE, Fault.LIMIT_PASSED)]
        held = {"servers": 2, "held_at": 1795366738.5}
        assert found["steps"][0]["says"] == {"code": Done.HELD, "figures": held}
        assert found["says"] is not None
        assert found["says"]["code"] == Ending.STEP_UNKNOWN
        facts = StartedOperation("1", "failover", ("db2",), "ada", "", state.status, (), 1.0)
        assert result_lines(facts, None, (), 100, 30)[0].spans
        assert exit_code(state) == 5

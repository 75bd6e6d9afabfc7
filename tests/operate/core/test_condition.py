"""How an operation is that has the pool: told by the ledger alone, to whoever reads it, and at plan time."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.model.looks import healthy
from tests.operate.core.conftest import Studio
from tuiha.cli.commands.look.status import code
from tuiha.cli.output.documents import status
from tuiha.cli.output.status import status_text
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.conclude import conclude
from tuiha.model.facts import Polled, Severity, Snapshot, Verdict
from tuiha.model.operations.intent import SILENCE, Condition, IntentWay
from tuiha.model.problems.operation import running
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.run import intent as intents
from tuiha.watch.export.exposition import exposition
from tuiha.words.next import command, key
from tuiha.words.problems import what as what_of


def seen(studio: Studio, later: float = 0.0, previous: Snapshot | None = None) -> Snapshot:
    """What a watcher concludes on a whole pool with this ledger, so many seconds from now."""
    now = time.time() + later
    look = healthy()
    record = replace(studio.ledger, pool=look.pool, system_identifier="1")
    assert look.ledger is not None
    assert look.ledger.report is not None
    record = replace(look.ledger.report, intent=studio.ledger.intent, phase=record.phase)
    return conclude(replace(look, at=now, ledger=Polled("ledger", "", record, now)), previous)


@pytest.mark.parametrize(("what", "later", "condition", "word"), [
    ("die", SILENCE + 3.0, Condition.INTERRUPTED, "INTERRUPTED"),
    ("unknown", 0.0, Condition.UNKNOWN, "UNKNOWN"),
    ("fail-undo", 0.0, Condition.UNKNOWN, "UNKNOWN"),
])
async def test_one_that_has_stopped_is_told_with_its_way_out(
    studio: Studio, what: str, later: float, condition: Condition, word: str
) -> None:
    if what == "fail-undo":
        studio.fault(1, "undo", "fail")
    studio.fault(2, "after", what.removesuffix("-undo"))
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.end(operation)
    snapshot = seen(studio, later)
    found = running(snapshot)
    assert found is not None
    assert (found.id, found.condition) == (operation, condition)
    assert (snapshot.verdict, code(snapshot)) == (Verdict.DEGRADED, 1)
    problem = snapshot.problems[0]
    assert what_of(problem).startswith(word)
    assert (command(problem.next), key(problem.next)) == (f"tuiha resume {operation}", "a")
    text = status_text(snapshot)
    for way in ("resume", "undo"):
        assert f"`tuiha {way} {operation}` (key a, then " in text
    assert "step " in what_of(problem)
    told = status(snapshot)["operation"]
    assert told is not None
    assert told["condition"] == condition
    assert f'tuiha_pool_operation{{condition="{condition}",kind="sketch",pool="{snapshot.pool}"}} 1.0' \
        in exposition(snapshot)
    plan = await studio.plan(colour="blue")
    check = next(check for check in plan.checks if check.name == "operation")
    assert check.verdict == "never"  # told before a name is typed
    assert operation in check.value


async def test_one_whose_runner_lives_is_no_problem_that_degrades(studio: Studio) -> None:
    gate = studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda state: state.steps[1].progress != "")
    snapshot = seen(studio)
    assert (snapshot.verdict, code(snapshot)) == (Verdict.HEALTHY, 0)
    assert [problem.severity for problem in snapshot.problems] == [Severity.NOTE]
    assert f"tuiha operations {operation}" in status_text(snapshot)
    plan = await studio.plan(colour="blue")
    assert [check.verdict for check in plan.checks if check.name == "operation"] == ["never"]
    gate.unlink()
    assert (await studio.end(operation)).state == "done"
    assert running(seen(studio)) is None


async def test_a_clock_that_differs_does_not_kill_a_runner_for_one_who_watches(studio: Studio) -> None:
    """A host whose clock is ahead sees an old sign of life; as it changes, the runner lives."""
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.end(operation)
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    record = await ledger.poll()
    plan = await studio.plan("sketch")
    first = intents.at_step(intents.Intent(operation, "sketch", "ada", "host", 1.0), plan, 1, "x")
    record = await ledger.replace(record, replace(record, intent=replace(first, beat=time.time() - 100.0).text()))
    once = seen(studio)
    assert (found := running(once)) is not None
    assert found.condition is Condition.INTERRUPTED  # one look has to believe the clock
    await ledger.replace(record, replace(record, intent=replace(first, beat=time.time() - 98.0).text()))
    again = seen(studio, 2.0, once)
    assert (found := running(again)) is not None
    assert found.condition is Condition.RUNNING
    assert (found := running(seen(studio, 2.0 + SILENCE + 1.0, again))) is not None
    assert found.condition is Condition.INTERRUPTED


async def test_what_may_be_done_follows_the_steps(studio: Studio) -> None:
    plan = await studio.plan()
    start = intents.Intent("x", "paint", "ada", "host", 1.0)
    ways = {number: intents.at_step(start, plan, number, "").ways for number in (0, 2, 3, 4)}
    assert ways == {0: (IntentWay.RESUME, IntentWay.UNDO), 2: (IntentWay.RESUME, IntentWay.UNDO),
                    3: (IntentWay.RESUME, IntentWay.CANCEL), 4: (IntentWay.RESUME, IntentWay.CANCEL)}
    with pytest.raises(OperationRefused):
        intents.refuse_unless_it_gives_way(studio.ledger, replace(start, gives_way=True), "rebalance")
    assert all(state.settled for state in studio.by().operations())

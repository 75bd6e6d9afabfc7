"""Operations from plan to result, with real runner processes and a real ledger."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from tests.operate.core.conftest import RECORD, Studio
from tuiha.model.operations.intent import IntentWay
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.records.state import OperationState
from tuiha.operate.run import intent as intents


def states(state: OperationState) -> list[str]:
    return [step.state for step in state.steps]


def pids(studio: Studio, operation: str) -> list[int]:
    """The runners that this operation had."""
    return [record["pid"] for record in studio.records(operation) if "pid" in record]


def is_as_before(studio: Studio) -> bool:
    """Nothing on the wall, and the pool is free."""
    return studio.wall["done"] == [] and studio.wall["colour"] == "grey" and studio.ledger.intent is None


async def test_all_steps_are_run_and_verified(studio: Studio) -> None:
    plan = await studio.plan()
    state = await studio.end(await studio.apply(plan))
    assert (state.state, states(state)) == ("done", ["done"] * 4)
    assert [step.evidence for step in state.steps][-1] == "steps on the wall: [1, 2, 3, 4]"
    assert state.outcome == {"outage_ms": 0, "coats": 1, "second": "steps on the wall: [1, 2]",
                             "requests_delayed": None, "requests_failed": None}
    assert (state.who, state.reason) == ("ada@studio", "it is ugly")
    assert studio.wall["colour"] == "red"
    assert studio.ledger.intent is None
    assert studio.ledger.revision > RECORD.revision
    assert os.getpid() not in pids(studio, state.id)


async def test_the_ledger_says_whose_and_which_step(studio: Studio) -> None:
    gate = studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[1].progress != "")
    intent = intents.parse(studio.ledger.intent)
    assert intent is not None
    assert (intent.id, intent.kind, intent.owner, intent.step) == (operation, "paint", "ada@studio", 2)
    plan = await studio.plan(colour="blue")
    with pytest.raises(OperationRefused, match=r"paint, at step 2 \(wall prepare\), started by ada@studio") as refused:
        await studio.apply(plan, who="eve@elsewhere")
    assert operation in str(refused.value)
    gate.unlink()
    assert (await studio.end(operation)).state == "done"
    assert len(studio.store.folders()) == 1


async def test_a_runner_killed_in_every_step_is_resumed(studio: Studio) -> None:
    for step in range(1, 5):
        studio.fault(step, "before", "die")
        studio.fault(step, "after", "die")
    operation = await studio.apply(await studio.plan())
    blue = await studio.plan(colour="blue")
    for step in (1, 1, 2, 2, 3, 3, 4, 4):
        dead = await studio.end(operation)
        assert dead.interrupted
        assert states(dead) == ["done"] * (step - 1) + ["running"] + ["waiting"] * (4 - step)
        with pytest.raises(intents.Busy):
            await studio.apply(blue)
        await studio.by().resume(operation)
    state = await studio.end(operation)
    assert (state.state, studio.wall["done"], studio.wall["colour"]) == ("done", [1, 2, 3, 4], "red")
    assert studio.ledger.intent is None


@pytest.mark.parametrize(("step", "when"), [(1, "after"), (2, "before"), (2, "after")])
async def test_a_killed_runner_is_taken_back(studio: Studio, step: int, when: str) -> None:
    studio.fault(step, when, "die")
    operation = await studio.apply(await studio.plan())
    assert (await studio.end(operation)).interrupted
    await studio.by("eve").undo(operation)
    state = await studio.end(operation)
    assert (state.state, state.changed, state.text) == ("undone", False, "undone by eve; everything is undone")
    assert is_as_before(studio)
    with pytest.raises(OperationRefused, match="over: undone"):
        await studio.by().resume(operation)


async def test_no_way_back_after_the_point_of_no_return(studio: Studio) -> None:
    studio.fault(3, "before", "die")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    with pytest.raises(OperationRefused, match="past its point of no return"):
        await studio.by("eve").undo(operation)


async def test_one_that_runs_past_it_can_neither_be_cancelled_nor_taken_back(studio: Studio) -> None:
    gate = studio.fault(4, "before", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[3].state == "running")
    for way in (IntentWay.CANCEL, IntentWay.UNDO):
        with pytest.raises(OperationRefused, match="past its point of no return"):
            await studio.by("eve").steer(way, operation)
    gate.unlink()
    assert (await studio.end(operation)).state == "done"


@pytest.mark.parametrize(("step", "what", "text"), [
    (1, "fail", "step 1 failed: the paint is dry"),
    (2, "fail", "step 2 failed: the paint is dry"),
    (3, "fail", "step 3 failed: the paint is dry"),
    (2, "unknown", "step 2 has an unknown outcome: the light went out"),
    (2, "break", "step 2 has an unknown outcome: unexpected KeyError at painting.py:"),
])
async def test_before_the_point_of_no_return_nothing_is_left(studio: Studio, step: int, what: str, text: str) -> None:
    studio.fault(step, "before", what)
    state = await studio.end(await studio.apply(await studio.plan()))
    assert (state.state, state.changed, state.settled) == ("failed", False, True)
    assert text in state.text
    assert is_as_before(studio)


@pytest.mark.parametrize(("step", "what", "result"), [
    (4, "fail", "failed"), (4, "unknown", "unknown"), (3, "unknown", "unknown"),
])
async def test_after_it_the_pool_is_kept_until_it_is_resumed(studio: Studio, step: int, what: str, result: str) -> None:
    studio.fault(step, "before", what)
    operation = await studio.apply(await studio.plan())
    state = await studio.end(operation)
    assert (state.state, state.settled) == (result, False)
    running = next(state for state in studio.by().operations() if not state.settled)
    assert running is not None
    assert running.id == operation
    intent = intents.parse(studio.ledger.intent)
    assert intent is not None
    assert (intent.id, intent.step) == (operation, step)
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"
    assert studio.ledger.intent is None
    assert all(state.settled for state in studio.by().operations())


async def test_a_limit_that_passes_is_an_unknown_outcome(studio: Studio) -> None:
    studio.change(limit=0.2)
    studio.fault(4, "after", "hang")
    operation = await studio.apply(await studio.plan())
    state = await studio.end(operation)
    assert (state.state, state.steps[3].evidence) == ("unknown", "its limit of 0.2 s passed")


async def test_a_step_that_cannot_be_taken_back_is_told_and_tried_again(studio: Studio) -> None:
    studio.fault(2, "after", "fail")
    studio.fault(1, "undo", "unknown")
    operation = await studio.apply(await studio.plan())
    state = await studio.end(operation)
    assert (state.state, states(state)) == ("unknown", ["unknown", "undone", "waiting", "waiting"])
    assert studio.ledger.intent is not None
    await studio.by().resume(operation)  # what turned back goes back
    assert (await studio.end(operation)).state == "undone"
    assert is_as_before(studio)


async def test_a_runner_killed_while_taking_back(studio: Studio) -> None:
    studio.fault(2, "after", "fail")
    studio.fault(1, "undo", "die")
    operation = await studio.apply(await studio.plan())
    assert (await studio.end(operation)).interrupted
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "undone"
    assert is_as_before(studio)


@pytest.mark.parametrize("how", ["cancel", "undo"])
async def test_a_living_runner_turns_back_when_asked(studio: Studio, how: str) -> None:
    studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    await studio.by("eve").steer(IntentWay(how), operation)
    state = await studio.end(operation)
    assert (state.state, state.changed) == ({"cancel": "cancelled", "undo": "undone"}[how], False)
    assert state.text.startswith(f"{'cancelled' if how == 'cancel' else 'undone'} by eve")
    assert is_as_before(studio)


async def test_a_cancelled_operation_that_may_stay_half_done(studio: Studio) -> None:
    gate = studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    await studio.by("eve").cancel(operation)
    state = await studio.end(operation)
    assert (state.state, states(state)) == ("cancelled", ["done", "stopped", "waiting", "waiting"])
    assert (state.outcome or {})["second"] == "steps on the wall: [1, 2]"  # what was done until then is told
    assert studio.wall["done"] == [1, 2]
    assert studio.ledger.intent is None  # others may work
    gate.unlink()
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"


async def test_a_half_done_operation_is_not_resumed_over_a_newer_one(studio: Studio) -> None:
    studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    await studio.by("eve").cancel(operation)
    await studio.end(operation)
    older = studio.folder(operation).path
    older.rename(older.with_name("20200101-000000-abcd"))
    (studio.base / "fault-2-after").unlink()
    await studio.end(await studio.apply(await studio.plan("sketch", "blue")))
    with pytest.raises(OperationRefused, match="changed it since"):
        await studio.by().resume("20200101-000000-abcd")


async def test_a_runner_that_runs_is_not_started_twice(studio: Studio) -> None:
    gate = studio.fault(1, "after", "wait")
    operation = await studio.apply(await studio.plan())
    with pytest.raises(OperationRefused, match="is running"):
        await studio.by().resume(operation)
    gate.unlink()
    assert (await studio.end(operation)).state == "done"


async def test_a_ledger_that_still_names_a_finished_operation_is_freed(studio: Studio) -> None:
    from tuiha.drivers.ledgers.file import FileLedger

    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    intent = intents.Intent(operation, "paint", "ada", os.uname().nodename, 1.0)
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    await ledger.replace(studio.ledger, replace(studio.ledger, intent=intent.text()))
    await studio.by().resume(operation)
    assert studio.ledger.intent is None


async def test_it_is_gone_on_with_where_it_is_run(studio: Studio) -> None:
    from tuiha.drivers.ledgers.file import FileLedger

    studio.fault(1, "after", "die")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    elsewhere = intents.Intent(operation, "paint", "ada", "another-host", 1.0)
    await FileLedger(studio.base / "ledger.json", "studio").replace(
        studio.ledger, replace(studio.ledger, intent=elsewhere.text()))
    with pytest.raises(OperationRefused, match="is run from another-host"):
        await studio.by().resume(operation)


async def test_killed_from_outside(studio: Studio) -> None:
    studio.fault(2, "before", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    os.kill(pids(studio, operation)[-1], signal.SIGKILL)
    assert (await studio.end(operation)).interrupted
    (studio.base / "fault-2-before").unlink()
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"

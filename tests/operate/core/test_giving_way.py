"""A failover or degrade takes the pool from an operation that changes no roles, which goes on afterwards."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from tests.operate.core.conftest import Studio
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.operations import intent
from tuiha.operate.database.steps.base import not_ours
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.reach.world import open_world
from tuiha.operate.run import intent as intents
from tuiha.words.operations import text


@pytest.fixture(autouse=True)
def painting_ends_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intent, "TAKERS", frozenset({"paint"}))


@pytest.mark.parametrize("what", ["wait", "hang", "die", "unknown", "stopped"])
async def test_it_gives_way_and_goes_on_afterwards(studio: Studio, what: str) -> None:
    """Also when its runner lives, hangs in a step, is dead, gave up, or does not run at the moment."""
    fault = studio.fault(2, "before", "wait" if what == "stopped" else what)
    operation = await studio.apply(await studio.plan("sketch"))
    if what in ("die", "unknown"):
        await studio.end(operation)
    else:
        await studio.until(operation, lambda state: state.steps[1].state == "running")
    if what == "stopped":
        runner = studio.records(operation)[-1].get("pid") or next(
            record["pid"] for record in reversed(studio.records(operation)) if "pid" in record)
        os.kill(runner, signal.SIGKILL)
    plan = await studio.plan()
    check = next(check for check in plan.checks if check.name == "operation")
    assert check.verdict == "warning"
    assert operation in check.value
    assert f"tuiha resume {operation}" in check.remedy
    taker = await studio.apply(plan, who="eve@elsewhere")
    fault.unlink(missing_ok=True)
    assert (await studio.end(taker)).state == "done"
    assert studio.ledger.intent is None
    left = await studio.end(operation)
    assert (left.state, left.gave_way_to, left.settled) == ("cancelled", taker, True)
    assert f"stopped for paint, operation {taker} of eve@elsewhere" in left.text
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"


async def test_afterwards_it_can_be_taken_back(studio: Studio) -> None:
    fault = studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda state: state.steps[1].progress != "")
    await studio.end(await studio.apply(await studio.plan()))
    fault.unlink()
    await studio.end(operation)
    await studio.by("ada").undo(operation)
    assert (await studio.end(operation)).state == "undone"


async def test_it_is_not_taken_unless_the_plan_said_so(studio: Studio) -> None:
    plan = await studio.plan()
    fault = studio.fault(2, "before", "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda state: state.steps[1].state == "running")
    with pytest.raises(OperationRefused, match=f"did not say that it takes the pool from operation {operation}"):
        await studio.apply(plan)
    fault.unlink()
    assert (await studio.end(operation)).state == "done"


@pytest.mark.parametrize("phase", ["SWITCHING", "FAILOVER"])
async def test_half_changed_roles_give_way_to_nobody(studio: Studio, phase: str) -> None:
    studio.fault(2, "after", "unknown")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.end(operation)
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    record = await ledger.poll()
    await ledger.replace(record, replace(record, phase=phase))
    plan = await studio.plan()
    assert [check.verdict for check in plan.checks if check.name == "operation"] == ["never"]
    with pytest.raises(intents.Busy):
        await studio.apply(plan)


async def test_two_of_one_kind_do_not_take_the_pool_from_each_other(studio: Studio) -> None:
    fault = studio.fault(4, "before", "wait")
    first = await studio.apply(await studio.plan())
    await studio.until(first, lambda state: state.steps[3].state == "running")
    with pytest.raises(intents.Busy):
        await studio.apply(await studio.plan(colour="blue"))
    fault.unlink()
    assert (await studio.end(first)).state == "done"


async def test_a_step_of_one_that_gave_way_changes_no_ledger(studio: Studio) -> None:
    """Its runner may not know yet: what it would write is decided by whom the ledger names."""
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    record = await ledger.poll()
    mine = intents.Intent("mine", "protect", "ada", "host", 1.0)
    async with open_world(studio.pool, studio.base) as world:
        world.operation = "mine"
        assert not_ours(world, replace(record, intent=mine.text())) is None
        assert "eve" in text(not_ours(world, replace(record, intent=replace(mine, id="x", owner="eve").text())))
        assert not_ours(world, record) is not None

"""An operation that stands half-way and that nothing can bring to an end now: the pool is given back all the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.operate.core.conftest import Studio
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.store import store_of
from tuiha.operate.run import started


@pytest.mark.parametrize("what", ["unknown", "die"])
async def test_what_stands_half_way_may_be_left_so(studio: Studio, what: str) -> None:
    fault = studio.fault(2, "after", what)
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.end(operation)
    assert studio.ledger.intent is not None
    assert await studio.by("eve").cancel(operation) == operation
    state = studio.by().operation(operation)
    assert (state.state, state.settled, state.changed) == ("cancelled", True, True)
    assert studio.ledger.intent is None  # a failover may begin
    fault.unlink(missing_ok=True)
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"


async def test_a_request_to_stop_is_heard_also_after_a_step_that_went_wrong(studio: Studio) -> None:
    gate = studio.fault(2, "before", "wait")
    studio.fault(2, "after", "unknown")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    await studio.by("eve").cancel(operation)
    gate.unlink()
    assert (await studio.end(operation)).state == "cancelled"
    assert studio.ledger.intent is None


async def test_one_with_a_point_of_no_return_is_not_left_half_way(studio: Studio) -> None:
    studio.fault(2, "after", "die")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    with pytest.raises(OperationRefused, match="resume"):
        await studio.by("eve").cancel(operation)
    assert studio.ledger.intent is not None


async def test_one_that_is_past_its_point_and_whose_rest_cannot_be_done_gives_the_pool_back(studio: Studio) -> None:
    """As a switchover that waits for a former primary that never comes back."""
    studio.fault(4, "after", "unknown")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    assert studio.by().operation(operation).past_no_return
    assert studio.ledger.intent is not None
    await studio.by("eve").cancel(operation)
    assert studio.by().operation(operation).state == "cancelled"
    assert studio.ledger.intent is None


async def test_one_that_never_began_is_ended_when_it_is_surely_not_starting(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await studio.plan()
    folder = store_of(studio.pool, studio.base).create(plan)  # as who died before it took the pool
    journal = Journal(folder.journal)
    await journal.write("start", id=folder.id, who="eve", host="here", reason="", overrides=[])
    journal.close()
    with pytest.raises(OperationRefused, match="only just starting"):
        await studio.by("eve").cancel(folder.id)
    monkeypatch.setattr(started, "_STARTING", 0.0)
    await studio.by("eve").cancel(folder.id)
    state = studio.by().operation(folder.id)
    assert (state.state, state.changed, state.settled) == ("cancelled", False, True)


async def test_one_that_changed_the_ledgers_phase_is_not_left_half_way(studio: Studio) -> None:
    studio.fault(2, "after", "unknown")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.end(operation)
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    record = await ledger.poll()
    await ledger.replace(record, replace(record, phase="SWITCHING"))
    with pytest.raises(OperationRefused, match="SWITCHING"):
        await studio.by("eve").cancel(operation)
    assert json.loads(studio.ledger.intent or "{}")["id"] == operation


@pytest.mark.parametrize("left", [False, True])
async def test_what_was_cancelled_is_not_resumed_when_another_host_has_changed_the_pool(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    """Its journals are not here, and its clock may be late: the ledger's revision tells."""
    gate = studio.fault(2, "after" if left else "before", "unknown" if left else "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    if left:
        await studio.end(operation)
    else:
        await studio.until(operation, lambda state: state.steps[1].state == "running")
    await studio.by("eve").cancel(operation)
    assert (await studio.end(operation)).state == "cancelled"
    gate.unlink(missing_ok=True)
    with monkeypatch.context() as there:
        there.setenv("TUIHA_STATE", str(studio.base / "another host"))
        other = await studio.apply(await studio.plan(colour="blue"))
        folder = store_of(studio.pool, studio.base).find(other)
        assert [state async for state in studio.by().follow(folder.id)][-1].state == "done"
    before = studio.ledger, studio.wall
    with pytest.raises(OperationRefused, match=f"{operation} gave the pool back, and it was changed since; plan again"):
        await studio.by().resume(operation)
    assert (studio.ledger, studio.wall) == before

"""Runners that die at every record, journals without their end, folders and hosts that are gone: each has a way out."""

from __future__ import annotations

import os
import re
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.operate.core.conftest import Studio
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.protocols import Conflict
from tuiha.model.operations import intent as model
from tuiha.model.operations.plans import CheckVerdict
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.remote import refuse_if_elsewhere
from tuiha.operate.records.state import OperationState
from tuiha.operate.run import intent as intents
from tuiha.operate.run import reclaim as reclaiming
from tuiha.operate.run.intent import Busy

PLACES = [(step, when) for step in (1, 2, 3, 4) for when in ("before", "after")]


@pytest.fixture(autouse=True)
def signs_of_life_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runners are killed here, and their last sign of life is fresh for seconds afterwards."""
    monkeypatch.setattr(model, "SILENCE", 0.0)


async def dead(studio: Studio, step: int = 2, when: str = "after", kind: str = "paint") -> str:
    """An operation whose runner was killed in a step."""
    fault = studio.fault(step, when, "die")
    operation = await studio.apply(await studio.plan(kind))
    assert (await studio.end(operation)).interrupted
    fault.unlink(missing_ok=True)
    return operation


async def reclaim(studio: Studio, *overrides: str) -> OperationState:
    plan = await the_plan(studio)
    return await studio.end(await studio.apply(plan, confirm="studio", overrides=overrides))


async def the_plan(studio: Studio) -> Plan:
    return await studio.by().plan("reclaim")


def cut_to(journal: Path, records: int, torn: bool) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:records]) + (lines[records][:-9] if torn and records < len(lines) else b""))


@pytest.mark.parametrize(("step", "when"), PLACES)
@pytest.mark.parametrize("torn", [False, True])
async def test_a_cut_journal_is_resumed_to_the_end(studio: Studio, step: int, when: str, torn: bool) -> None:
    operation = await dead(studio, step, when)
    cut_to(studio.folder(operation).journal, step % 3, torn)
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"
    assert (studio.wall["done"], studio.wall["colour"], studio.ledger.intent) == ([1, 2, 3, 4], "red", None)


@pytest.mark.parametrize(("step", "when"), PLACES)
async def test_a_cut_journal_is_taken_back_before_the_point_of_no_return_and_not_after_it(
    studio: Studio, step: int, when: str
) -> None:
    operation = await dead(studio, step, when)
    cut_to(studio.folder(operation).journal, 2, torn=step % 2 == 0)
    if step >= 3:  # the wall is painted, or may be: what is left of the journal knows nothing of it
        with pytest.raises(OperationRefused, match="may be past its point of no return"):
            await studio.by("eve").undo(operation)
        assert studio.ledger.intent is not None
        return
    await studio.by("eve").undo(operation)
    assert (await studio.end(operation)).state == "undone"
    assert (studio.wall["done"], studio.wall["colour"], studio.ledger.intent) == ([], "grey", None)


async def test_what_began_to_be_taken_back_is_taken_back_also_when_the_journal_does_not_say_so(studio: Studio) -> None:
    studio.fault(2, "after", "fail")
    fault = studio.fault(1, "undo", "die")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    fault.unlink(missing_ok=True)
    cut_to(studio.folder(operation).journal, 4, torn=True)
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "undone"
    assert studio.wall["done"] == []


async def test_a_result_that_was_lost_after_the_pool_was_given_back(studio: Studio) -> None:
    operation = await studio.apply(await studio.plan())
    assert (await studio.end(operation)).state == "done"
    journal = studio.folder(operation).journal
    cut_to(journal, len(journal.read_bytes().splitlines()) - 1, torn=True)
    await studio.by().resume(operation)
    state = studio.by().operation(operation)
    assert (state.state, state.settled) == ("cancelled", True)
    assert "had released the pool" in state.text
    assert studio.wall["done"] == [1, 2, 3, 4]  # and nothing was done again


@pytest.mark.parametrize("what", ["folder", "plan"])
async def test_a_lost_folder_has_a_way_out(studio: Studio, what: str) -> None:
    operation = await dead(studio)
    path = studio.folder(operation).path
    if what == "folder":
        shutil.rmtree(path)
    else:
        (path / "plan.json").write_text("{")
    for command in ("resume", "undo", "cancel"):
        with pytest.raises(
            OperationRefused, match=r"on this host by ada@studio, and its folder .* `tuiha plan reclaim`"
        ):
            await refuse_if_elsewhere(studio.pool, studio.base, operation[-4:], command)
    with pytest.raises(Busy, match="tuiha plan reclaim"):
        await studio.apply(await studio.plan())
    plan = await the_plan(studio)
    assert (plan.target, plan.confirm, plan.details["way"]) == ((operation,), "studio", "release")
    assert not plan.stopped_by
    with pytest.raises(OperationRefused, match="asks for the name 'studio'"):
        await studio.apply(plan, confirm="wall")
    mine = await studio.apply(plan, confirm="studio")
    state = await studio.end(mine)
    assert (state.state, state.kind, mine != operation) == ("done", "reclaim", True)
    assert studio.ledger.intent is None
    assert (await studio.end(await studio.apply(await studio.plan()))).state == "done"


async def test_the_host_in_the_ledger_is_gone_for_good(studio: Studio) -> None:
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    there = intents.Intent("20260101-000000-beef", "paint", "eve", "host9", 1.0, 2, "wall prepare")
    await intents.take(ledger, await ledger.poll(), there)
    with pytest.raises(OperationRefused, match=r"On that host: tuiha resume .* gone for good: `tuiha plan reclaim`"):
        await refuse_if_elsewhere(studio.pool, studio.base, "beef", "resume")
    plan = await the_plan(studio)
    assert [(check.name, check.verdict) for check in plan.stopped_by] == [("host", CheckVerdict.BAD)]
    with pytest.raises(OperationRefused, match="--override host"):
        await studio.apply(plan, confirm="studio")
    assert (await reclaim(studio, "host")).state == "done"
    assert studio.ledger.intent is None


async def test_the_runner_of_the_reclaim_dies_and_its_folder_is_gone_too(studio: Studio) -> None:
    operation = await dead(studio)
    shutil.rmtree(studio.folder(operation).path)
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    seen = await ledger.poll()
    other = intents.parse(seen.intent)
    assert other is not None
    await intents.take(ledger, seen, replace(other, id="20260102-000000-cafe", kind="reclaim"), operation)
    state = await reclaim(studio)
    assert (state.state, state.plan.target) == ("done", ("20260102-000000-cafe",))
    assert studio.ledger.intent is None


async def test_a_living_runner_keeps_its_pool_also_without_its_folder(studio: Studio) -> None:
    gate = studio.fault(2, "before", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    folder, aside = studio.folder(operation).path, studio.base / "aside"
    never = [("runner", CheckVerdict.NEVER)]
    assert [(check.name, check.verdict) for check in (await the_plan(studio)).stopped_by] == never
    shutil.copytree(folder, aside)
    shutil.rmtree(folder)
    assert [(check.name, check.verdict) for check in (await the_plan(studio)).stopped_by] == never
    shutil.copytree(aside, folder)
    pid = next(record["pid"] for record in studio.records(operation) if "pid" in record)
    os.kill(pid, signal.SIGKILL)
    gate.unlink()
    while studio.ledger.intent is not None:
        with suppress(OperationRefused):  # the process ends in this moment
            assert (await reclaim(studio)).state == "done"


async def test_a_reclaimed_operation_is_closed_and_not_resumed(studio: Studio) -> None:
    operation = await dead(studio)
    plan = await the_plan(studio)
    assert [check.name for check in plan.checks if check.verdict is CheckVerdict.WARNING] == ["journal"]
    assert (await reclaim(studio)).state == "done"
    state = studio.by().operation(operation)
    assert (state.state, state.settled) == ("cancelled", True)
    before = studio.wall
    with pytest.raises(OperationRefused, match="changed it since"):
        await studio.by().resume(operation)
    assert studio.wall == before


@pytest.mark.parametrize("target", ["beef", "20200101"])
async def test_there_is_nothing_to_reclaim(studio: Studio, target: str) -> None:
    with pytest.raises(OperationRefused, match="nothing to reclaim"):
        await the_plan(studio)
    await dead(studio)
    with pytest.raises(OperationRefused, match="has the pool, not"):
        await studio.by().plan("reclaim", [target])


async def test_a_step_that_was_done_is_written_down_when_another_operation_has_the_pool(studio: Studio) -> None:
    gate = studio.fault(1, "after", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[0].state == "running")
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    await _until_noted(ledger)
    other = await _taken(ledger)
    gate.unlink()
    state = await studio.end(operation)
    assert (state.state, state.settled) == ("cancelled", True)
    assert "operation 20260102-000000-cafe" in state.text
    first, second, *others = [step.state for step in state.steps]
    assert first == "done"  # what came of it is written down
    # A step may begin in the moment in which the ledger is told of it; its end is written down, and no other begins.
    assert second in ("waiting", "stopped", "done")
    assert others == ["waiting"] * 2
    assert studio.wall["done"] == ([1, 2] if second == "done" else [1])
    assert intents.parse(studio.ledger.intent) == other  # and it is not released


async def _taken(ledger: FileLedger) -> intents.Intent:
    """Another operation takes the pool, between two signs of life of the one that has it."""
    other = intents.Intent("20260102-000000-cafe", "reclaim", "eve", os.uname().nodename, 1.0)
    while True:
        seen = await ledger.poll()
        with suppress(Conflict):
            await ledger.replace(seen, replace(seen, intent=other.text()))
            return other


async def _until_noted(ledger: FileLedger) -> None:
    while (found := intents.parse((await ledger.poll()).intent)) is not None and found.step == 0:
        pass


async def test_the_point_of_no_return_is_not_passed_while_the_ledger_names_another(studio: Studio) -> None:
    gate = studio.fault(2, "after", "wait")
    operation = await studio.apply(await studio.plan())
    await studio.until(operation, lambda s: s.steps[1].state == "running")
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    await _taken(ledger)
    gate.unlink()
    state = await studio.end(operation)
    assert [step.state for step in state.steps[2:]] in (["failed", "waiting"], ["waiting", "waiting"])
    assert state.steps[1].state != "running"
    assert studio.wall["colour"] == "grey"


async def test_a_fresh_sign_of_life_keeps_the_pool_also_on_this_host(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner in another container has this host's name, and no process that is to be seen here."""
    await dead(studio)
    with monkeypatch.context() as fresh:
        fresh.setattr(model, "SILENCE", 60.0)
        stopped = (await the_plan(studio)).stopped_by
    assert [(check.name, check.verdict) for check in stopped] == [("host", CheckVerdict.NEVER)]
    assert re.fullmatch(r"its last sign of life is \d+ s old: plan again in a moment", stopped[0].remedy)
    assert not (await the_plan(studio)).stopped_by


def test_a_runner_is_found_behind_a_link_to_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "real" / "20260101-000000-beef"
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with (folder / "lock").open("w"):
        shutil.rmtree(folder)
        assert reclaiming._process_in(folder) == os.getpid()
        assert reclaiming._process_in(tmp_path / "link" / folder.name) == os.getpid()
    assert reclaiming._process_in(folder) is None

"""What this host cannot write down, plans that somebody edited, and pools that share a folder."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.operate.core.conftest import Studio
from tuiha.cli import exits
from tuiha.cli.main import main
from tuiha.drivers.protocols import DriverError
from tuiha.operate import api
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.records.store import NotKept, NotThere, store_of
from tuiha.operate.run import launch

Captured = pytest.CaptureFixture[str]


async def tuiha(studio: Studio, *words: str) -> int:
    assert studio.pool  # writes the configuration
    return await asyncio.to_thread(main, [*words, "--config", str(studio.config)])


async def test_a_folder_that_cannot_be_written(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    plan = await studio.plan()
    studio.store.save_plan(plan)
    operation = await studio.apply(plan)
    assert (await studio.end(operation)).state == "done"
    before = studio.ledger, studio.wall
    monkeypatch.setenv("TUIHA_STATE", str(studio.base / "wall.json" / "below a file"))
    assert await tuiha(studio, "plan", "paint", "red") == exits.USAGE
    said = capsys.readouterr().err
    assert "wall.json/below a file" in said
    assert "cannot be written (Not a directory)" in said
    assert "$TUIHA_STATE" in said
    with pytest.raises(NotKept, match="cannot be written"):
        await studio.apply(plan)
    assert (studio.ledger, studio.wall) == before


async def test_a_runner_that_cannot_be_told_gives_the_pool_back(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(launch, "_open_again", full)
    with pytest.raises(NotKept, match="No space left on device"):
        await studio.apply(await studio.plan())
    assert studio.ledger.intent is None
    assert studio.store.folders() == []


async def test_a_ledger_that_cannot_be_written_leaves_nothing_to_be_resumed(studio: Studio) -> None:
    plan = await studio.plan()
    draft = studio.base / f".ledger.json.{os.getpid()}.new"
    draft.mkdir()
    with pytest.raises(DriverError, match="cannot be written"):
        await studio.apply(plan)
    draft.rmdir()
    (state,) = studio.store.states()
    assert (state.state, state.settled, state.changed) == ("failed", True, False)
    assert "cannot be written" in state.text
    assert all(state.settled for state in studio.by().operations())
    assert (await studio.end(await studio.apply(plan))).state == "done"


@pytest.mark.parametrize(("changes", "error", "said"), [
    ({"confirm": "yes"}, OperationRefused, "asks for the name 'wall' to be typed, and 'yes' was typed"),
    ({"expires_at": "later"}, NotThere, "cannot be read; make it again"),
    ({"target": ["green"]}, OperationRefused, "is void, the pool has changed: there is no colour green"),
    ({"target": ["blue"]}, OperationRefused, "is void"),
    ({"details": {"options": {"brush": "large"}}}, OperationRefused, "is void"),
])
async def test_a_plan_that_somebody_edited(
    studio: Studio, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    plan = await studio.plan()
    file = studio.store.save_plan(plan)
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(error, match=said):
        await studio.apply(studio.store.load_plan(plan.id), confirm=str(changes.get("confirm", "wall")))
    assert studio.ledger.intent is None
    assert studio.store.folders() == []


async def test_pools_that_share_a_folder_do_not_touch_each_others_operations(studio: Studio) -> None:
    studio.fault(2, "after", "die")
    plan = await studio.plan("sketch")
    studio.store.save_plan(plan)
    operation = await studio.apply(plan)
    await studio.end(operation)
    mine = studio.pool
    studio.settings["pool"] = "next-door"
    other = studio.pool
    store = store_of(other, studio.base)
    for touch in (store.find, store.load_plan):
        with pytest.raises(NotThere, match="is of the pool studio, and the configuration of next-door"):
            touch(operation if touch == store.find else plan.id)
    eve = api.Operator(other, studio.base, studio.config, "eve")
    for act in (eve.resume, eve.undo, eve.cancel):
        with pytest.raises(NotThere, match="pool studio"):
            await act(operation)
    assert eve.operations() == []
    assert [state.id for state in api.Operator(mine, studio.base, studio.config).operations()] == [operation]


async def test_another_pools_newer_operation_is_in_nobodys_way(studio: Studio) -> None:
    gate = studio.fault(2, "before", "wait")
    operation = await studio.apply(await studio.plan("sketch"))
    await studio.until(operation, lambda state: state.steps[1].state == "running")
    await studio.by("eve").cancel(operation)
    assert (await studio.end(operation)).state == "cancelled"
    gate.unlink(missing_ok=True)
    later = "20991231-235959-abcd"
    folder = studio.base / "operations" / later
    folder.mkdir()
    document = studio.folder(operation).plan().document()
    (folder / "plan.json").write_text(json.dumps({**document, "pool": "next-door"}))
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"


async def test_one_that_never_began_can_be_ended_although_the_clock_was_set_back(studio: Studio) -> None:
    folder = studio.store.create(await studio.plan())
    _write_start(folder.journal, ahead=7200.0)
    await studio.by("eve").cancel(folder.id)
    assert studio.by().operation(folder.id).state == "cancelled"


def _write_start(journal: Path, ahead: float) -> None:
    import time

    record = {"at": time.time() + ahead, "record": "start", "id": journal.parent.name, "who": "eve", "host": "here"}
    journal.write_text(json.dumps(record) + "\n")

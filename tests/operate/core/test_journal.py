"""The journal and the store: what is on the disk, also after a crash."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.operate.core.conftest import Studio
from tuiha.model.operations.evidence import Loses
from tuiha.model.operations.plans import CheckVerdict, nothing
from tuiha.model.operations.statements import plain
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.records.journal import Journal, read_journal, read_records
from tuiha.operate.records.state import read_state
from tuiha.operate.records.store import PLANS_KEPT, NotThere, Store, store_of
from tuiha.operate.run.launch import start_runner


def a_plan(number: int = 1) -> Plan:
    steps = tuple(PlannedStep(n, "db1", plain(f"act {n}"), 5.0, undo=n < 3, point_of_no_return=n == 3)
                  for n in range(1, 5))
    return Plan(f"{number:012x}", "east", "switchover", ("db2",), "db2", (), steps, nothing(Loses.NOTHING()), 1.0, 2.0,
                {}, {})


async def test_records_are_there_when_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    await journal.write("start", who="ada")
    assert [r["record"] for r in read_records(journal.path)] == ["start"]
    journal.put("progress", step=1, text="ü\n")
    await journal.write("step", step=1, state="done")
    journal.close()
    records = read_records(journal.path)
    assert [(r["record"], r.get("text")) for r in records] == [("start", None), ("progress", "ü\n"), ("step", None)]
    assert sorted(r["at"] for r in records) == [r["at"] for r in records]


async def test_a_line_that_its_writer_died_in_is_never_taken_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = b'{"at": 1, "record": "start"}\n'
    for torn in (b"{", b'{"at": 2, "record": "result", "state": "done"}', "ü".encode()[:1]):
        path.write_bytes(whole + torn)
        reading = read_journal(path)
        assert ([r["record"] for r in reading.records], reading.torn) == (["start"], True)
        assert "record 2 is incomplete" in reading.unknown
        journal = Journal(path)
        await journal.write("step", step=1, state="running")
        journal.close()
        assert [r["record"] for r in read_records(path)] == ["start", "damage", "step"]
        assert not read_journal(path).unknown
    assert min(tmp_path.glob("*.damaged-*")).read_bytes() == whole + b"{"


async def a_journal(folder: Path) -> Path:
    """As a runner leaves it."""
    folder.mkdir(exist_ok=True)
    journal = Journal(folder / "journal.jsonl")
    await journal.write("start", id=folder.name, who="ada")
    for number in (1, 2):
        await journal.write("step", step=number, state="running")
        await journal.write("step", step=number, state="done", evidence='seen, "sum": "ü', seconds=0.1)
    journal.close()
    return journal.path


async def test_a_journal_cut_at_every_byte(tmp_path: Path) -> None:
    path = await a_journal(tmp_path / "operation")
    whole, raw = read_records(path), path.read_bytes()
    assert len(whole) == 5
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        reading = read_journal(path)
        assert list(reading.records) == whole[:raw[:length].count(b"\n")]
        assert bool(reading.unknown) == (length > 0 and raw[length - 1:length] != b"\n")


async def test_a_journal_damaged_at_every_byte(tmp_path: Path) -> None:
    path = await a_journal(tmp_path / "operation")
    whole, raw = read_records(path), path.read_bytes()
    for place in range(len(raw)):
        for other in {raw[place] ^ 1, raw[place] ^ 0x20, 0, 10} - {raw[place]}:
            path.write_bytes(raw[:place] + bytes([other]) + raw[place + 1:])
            reading = read_journal(path)
            assert list(reading.records) == whole[:raw[:place].count(b"\n")], (place, other)
            assert reading.unknown, (place, other)


async def test_records_that_are_missing_doubled_moved_or_of_another_operation(tmp_path: Path) -> None:
    path, other = await a_journal(tmp_path / "operation"), await a_journal(tmp_path / "other")
    lines = path.read_bytes().splitlines(keepends=True)
    for wrong in ([*lines[:1], *lines[2:]], [*lines[:2], *lines[1:]], [lines[0], lines[2], lines[1], *lines[3:]],
                  [*lines[:3], *other.read_bytes().splitlines(keepends=True)[3:]], lines[1:]):
        path.write_bytes(b"".join(wrong))
        assert read_journal(path).damage
    path.write_bytes(other.read_bytes())
    assert not read_journal(path).records


async def test_a_journal_of_an_earlier_version_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"at": 1, "record": "start"}\n{"at": 2, "record": "step", "step": 1, "state": "running"}\n')
    reading = read_journal(path)
    assert (len(reading.records), reading.unknown, reading.numbered) == (2, "", False)
    journal = Journal(path)
    await journal.write("step", step=1, state="done")
    journal.close()
    assert [(r["record"], r.get("n")) for r in read_records(path)] == [("start", None), ("step", None), ("step", 3)]
    assert not read_journal(path).unknown
    whole = path.read_text()
    path.write_text(whole.replace('"at": 1', '"at": 3'))  # what was there before is covered from now on
    assert read_journal(path).damage
    path.write_text(whole + '{"at": 9, "record": "result", "state": "done"}\n')
    assert "has no checksum" in read_journal(path).damage


@pytest.mark.parametrize("line", ["{", "[]", '{"at": 1}', '{"record": "start"}', "", '{"at": "now", "record": "step"}'])
def test_damage_elsewhere_is_said(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(f'{{"at": 1, "record": "start"}}\n{line}\n{{"at": 1, "record": "start"}}\n')
    reading = read_journal(path)
    assert (len(reading.records), reading.damage) == (1, f"{path}:2 is not a record of a journal")


async def test_nothing_follows_a_record_that_could_not_be_written(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    await journal.write("start")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:len(data) - 5])

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        journal.put("step", step=1, state="done")
        with pytest.raises(OSError, match="No space"):
            await journal.flush()
    with pytest.raises(OSError, match="No space"):
        await journal.write("step", step=2, state="running")
    journal.close()
    assert [r["record"] for r in read_records(journal.path)] == ["start"]


def test_no_journal_is_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none") == []


async def test_an_operation_whose_journal_was_torn_is_resumed(studio: Studio) -> None:

    studio.fault(2, "after", "die")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    with studio.folder(operation).journal.open("ab") as journal:
        journal.write(b'{"at": 17, "record": "step", "step": 2, "sta')
    await studio.by().resume(operation)
    assert (await studio.end(operation)).state == "done"


def test_the_state_of_every_beginning_of_a_journal() -> None:
    records = [
        {"at": 1.0, "record": "start", "who": "ada", "reason": "because", "host": "h", "overrides": ["lag"]},
        {"at": 2.0, "record": "step", "step": 1, "state": "running"},
        {"at": 2.5, "record": "progress", "step": 1, "text": "half", "done": 1, "of": 2},
        {"at": 3.0, "record": "step", "step": 1, "state": "done", "evidence": "seen", "seconds": 1.0},
        {"at": 4.0, "record": "step", "step": 2, "state": "running"},
        {"at": 4.1, "record": "a word of another version"},
        {"at": 5.0, "record": "step", "step": 2, "state": "failed", "evidence": "no", "seconds": 1.0},
        {"at": 6.0, "record": "undo", "step": 2, "state": "running"},
        {"at": 6.5, "record": "undo", "step": 2, "state": "undone", "evidence": "back", "seconds": 0.5},
        {"at": 7.0, "record": "undo", "step": 1, "state": "undone", "evidence": "back", "seconds": 0.5},
        {"at": 8.0, "record": "result", "state": "failed", "text": "why", "changed": False, "outcome": {}},
    ]
    told = [read_state("x", a_plan(), records[:n]) for n in range(len(records) + 1)]
    first = [state.steps[0].state for state in told]
    assert first == ["waiting"] * 2 + ["running"] * 2 + ["done"] * 6 + ["undone"] * 2
    assert [state.current.planned.number if state.current else None for state in told] == [
        None, None, 1, 1, None, 2, 2, 2, 2, None, None, None]
    assert [state.turned_back for state in told] == [False] * 8 + [True] * 4
    assert [state.settled for state in told] == [False] * 11 + [True]
    assert (told[3].steps[0].done, told[3].steps[0].of) == (1, 2)
    last = told[-1]
    assert (last.who, last.overrides, last.started_at, last.ended_at) == ("ada", ("lag",), 1.0, 8.0)
    assert not last.past_no_return
    assert last.undoable


@pytest.mark.parametrize(("third", "past"), [("waiting", False), ("running", True), ("done", True), ("unknown", True),
                                             ("failed", False), ("stopped", True)])
def test_past_the_point_of_no_return(third: str, past: bool) -> None:
    records = [{"at": 1.0, "record": "step", "step": 3, "state": third}] if third != "waiting" else []
    state = read_state("x", a_plan(), records)
    assert (state.past_no_return, state.undoable) == (past, not past)


def test_plans_are_kept_and_found_by_their_beginning(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = replace(a_plan(0xabc), id="abc123456789")
    store.save_plan(plan)
    assert store.load_plan("abc") == plan
    store.save_plan(replace(plan, id="abd123456789"))
    with pytest.raises(NotThere, match="is the plan abc123456789 or abd123456789; write more of it"):
        store.load_plan("ab")
    for wrong in ("zzz", "", "../plans/abc123456789", "."):
        with pytest.raises(NotThere, match="there is no plan"):
            store.load_plan(wrong)
    (tmp_path / "plans" / "abe.json").write_text('{"id": 3}')
    with pytest.raises(NotThere, match="cannot be read"):
        store.load_plan("abe")


def test_old_plans_are_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(PLANS_KEPT + 3):
        path = store.save_plan(a_plan(number))
        os.utime(path, (number, number))
    store.save_plan(a_plan(PLANS_KEPT + 3))
    assert len(list((tmp_path / "plans").iterdir())) == PLANS_KEPT
    with pytest.raises(NotThere):
        store.load_plan(a_plan(0).id)


def test_operations_of_the_same_second_have_names_of_their_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = {store.create(a_plan()).id for _ in range(5)}
    assert len(made) == 5
    assert {folder.id for folder in store.folders()} == made
    assert all(state.plan == a_plan() for state in store.states())


async def test_a_folder_is_run_by_one(tmp_path: Path) -> None:
    folder = Store(tmp_path).create(a_plan())
    assert not folder.alive()
    lock = folder.lock()
    assert lock is not None
    assert folder.alive()
    assert folder.lock() is None
    with pytest.raises(OperationRefused, match="is running"):
        await start_runner(folder, tmp_path / "tuiha.yaml", "ada")
    os.close(lock)
    assert not folder.alive()


async def test_where_the_store_is(studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pool = studio.pool
    assert store_of(pool, studio.base).root == studio.base.resolve() / "operations"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "state").mkdir(mode=0o700)
    del studio.settings["ledger"]
    assert store_of(studio.pool, studio.base).root == tmp_path / "state" / "tuiha" / "operations" / "studio"
    monkeypatch.setenv("TUIHA_STATE", str(tmp_path / "told"))
    assert store_of(pool, studio.base).root == tmp_path / "told"


def test_a_damaged_operation_hides_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    bad, good = store.create(a_plan()), store.create(a_plan())
    bad.journal.write_text("{\n")
    known = {state.id: state for state in store.states()}
    assert known.keys() == {bad.id, good.id}
    assert {step.state for step in known[bad.id].steps} == {"unknown"}
    assert known[bad.id].past_no_return


async def test_verdicts_and_plans_survive_the_disk(studio: Studio) -> None:
    studio.change(dry_verdict="warning")
    plan = await studio.plan()
    studio.store.save_plan(plan)
    loaded = studio.store.load_plan(plan.id)
    assert loaded == plan
    assert loaded.checks[0].verdict is CheckVerdict.WARNING
    assert json.loads((studio.base / "operations" / "plans" / f"{plan.id}.json").read_text())["id"] == plan.id

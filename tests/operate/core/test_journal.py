"""The journal and the store: what is on the disk, also after a crash."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.operate.core.conftest import Studio
from tuiha.operate.journal import Journal, read_records
from tuiha.operate.kinds import Refused
from tuiha.operate.plan import CheckVerdict, Plan, PlannedStep
from tuiha.operate.start import start_runner
from tuiha.operate.state import read_state
from tuiha.operate.store import PLANS_KEPT, NotThere, Store, store_of


def a_plan(number: int = 1) -> Plan:
    steps = tuple(PlannedStep(n, "db1", f"act {n}", 5.0, undo=n < 3, point_of_no_return=n == 3) for n in range(1, 5))
    return Plan(f"{number:012x}", "east", "switchover", ("db2",), "db2", (), steps, "nothing", 1.0, 2.0, {}, {})


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


async def test_a_line_that_its_writer_died_in(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = b'{"at": 1, "record": "start"}\n'
    for torn in (b"", b"{", b'{"at": 2, "record": "result", "state": "done"}', "ü".encode()[:1]):
        path.write_bytes(whole + torn)
        assert [r["record"] for r in read_records(path)] == ["start"]
        journal = Journal(path)
        await journal.write("step", step=1, state="running")
        journal.close()
        assert [r["record"] for r in read_records(path)] == ["start", "step"]


def test_every_place_of_a_tear_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = b'{"at": 1, "record": "start"}\n{"at": 2, "record": "step", "step": 1, "state": "done"}\n'
    for length in range(len(lines) + 1):
        path.write_bytes(lines[:length])
        assert len(read_records(path)) == lines[:length].count(b"\n")


@pytest.mark.parametrize("line", ["{", "[]", '{"at": 1}', '{"record": "start"}', "", '{"at": "now", "record": "step"}'])
def test_damage_elsewhere_is_said(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(f'{{"at": 1, "record": "start"}}\n{line}\n{{"at": 1, "record": "start"}}\n')
    with pytest.raises(JournalDamaged, match=r"journal\.jsonl:2 is not a record"):
        read_records(path)


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
    from tuiha.operate import api

    studio.fault(2, "after", "die")
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    with studio.folder(operation).journal.open("ab") as journal:
        journal.write(b'{"at": 17, "record": "step", "step": 2, "sta')
    await api.resume(studio.pool, studio.base, studio.config, operation)
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
    with pytest.raises(Refused, match="is running"):
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
    assert [state.id for state in store.states()] == [good.id]


async def test_verdicts_and_plans_survive_the_disk(studio: Studio) -> None:
    studio.change(dry_verdict="warning")
    plan = await studio.plan()
    studio.store.save_plan(plan)
    loaded = studio.store.load_plan(plan.id)
    assert loaded == plan
    assert loaded.checks[0].verdict is CheckVerdict.WARNING
    assert json.loads((studio.base / "operations" / "plans" / f"{plan.id}.json").read_text())["id"] == plan.id

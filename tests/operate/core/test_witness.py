"""How far an operation came: the journal is one witness, the ledger and the databases are the others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.operate.core.test_journal import a_plan
from tuiha.model.operations.evidence import Known
from tuiha.model.operations.statements import plain
from tuiha.operate.plans.kinds import OperationRefused, OperationWitnessed, Passed
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.journal import Journal, read_journal
from tuiha.operate.records.state import OperationState, found, read_state
from tuiha.operate.run.intent import Intent, at_step
from tuiha.operate.run.witness import Truth, WitnessFinding, finding, refuse_to_undo

INTENT = Intent("x", "switchover", "ada", "here", 1.0, past=False)
NO = OperationWitnessed(Passed.NO)


def running(*steps: int, undo: tuple[int, ...] = ()) -> list[dict[str, object]]:
    """The records of a runner that died in the last of these steps."""
    records: list[dict[str, object]] = [{"at": 1.0, "record": "start", "id": "x", "who": "ada"}]
    for number in steps:
        records.append({"at": 2.0, "record": "step", "step": number, "state": "running"})
        if number != steps[-1] or undo:
            state = "failed" if number == steps[-1] else "done"
            records.append({"at": 3.0, "record": "step", "step": number, "state": state})
    for number in undo:
        records.append({"at": 4.0, "record": "undo", "step": number, "state": "running"})
        if number != undo[-1]:
            records.append({"at": 5.0, "record": "undo", "step": number, "state": "undone"})
    return records


def ledgers(records: list[dict[str, object]], plan: Plan) -> Intent:
    """What the ledger names after these records."""
    intent = INTENT
    for record in records:
        if record.get("state") == "running":
            number, undoing = int(str(record["step"])), record["record"] == "undo"
            intent = at_step(intent, plan, number, "act", back=undoing)
    return intent


def after(state: OperationState, intent: Intent | None, word: OperationWitnessed | None = NO) -> OperationState:
    better = finding(state, intent, word)
    return state if better is None else found(state, better.fields)


@pytest.mark.parametrize(("steps", "undo"), [((1,), ()), ((1, 2), ()), ((1, 2, 3), ()), ((1, 2, 3, 4), ()),
                                             ((1, 2), (2,)), ((1, 2), (2, 1)), ((1, 2, 3), (2, 1))])
async def test_cut_at_every_byte_it_is_never_believed_that_nothing_happened(
    tmp_path: Path, steps: tuple[int, ...], undo: tuple[int, ...]
) -> None:
    """Whatever is left of the journal: what may have been begun counts as begun, and what leads back leads back."""
    plan, records = a_plan(), running(*steps, undo=undo)
    (tmp_path / "x").mkdir()
    journal = Journal(tmp_path / "x" / "journal.jsonl")
    for record in records:
        await journal.write(str(record["record"]), **{k: v for k, v in record.items() if k not in ("record", "at")})
    journal.close()
    raw, intent = journal.path.read_bytes(), ledgers(records, plan)
    true = read_state("x", plan, records, alive=False)
    for length in range(len(raw) + 1):
        journal.path.write_bytes(raw[:length])
        reading = read_journal(journal.path)
        known = after(read_state("x", plan, reading.records, False, reading.unknown), intent)
        for step, so in zip(known.steps, true.steps, strict=True):
            assert step.begun or not so.begun or so.state == "failed", (length, so)
            assert step.state != "done" or so.state == "done", (length, so)
        assert known.past_no_return >= true.past_no_return, length
        assert known.turned_back == true.turned_back, length
        assert known.undoable == true.undoable, length  # neither a wrong yes nor no way out


def test_a_whole_journal_is_as_it_was() -> None:
    plan, records = a_plan(), running(1, 2)
    state = read_state("x", plan, records, alive=False)
    assert finding(state, ledgers(records, plan), NO) is None
    assert finding(state, replace(INTENT, step=1), NO) is None  # the ledger may be behind, never before


def test_the_databases_word_counts_more_than_a_journal() -> None:
    state = read_state("x", a_plan(), running(1, 2), alive=False)
    known = after(state, replace(INTENT, step=2), OperationWitnessed(Passed.YES, 3, Known.OUT_OF_RECOVERY(new="db2")))
    assert [step.state for step in known.steps] == ["done", "done", "done", "unknown"]
    assert known.past_no_return
    assert known.steps[2].evidence == "db2 is out of recovery"


def test_an_older_version_says_nothing_of_the_point_of_no_return() -> None:
    """Its ledger names steps while they run, so the next one may have begun: cut journals may be past it."""
    state = read_state("x", a_plan(), running(1), alive=False, damage="cut")
    old = replace(INTENT, step=2, past=None)
    assert after(state, old).past_no_return
    assert not after(state, replace(old, past=False)).past_no_return


def test_undo_needs_a_witness() -> None:
    plan = a_plan()
    silent = OperationWitnessed(Passed.UNKNOWN, how=Known.SILENT(new="db2"))
    whole = read_state("x", plan, running(1, 2), alive=False)
    refuse_to_undo(Truth(whole, None, silent), replace(INTENT, step=2))  # the ledger knows that step 3 is not begun
    for intent in (replace(INTENT, step=2, past=None), None):
        with pytest.raises(OperationRefused, match="db2 does not answer"):
            refuse_to_undo(Truth(whole, None, silent), intent)
        refuse_to_undo(Truth(whole, None, NO), intent)
    past = after(read_state("x", plan, [], False, "lost"), replace(INTENT, step=3, past=True))
    with pytest.raises(OperationRefused, match="past its point of no return"):
        refuse_to_undo(Truth(past, WitnessFinding(2, 4, False, plain("lost")), NO), replace(INTENT, step=3, past=True))


def test_an_intent_of_an_earlier_version() -> None:
    from tuiha.operate.run.intent import parse

    old = {"id": "x", "kind": "switchover", "owner": "ada", "host": "here", "since": 1.0, "step": 3, "action": "a"}
    known = parse(json.dumps(old))
    assert known is not None
    assert (known.step, known.undoing, known.past) == (3, False, None)
    assert parse(replace(known, past=True, undoing=True).text()) == replace(known, past=True, undoing=True)

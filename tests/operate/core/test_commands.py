"""The commands as an operator types them: what is on stdout, what is narration, and the exit code."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.documents import validate
from tests.operate.core.conftest import Studio
from tuiha.cli import exits
from tuiha.cli.main import main
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.operations.refusals import Refused
from tuiha.operate.plans.draft import journal_room
from tuiha.operate.records.remote import merged, of_row
from tuiha.operate.run import intent as intents
from tuiha.watch.reader import RecordedOperation

Captured = pytest.CaptureFixture[str]


async def tuiha(studio: Studio, *words: str) -> int:
    """Run a command in a thread, as it has a loop of its own."""
    assert studio.pool  # writes the configuration
    return await asyncio.to_thread(main, [*words, "--config", str(studio.config)])


def document(text: str) -> dict[str, Any]:
    """A JSON document, valid by the schema in docs/json.md."""
    found: dict[str, Any] = json.loads(text)
    validate(found)
    return found


async def planned(studio: Studio, capsys: Captured, *words: str) -> str:
    assert await tuiha(studio, "plan", *(words or ("paint", "red")), "--json") == exits.OK
    return str(document(capsys.readouterr().out)["id"])


async def test_plan_and_apply(studio: Studio, capsys: Captured) -> None:
    assert await tuiha(studio, "plan", "paint", "red") == exits.OK
    told = capsys.readouterr()
    assert "POINT OF NO RETURN" in told.out
    assert "Data loss: nothing: it is only paint" in told.out
    plan = re.findall(r"tuiha apply (\w+) --confirm wall", told.err)[0]
    assert await tuiha(studio, "apply", plan[:6], "--confirm", "wall", "--reason", "ugly", "--json") == exits.OK
    told = capsys.readouterr()
    found = document(told.out)
    assert (found["result"], found["outage_ms"], found["requests_failed"], found["reason"]) == ("done", 0, None, "ugly")
    assert [step["result"] for step in found["steps"]] == ["done"] * 4
    assert re.search(r"  1 wall: cover the floor: done \d+\.\d\ds  steps on the wall: \[1\]\n", told.err)
    assert await tuiha(studio, "operations", found["operation"]) == exits.OK
    assert capsys.readouterr().out.startswith("DONE  paint red  operation ")
    assert await tuiha(studio, "operations", "--json") == exits.OK
    assert [o["operation"] for o in document(capsys.readouterr().out)["operations"]] == [found["operation"]]


@pytest.mark.parametrize(("step", "what", "code", "result"), [(2, "fail", exits.FAILED, "failed"),
                                                             (4, "unknown", exits.UNKNOWN, "unknown"),
                                                             (4, "die", exits.UNKNOWN, "interrupted")])
async def test_what_goes_wrong_has_a_code_and_a_way_on(studio: Studio, capsys: Captured, step: int, what: str,
                                                       code: int, result: str) -> None:
    plan = await planned(studio, capsys)
    studio.fault(step, "before", what)
    assert await tuiha(studio, "apply", plan, "--confirm", "wall", "--json") == code
    told = capsys.readouterr()
    found = document(told.out)
    assert found["result"] == result
    assert found["nothing_changed"] == (code == exits.FAILED)
    assert ("tuiha resume" in told.err) == (code == exits.UNKNOWN)
    resumed = await tuiha(studio, "resume", found["operation"])
    told = capsys.readouterr()
    assert (resumed, "There is nothing to resume" in told.err) == (
        (exits.REFUSED, True) if code == exits.FAILED else (exits.OK, False))


async def test_undo_after_the_runner_died(studio: Studio, capsys: Captured) -> None:
    plan = await planned(studio, capsys)
    studio.fault(2, "after", "die")
    assert await tuiha(studio, "apply", plan, "--confirm", "wall") == exits.UNKNOWN
    told = capsys.readouterr()
    assert told.out.startswith("INTERRUPTED")
    assert "runner.log" in told.err
    operation = re.findall(r"`tuiha undo (\S+)` undoes it", told.out)[0]
    assert await tuiha(studio, "undo", operation) == exits.OK
    told = capsys.readouterr()
    assert told.err.index("2 wall: prepare: undone") < told.err.index("1 wall: cover the floor: undone")
    assert told.out.startswith("UNDONE")
    assert studio.wall["done"] == []


async def test_cancel_of_a_detached_operation(studio: Studio, capsys: Captured) -> None:
    plan = await planned(studio, capsys)
    gate = studio.fault(2, "after", "wait")
    assert await tuiha(studio, "apply", plan, "--confirm", "wall", "--detach") == exits.OK
    operation = capsys.readouterr().out.strip()
    await studio.until(operation, lambda state: state.steps[1].state == "running")
    assert await tuiha(studio, "operations", operation) == exits.UNKNOWN
    assert await tuiha(studio, "cancel", operation[-4:], "--json") == exits.OK
    assert document(capsys.readouterr().out.split("\n{", 1)[1].join(["{", ""]))["result"] == "cancelled"
    assert await tuiha(studio, "cancel", operation) == exits.REFUSED
    gate.unlink()
    assert await tuiha(studio, "apply", plan, "--confirm", "wall", "--detach", "--json") == exits.OK
    detached = document(capsys.readouterr().out)
    assert detached["operation"] != operation
    await studio.end(detached["operation"])


async def test_refusals(studio: Studio, capsys: Captured) -> None:
    plan = await planned(studio, capsys)
    capsys.readouterr()
    assert await tuiha(studio, "apply", plan, "--confirm", "door", "--json") == exits.REFUSED
    told = capsys.readouterr()
    refusal = document(told.out)
    assert (refusal["code"], refusal["figures"]["typed"], refusal["exit_code"]) == (
        Refused.NOT_CONFIRMED, "door", exits.REFUSED)
    assert told.err.strip() == f"tuiha: {refusal['text']}"
    assert await tuiha(studio, "apply", plan, "--confirm", "door") == exits.REFUSED
    assert "'door' was typed" in capsys.readouterr().err
    assert await tuiha(studio, "apply", "feed", "--confirm", "wall") == exits.USAGE
    assert "there is no plan 'feed' here" in capsys.readouterr().err
    assert await tuiha(studio, "plan", "paint", "green") == exits.REFUSED
    assert await tuiha(studio, "plan", "paint", "red", "--option", "brush") == exits.USAGE
    assert await tuiha(studio, "resume", "none") == exits.USAGE
    studio.change(owner="carol")
    assert await tuiha(studio, "apply", plan, "--confirm", "wall") == exits.REFUSED
    assert "wall.owner: bob -> carol" in capsys.readouterr().err
    studio.change(dry_verdict="bad")
    plan = await planned(studio, capsys)
    assert await tuiha(studio, "apply", plan, "--confirm", "wall", "--override", "dry") == exits.REFUSED
    capsys.readouterr()
    assert await tuiha(studio, "apply", plan, "--confirm", "wall", "--override", "dry", "--reason", "now") == exits.OK


@pytest.mark.parametrize(("words", "said"), [
    (("nonsense",), "there is no kind of operation 'nonsense'; there are paint, reclaim, sketch"),
    (("pant",), "did you mean 'paint'?"),
    (("paint", "red", "--option", "brsh=large"), "paint has no option 'brsh'; did you mean 'brush'?"),
])
async def test_a_wrong_question_is_not_a_refusal(studio: Studio, capsys: Captured, words: tuple[str, ...],
                                                 said: str) -> None:
    assert await tuiha(studio, "plan", *words) == exits.USAGE
    assert said in capsys.readouterr().err


async def test_a_full_disk_stops_what_could_not_be_written_down(
    studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(studio.base)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3 * 1024 * 1024))
    plan = await planned(studio, capsys)
    assert await tuiha(studio, "apply", plan, "--confirm", "wall") == exits.REFUSED
    assert "BAD  state-folder this host: 3 MB free, wanted 16 MB for the journal" in capsys.readouterr().err
    monkeypatch.undo()
    assert journal_room(studio.base / "not" / "yet").verdict == "ok"


async def test_an_override_of_no_check(studio: Studio, capsys: Captured) -> None:
    plan = await planned(studio, capsys)
    assert await tuiha(studio, "apply", plan, "--confirm", "wall", "--override", "wet", "--reason", "x") == exits.USAGE
    assert "there is no check 'wet' in this plan" in capsys.readouterr().err
    assert studio.store.folders() == []


async def test_without_credentials_or_a_ledger(studio: Studio, capsys: Captured) -> None:
    plan = await planned(studio, capsys)
    (studio.base / "ledger.json").unlink()
    assert await tuiha(studio, "apply", plan, "--confirm", "wall") == exits.UNREACHABLE
    del studio.settings["control"]["operator"]
    for words in (("plan", "paint", "red"), ("apply", plan, "--confirm", "wall")):
        assert await tuiha(studio, *words) == exits.USAGE
        assert "control.operator is not in the configuration" in capsys.readouterr().err


async def test_an_operation_whose_journal_is_damaged_is_told(studio: Studio, capsys: Captured) -> None:
    plan = await planned(studio, capsys)
    assert await tuiha(studio, "apply", plan, "--confirm", "wall") == exits.OK
    (folder,) = studio.store.folders()
    whole = folder.journal.read_text()
    folder.journal.write_text("{\n" + whole)
    capsys.readouterr()
    assert await tuiha(studio, "operations") == exits.OK
    assert f"operation {folder.id}: {folder.journal}:1 is not a record of a journal" in capsys.readouterr().err
    folder.journal.write_text(whole)


async def test_no_operation_yet(studio: Studio, capsys: Captured) -> None:
    assert await tuiha(studio, "operations") == exits.OK
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("operations of other hosts that are over are not shown: ")
    assert told.err.endswith("no operation is known here\n")


async def test_the_operation_of_another_host_is_shown_and_says_where_its_journal_is(
    studio: Studio, capsys: Captured
) -> None:
    there = intents.Intent("20260101-000000-beef", "paint", "eve", "host9", 1_800_000_000.0, 2, "wall prepare")
    await intents.take(FileLedger(studio.base / "ledger.json", "studio"), studio.ledger, there)
    assert await tuiha(studio, "operations", "--json") == exits.OK
    (found,) = document(capsys.readouterr().out)["operations"]
    assert (found["host"], found["journal_here"], found["step"], found["who"]) == ("host9", False, 2, "eve")
    assert await tuiha(studio, "operations", "beef") == exits.UNKNOWN
    told = capsys.readouterr().out
    assert told.startswith("RUNNING  paint  operation 20260101-000000-beef")
    assert "Its journal is on host9" in told
    for command in ("resume", "undo", "cancel"):
        assert await tuiha(studio, command, "beef") == exits.REFUSED
        assert f"On that host: tuiha {command} 20260101-000000-beef" in capsys.readouterr().err
    assert await tuiha(studio, "resume", "cafe") == exits.USAGE


def test_copies_are_merged_with_what_is_here() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    row = RecordedOperation(
        "b", "paint", "red", "done", "eve", None, at, at, '[{"record": "start", "at": 1, "host": "h9"}]'
    )
    other = of_row(row)
    assert (other.state, other.host, other.plan.target, other.alive) == ("done", "h9", ("red",), None)
    assert other.settled
    mine = replace(other, id="a", started_at=at.timestamp() + 1, alive=False)
    own = replace(other, alive=False, host="here")
    assert [state.id for state in merged([mine], [other], 10)] == ["a", "b"]
    assert merged([own], [other], 10) == [own]
    assert merged([mine], [other], 1) == [mine]


@pytest.mark.parametrize("module", ["tuiha.cli.commands.look.status", "tuiha.cli.commands.look.events",
                                    "tuiha.watch.watcher", "tuiha.watch.once"])
def test_looking_imports_nothing_that_acts(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith('tuiha.operate')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"

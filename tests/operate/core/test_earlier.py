"""Plans and journals of earlier versions have sentences and no codes, and are read all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operate.core.test_journal import a_plan
from tuiha.model.operations.evidence import Done
from tuiha.model.operations.plans import CheckVerdict, Extent, Moment, StepStatus
from tuiha.model.operations.statements import Plain
from tuiha.operate.database.failover import Failover
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.records.state import OperationState, from_document, read_state

# As the version before wrote it.
PLAN: dict[str, Any] = {
    "schema": "tuiha.plan/1", "id": "00000000a001", "pool": "east", "kind": "switchover", "target": ["db2"],
    "confirm": "db2",
    "checks": [{"name": "lag", "subject": "db2", "value": "0 bytes", "limit": "at most 16,777,216 bytes",
                "verdict": "ok", "remedy": ""},
               {"name": "disk", "subject": "db1", "value": "unknown", "limit": "at least 1.3 GB for a fresh copy",
                "verdict": "warning", "remedy": "look by hand"}],
    "steps": [{"number": 1, "target": "s1, s2", "action": "hold requests, wait for those in flight",
               "limit_seconds": 15.0, "undo": True, "point_of_no_return": False},
              {"number": 2, "target": "db2", "action": "promote db2", "limit_seconds": 60.0, "undo": False,
               "point_of_no_return": True}],
    "loses": "nothing: db1 is stopped cleanly, and db2 replays all of it", "made_at": 1.0, "expires_at": 2.0,
    "facts": {"epoch": 4}, "details": {"options": {}}, "point_of_no_return": 2, "expires": 2.0,
}


def test_a_plan() -> None:
    plan = from_document(PLAN)
    assert [(check.name, check.value, check.limit, check.remedy, check.verdict) for check in plan.checks] == [
        ("lag", "0 bytes", "at most 16,777,216 bytes", "", CheckVerdict.OK),
        ("disk", "unknown", "at least 1.3 GB for a fresh copy", "look by hand", CheckVerdict.WARNING)]
    assert [step.action for step in plan.steps] == ["hold requests, wait for those in flight", "promote db2"]
    assert plan.point_of_no_return == 2
    assert (plan.loss.extent, plan.loses) == (Extent.NONE, PLAN["loses"])
    assert from_document(plan.document()) == plan


@pytest.mark.parametrize("loses", ["every write since db2 became STALE: it lacks acknowledged writes", ""])
def test_a_plan_that_loses_something(loses: str) -> None:
    assert from_document({**PLAN, "loses": loses}).loss.extent is Extent.UNKNOWN


def journal(*evidence: str) -> OperationState:
    records: list[dict[str, Any]] = [{"at": 1.0, "record": "start", "who": "ada", "host": "here"}]
    for number, said in enumerate(evidence, 1):
        records += [{"at": 2.0, "record": "step", "step": number, "state": "running"},
                    {"at": 3.0, "record": "step", "step": number, "state": "done", "evidence": said, "seconds": 0.5}]
    records.append({"at": 9.0, "record": "result", "state": "done", "text": "every step was done and verified",
                    "changed": True, "outcome": {}, "revision": 3})
    return read_state("1", a_plan(), records, alive=False)


def test_a_journal() -> None:
    state = journal("2 servers hold, nothing in flight; held at 1795366738.5000", "db2 is out of recovery")
    assert [step.state for step in state.steps[:2]] == [StepStatus.DONE, StepStatus.DONE]
    assert state.steps[0].evidence == "2 servers hold, nothing in flight; held at 1795366738.5000"
    assert state.text == "every step was done and verified"
    assert state.settled


def test_the_moments_in_the_sentences_of_a_journal() -> None:
    """An operation that the version before began is finished by this one, which counts its outage."""
    said = {step.planned.number: step.said for step in journal(
        "2 servers hold, nothing in flight; held at 1795366738.5000",
        "2 servers on db2 with leases, 7 requests waited; served at 1795366738.6200; later: s3: at 1795366799.0000",
    ).steps if step.said is not None}
    assert Switchover().outcome(a_plan(), said) == {"outage_ms": 120.0}
    said = {step.planned.number: step.said for step in journal(
        "phase FAILOVER, db1 in epoch 4, SYNC; begun at 1790000008.1000",
        "primary_conninfo is empty, no receiver; last lease renewed at 1790000000.3000",
    ).steps if step.said is not None}
    said[9] = Done.ATTACHED(servers=2, new="db2", requests=3, served_at=1790000008.421, later={})
    assert Failover().outcome(a_plan(), said) == {"outage_ms": 321.0, "unserved_ms": 8121.0}


def test_a_record_of_a_later_version_says_what_its_sentence_says() -> None:
    record = {"at": 3.0, "record": "step", "step": 1, "state": "done", "evidence": "all is well",
              "code": "done.of-the-next-version", "figures": {"of": "it"}}
    (step, *_) = read_state("1", a_plan(), [record]).steps
    assert (step.evidence, step.said and step.said.code) == ("all is well", Plain.TEXT)
    lacking = {**record, "code": str(Done.HELD), "figures": {}}
    (step, *_) = read_state("1", a_plan(), [lacking]).steps
    assert step.evidence == "all is well"
    assert step.said is not None
    assert step.said.number(Moment.HELD) is None

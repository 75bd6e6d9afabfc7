"""What a version reads that the next one wrote: docs/upgrades.md has the rule."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from tests.drivers.test_pool_server import FULL
from tests.operate.core.test_journal import a_plan
from tuiha.drivers.ledgers.record import parse, written
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.pool import parse_status
from tuiha.model.operations.plans import CheckVerdict
from tuiha.model.operations.statements import plain
from tuiha.model.reports import LedgerRecord, ServerState, Standby
from tuiha.operate.plans.plan import Check
from tuiha.operate.records.state import from_document, read_state

LATER = {"of_the_next_version": {"deep": [1, None]}}


def test_a_server_s_status() -> None:
    assert parse_status(json.dumps({**asdict(FULL), **LATER}).encode()) == FULL
    with pytest.raises(DriverError, match="'state'"):  # a new word is not a new key: readers come a version earlier
        parse_status(json.dumps({**asdict(FULL), "state": "DREAMING"}).encode())


BEFORE = frozenset({"UP", "HELD", "FENCED", "CONSTRAINED", "WITHDRAWN", "LEFT", "DOWN", "UNKNOWN"})


@pytest.mark.parametrize("state", ServerState)
def test_a_server_s_state_goes_out_as_the_version_before_calls_it(state: ServerState) -> None:
    sent = replace(FULL, state=state).wire
    assert sent["state"] in BEFORE
    back = parse_status(json.dumps(sent).encode()).state
    assert back is (ServerState.DRAINING if state is ServerState.DRAINED else state)
    assert parse_status(json.dumps({**sent, "state": state}).encode()).state is state, "the version after this one"


def test_a_plan() -> None:
    plan = replace(a_plan(), checks=(Check("lag", "db2", plain("0 B"), plain("0 B"), CheckVerdict.OK),))
    document = json.loads(json.dumps(plan.document()))
    for part in (document, *document["checks"], *document["steps"]):
        part.update(LATER)
    assert from_document(document) == plan


def test_a_journal() -> None:
    def records(**more: object) -> list[dict[str, object]]:
        return [{"at": 1.0, "record": "start", "who": "ada", "host": "h", "pid": 1, "reason": "", **more},
                {"at": 2.0, "record": "step", "step": 1, "state": "done", "text": "x", **more}]

    plan = a_plan()
    known = read_state("1", plan, records())
    assert read_state("1", plan, [*records(**LATER), {"at": 3.0, "record": "of the next version", **LATER}]) == known


def test_the_ledger_s_record_is_of_one_form_because_every_writer_writes_all_of_it() -> None:
    record = LedgerRecord("demo", 3, "db1", Standby.SYNC, "731", 1)
    document = json.loads(written(record))
    assert parse(json.dumps(document).encode()) == record
    with pytest.raises(ValueError, match="is unknown"):
        parse(json.dumps({**document, **LATER}).encode())
    with pytest.raises(ValueError, match="schema"):
        parse(json.dumps({**document, "schema": 2}).encode())

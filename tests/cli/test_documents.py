"""The JSON documents against the schemas of docs/json.md."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest

from tests.cli.conftest import Configured
from tests.documents import schemas, validate
from tests.model.looks import NOW, SERVERS, failing, healthy, mail, primary, record, secondary, server, with_database
from tuiha.cli.output import documents
from tuiha.cli.output.status import status_text
from tuiha.model import documents as shapes
from tuiha.model.codes import Action, ProblemCode
from tuiha.model.conclude import conclude
from tuiha.model.facts import Look
from tuiha.model.reports import EpochRow, EpochState, Managed, ServerState
from tuiha.watch.reader import DeviceRow, EventRow, UserRow
from tuiha.words.explain import every
from tuiha.words.next import command
from tuiha.words.problems import what


def lost(look: Look) -> Look:
    """Nothing of it answers, nothing ever did."""
    return replace(
        look, servers=tuple(replace(failing(s), report=None, seen_at=None) for s in look.servers),
        databases=tuple(replace(failing(d), report=None, seen_at=None) for d in look.databases),
        sprayers=tuple(replace(failing(s), report=None, seen_at=None) for s in look.sprayers),
        mail=tuple(replace(m, report=None, seen_at=None, failures=3, error="no answer") for m in look.mail),
        ledger=None)


STRAY = with_database(healthy(), primary("db2", epoch=EpochRow("east", 12, "db1", EpochState.ACTIVE)))
LOOKS = {
    "healthy": healthy(),
    "lost": lost(healthy()),
    "fenced": replace(with_database(healthy(), failing(primary())), servers=tuple(
        server(s, state=ServerState.CUT_OFF, lease_seconds=0.0) for s in SERVERS)),
    "split": STRAY,
    "unknown": replace(healthy(), servers=tuple(replace(s, report=None, seen_at=None) for s in healthy().servers)),
    "second cluster": replace(healthy(), mail=(mail("mail1"), mail("mail2"), mail("mail3", "west"))),
    "empty": Look("east", NOW, 1, (), (), (), (), None),
    "managed": with_database(with_database(healthy(), primary(managed=Managed("leader", "running", "db1", 12))),
                             secondary(managed=Managed(error="no answer"))),
    "foreign": with_database(replace(healthy(), ledger=record(epoch=1)), secondary(system_identifier="9")),
}


def test_the_schemas_are_schemas() -> None:
    declared = [get_args(get_type_hints(kind)["schema"])[0] for _, kind in inspect.getmembers(shapes, inspect.isclass)
                if "schema" in getattr(kind, "__annotations__", {})]
    assert sorted(schemas()) == sorted(declared)  # each id is one document, and the page has it
    for schema in schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", LOOKS)
def test_status(name: str) -> None:
    snapshot = conclude(LOOKS[name])
    document = documents.status(snapshot)
    validate(document)
    assert [*document] == schemas()["tuiha.status/2"]["required"]  # in the order of the document, too
    text = status_text(snapshot)
    for problem in snapshot.problems:
        assert f"{problem.subject} {what(problem)}" in text
        assert problem.next is None or f"next: {command(problem.next)}" in text


def test_the_schema_names_every_code() -> None:
    named = schemas()["tuiha.status/2"]["$defs"]
    assert named["ProblemDocument"]["properties"]["code"]["enum"] == [str(code) for code in ProblemCode]
    assert named["ActionDocument"]["properties"]["kind"]["enum"] == [str(action) for action in Action]


def test_a_wrong_document_does_not_pass() -> None:
    document = documents.status(conclude(healthy()))
    changes: list[dict[str, Any]] = [{"verdict": "FINE"}, {"extra": 1}, {"servers": [{}]}]
    for change in changes:
        with pytest.raises(jsonschema.ValidationError):
            validate({**document, **change})


def test_what_is_unknown_is_null() -> None:
    document = documents.status(conclude(LOOKS["lost"]))
    assert (document["epoch"], document["protection"]) == (None, None)
    node = document["databases"][0]
    known = {"name", "address", "reachable", "state", "note", "error", "sessions", "slots"}
    assert [key for key, value in node.items() if value is not None and key not in known] == []
    assert (node["state"], node["error"], node["sessions"], node["slots"]) == ("DOWN", "connection refused", [], [])
    assert document["servers"][0]["state"] == "DOWN"


def test_the_text_is_aligned_and_says_the_answer_first() -> None:
    lines = status_text(conclude(healthy())).splitlines()
    assert lines[0] == "east  HEALTHY  all 4 serve  500 users  epoch 12  protected  2027-01-15T08:00:00.000Z"
    assert lines[1] == "all good, no action needed"
    head = next(line for line in lines if line.startswith("SERVER"))
    rows = [line for line in lines if line.startswith(("s1", "s4"))]
    assert {row.index("http://") for row in rows} == {head.index("ADDRESS")}


def test_events_and_users() -> None:
    at = datetime(2026, 11, 22, 3, 12, 7, 123456, UTC)
    validate(documents.events("east", [EventRow(1, at, "bad", "s1", "gone")]))
    found = documents.users("east", [UserRow("u", None, None, None, 0, None, None),
                                     UserRow("v", "s1", at, at, 2, "mail1", at)], "v")
    validate(found)
    assert found["users"][1]["since"] == "2026-11-22T03:12:07.123Z"
    validate(documents.users("east", [UserRow("u", None, None, None, 1, None, None, disabled_at=at,
                                              disabled_reason="left", revoked=1)], None))
    listed = documents.devices("east", "u", [DeviceRow("phone", "phone", at, at, 3, None, None),
                                             DeviceRow("tablet", "tablet", at, at, 0, at, "lost")])
    validate(listed)
    assert [one["revoked_at"] for one in listed["devices"]] == [None, "2026-11-22T03:12:07.123Z"]


def test_what_the_commands_print(configured: Configured, capsys: pytest.CaptureFixture[str]) -> None:
    for name, schema in (("status", "tuiha.status/2"), ("check", "tuiha.check/1"), ("users", "tuiha.users/1"),
                         ("events", "tuiha.events/1")):
        configured.run(name, "--json")
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == schema
        validate(document)


def test_the_figures_of_the_demo() -> None:
    from tuiha.cli.commands.run.demo import document

    report = dict.fromkeys(("requests", "failures", "messages", "changes", "lost", "unrecorded", "history_gaps",
                            "doubled", "monitored_twice"), 0)
    found = document(report | {"seconds": 30.0, "routed_direct_share": None, "users_per_server": {"s1": 3},
                               "latency_ms": {"p50": None, "p95": 1.0, "p99": 2.0}})
    validate(found)
    assert [*found] == schemas()["tuiha.demo/1"]["required"]


def test_words_explained_follow_their_schema() -> None:
    validate(documents.explained(every()))

"""What comes next while an operation has the pool, and what an overloaded server needs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.model.looks import healthy
from tuiha.model.conclude import conclude
from tuiha.model.facts import Look, Polled, Problem, Severity, Snapshot
from tuiha.model.operations.intent import SILENCE, Condition, parse
from tuiha.model.reports import ServerState, ServerTarget
from tuiha.words.next import command, key
from tuiha.words.problems import means, what

AT = 1_800_000_000.0


def look_with(beat: float, **changes: Any) -> Look:
    """A whole pool whose ledger names an operation."""
    look = healthy()
    assert look.ledger is not None
    assert look.ledger.report is not None
    intent = {"id": "20260101-000000-beef", "kind": "rebalance", "owner": "ada", "host": "ops1", "since": 1.0,
              "step": 2, "action": "verify", "beat": beat, "ways": ["resume", "undo", "cancel"],
              "gives_way": True} | changes
    record = replace(look.ledger.report, intent=json.dumps(intent))
    return replace(look, at=AT, ledger=Polled("ledger", "", record, AT))


def without_database(look: Look, name: str) -> Look:
    return replace(look, databases=tuple(
        replace(one, report=None, error="connection refused", failures=9, failing_since=AT - 9) if one.name == name
        else one for one in look.databases))


def without_leases(look: Look) -> Look:
    """Nobody reaches the active database: no lease was renewed."""
    return replace(look, servers=tuple(
        replace(one, report=None if one.report is None
                else replace(one.report, lease_seconds=0.0, state=ServerState.CUT_OFF)) for one in look.servers))


def problem(snapshot: Snapshot, subject: str) -> Problem:
    return next(one for one in snapshot.problems if one.subject == subject)


def told(snapshot: Snapshot) -> Problem:
    """The problem that is the operation."""
    return next(one for one in snapshot.problems if key(one.next) == "a" and "rebalance, step 2" in what(one))


def test_a_failover_comes_before_a_stopped_rebalance_and_what_may_not_begin_comes_after_it() -> None:
    look = without_leases(without_database(look_with(AT - SILENCE - 1.0), "db1"))
    found = [one.subject for one in conclude(look).problems]
    assert found.index("db1") < max(place for place, name in enumerate(found) if name == look.pool)
    gone = problem(conclude(look), "db1")
    assert (command(gone.next), key(gone.next)) == ("tuiha plan failover", "f")
    half_changed = look.ledger
    assert half_changed is not None
    assert half_changed.report is not None
    record = replace(half_changed.report, phase="SWITCHING")
    half = conclude(replace(look, ledger=replace(half_changed, report=record)))
    first, gone = told(half), problem(half, "db1")
    assert first.severity is Severity.BAD
    assert {command(first.next), command(gone.next)} == {"tuiha resume 20260101-000000-beef"}
    assert "cancel" not in means(first)  # half-way is no place to stay


def test_a_plan_that_would_be_refused_is_not_what_comes_next() -> None:
    look = look_with(AT - SILENCE - 1.0)
    mail = look.mail[0]
    look = replace(look, mail=(replace(mail, report=None, error="refused", failures=9, failing_since=AT - 9),
                               *look.mail[1:]))
    found = problem(conclude(look), mail.name)
    assert (command(found.next), key(found.next)) == ("tuiha resume 20260101-000000-beef", "a")
    assert f"run `tuiha plan failover-mail {mail.name}` after rebalance" in means(found)
    free = problem(conclude(replace(look, ledger=healthy().ledger)), mail.name)
    assert command(free.next) == f"tuiha plan failover-mail {mail.name}"


def test_a_ledger_that_cannot_be_read_kills_no_runner() -> None:
    """Its last record is as old as the last time it was read."""
    look = look_with(AT - 100.0)
    assert look.ledger is not None
    away = replace(look, ledger=replace(look.ledger, seen_at=AT - 99.0, error="no answer", failures=9))
    assert what(told(conclude(away))).startswith("RUNNING")
    assert what(told(conclude(look))).startswith("INTERRUPTED")


@pytest.mark.parametrize("text", ["{}", "[]", "null", "7", '{"id": 1}', "{" * 3000, '{"id":"x","kind":"y","owner":"z",'
                                  '"host":"h","since":1,"condition":"purple"}', '{"id":"x","kind":"y","owner":"z",'
                                  '"host":"h","since":1e999,"step":1e999}', '{"id":"x","kind":"y","owner":"z",'
                                  '"host":"h","since":1,"ways":["burn"]}'])
def test_whatever_a_ledger_holds_is_somebodys(text: str) -> None:
    found = parse(text)
    assert found is not None
    assert (found.id, found.condition) == ("unknown", Condition.RUNNING)


def overloaded(**others: Any) -> Snapshot:
    """All servers overloaded, but for what `others` says of one."""
    look = healthy()
    servers = []
    for polled in look.servers:
        assert polled.report is not None
        changes = others.get(polled.name, {})
        report = replace(polled.report, state=ServerState.OVERLOADED, availability_index=-5)
        servers.append(replace(polled, report=replace(report, **changes)))
    return conclude(replace(look, servers=tuple(servers)))


def test_a_rebalance_is_recommended_only_where_somebody_takes_users() -> None:
    names = [polled.name for polled in healthy().servers]
    last = names[-1]
    everybody = overloaded()
    assert [command(one.next) for one in everybody.problems if one.subject == names[0]] == ["tuiha serve NAME"]
    takes = overloaded(**{last: {"state": ServerState.UP, "availability_index": 40}})
    assert command(problem(takes, names[0]).next) == "tuiha plan rebalance"
    drained = overloaded(**{last: {"state": ServerState.DRAINING, "target": ServerTarget.DRAIN,
                                   "availability_index": -200}})
    assert command(problem(drained, names[0]).next) == f"tuiha plan enable {last}"

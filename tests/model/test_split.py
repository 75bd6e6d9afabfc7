"""A split is seen at once, and reports from before and after a change of database are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.model.looks import (
    EPOCH,
    NOW,
    SERVERS,
    SYSTEM,
    healthy,
    member,
    primary,
    secondary,
    server,
    with_database,
    with_members,
    with_server,
)
from tuiha.model.codes import ProblemCode, Split
from tuiha.model.conclude import conclude
from tuiha.model.databases.split import split
from tuiha.model.facts import Look, NodeKind, Problem, Severity, Verdict
from tuiha.model.reports import EpochRow, EpochState, SessionRow
from tuiha.words.problems import detail, what

NEXT = EpochRow("east", 13, "db2", EpochState.ACTIVE)


def said(found: Split | None) -> str:
    """How a split is told on the screen."""
    assert found is not None
    return detail(Problem(Severity.BAD, NodeKind.POOL, "east", ProblemCode.SPLIT, found))


def switched(at: float) -> Look:
    """A look in which s2 and db2 are already on the other side, seen after the rest."""
    return with_server(healthy(at), server("s2", at + 0.2, database="db2", epoch=13))


def test_a_server_on_another_database_is_a_split_when_it_still_is_in_the_next_round() -> None:
    first = switched(NOW)
    assert split(first, healthy(NOW - 1)) is None  # s1, s3, s4 may have followed since
    second = switched(NOW + 1)
    assert said(split(second, first)) == "s1, s3, s4 on db1; s2 on db2"
    snapshot = conclude(second, None, first)
    assert snapshot.verdict == Verdict.SPLIT
    assert what(snapshot.problems[0]) == "SPLIT  s1, s3, s4 on db1; s2 on db2"


def test_a_switchover_between_two_answers_is_no_split() -> None:
    before, during = healthy(NOW), switched(NOW + 1)
    after = replace(healthy(NOW + 2), servers=tuple(
        server(s.name, NOW + 2, database="db2", epoch=13) for s in healthy().servers), databases=(
        secondary("db1", NOW + 2, epoch=NEXT), primary("db2", NOW + 2, epoch=NEXT)))
    assert split(during, before) is None
    assert split(after, during) is None


def test_a_report_that_is_not_fresh_proves_nothing() -> None:
    old = replace(server("s2", database="db2", epoch=13), error="no answer", failures=1)
    assert split(with_server(healthy(NOW + 1), old), with_server(healthy(NOW), old)) is None


def test_a_server_without_a_lease_is_attached_to_nothing() -> None:
    loose = server("s2", NOW + 1, database="db2", lease_seconds=0.0)
    assert split(with_server(healthy(NOW + 1), loose), with_server(healthy(NOW), loose)) is None


def test_two_writable_databases_with_an_active_epoch_row() -> None:
    def both(at: float) -> Look:
        return with_database(healthy(at), primary("db2", at, epoch=EPOCH, sessions=()))

    found = split(both(NOW + 1), both(NOW))
    assert found is not None
    assert "db1, db2 both accept writes and are ACTIVE" in said(found)
    assert split(both(NOW), None) is not None  # one look alone: every contradiction counts
    fenced = EpochRow("east", 12, "db2", EpochState.FENCED)
    quiet = with_database(healthy(), primary("db2", epoch=fenced, sessions=()))
    assert split(quiet, quiet) is None


def test_the_same_name_on_another_physical_database() -> None:
    def look(at: float) -> Look:
        return with_server(healthy(at), server("s2", at, system_identifier="99"))

    assert said(split(look(NOW + 1), look(NOW))) == f"s1, s3, s4 on db1 (system {SYSTEM}); " \
        "s2 on db1 (system 99)"


def test_sessions_on_both_databases_in_two_looks() -> None:
    fenced = EpochRow("east", 12, "db2", EpochState.FENCED)

    def look(at: float) -> Look:
        return with_database(healthy(at), primary("db2", at, epoch=fenced, sessions=(SessionRow("s2", 3),)))

    assert split(look(NOW + 1), healthy(NOW)) is None
    assert said(split(look(NOW + 1), look(NOW))) == "sessions of s1, s2, s3, s4 on db1; sessions of s2 on db2"


def test_sessions_on_a_secondary_are_log_ins_ahead_of_a_switchover() -> None:
    """They are kept for a minute, also when the switchover was taken back: nothing can be written there."""
    def look(at: float) -> Look:
        return with_database(healthy(at), secondary(at=at, sessions=(SessionRow("s2", 1),)))

    assert split(look(NOW + 1), look(NOW)) is None
    assert split(look(NOW), None) is None


def unheard(at: float, **fields: Any) -> Look:
    """s2 says that it holds a lease on db1, and db1 has not heard of it for a minute."""
    row = {"heartbeat_age": 60.0, "alive": False} | fields
    return with_members(healthy(at), *(member(s, **row) if s == "s2" else member(s) for s in SERVERS))


def test_a_lease_that_the_database_knows_nothing_of_is_one_on_a_copy() -> None:
    first, second = unheard(NOW), unheard(NOW + 1)
    assert split(first, healthy(NOW - 1)) is None, "it may have attached after the database was asked"
    assert said(split(second, first)) == "s2 uses a copy of db1: its lease is only in the copy"
    assert conclude(second, None, first).verdict == Verdict.SPLIT


@pytest.mark.parametrize("fields", [{"alive": True, "leased": True}, {"alive": True, "heartbeat_age": 8.0}])
def test_one_that_is_late_and_one_that_is_busy_are_on_no_copy(fields: dict[str, Any]) -> None:
    assert split(unheard(NOW + 1, **fields), unheard(NOW, **fields)) is None


def test_a_server_that_has_no_lease_any_more_is_on_no_copy() -> None:
    looks = [with_server(unheard(at), server("s2", at, lease_seconds=0.0)) for at in (NOW, NOW + 1)]
    assert split(looks[1], looks[0]) is None

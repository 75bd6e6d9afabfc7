"""A remedy is for one cause; the wrong one can hang the pool, or wipe what was only out of reach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.looks import failing, healthy, primary, record, secondary, server, with_database, with_server
from tuiha.model.check.findings import ExpectedPool, findings
from tuiha.model.conclude import conclude
from tuiha.model.databases.active import standing
from tuiha.model.databases.durability import Durability, LogReceiver, Loose
from tuiha.model.facts import Look
from tuiha.model.problems.causes import Cause
from tuiha.model.quotes import reset
from tuiha.model.reports import ReplicationRow, Standby
from tuiha.words.findings import said
from tuiha.words.next import command
from tuiha.words.remedies import database_remedy, ledger_remedy, mail_remedy, server_remedy, sprayer_remedy

SIX = (Cause.EXPIRED, Cause.NO_TLS, Cause.NO_STANDBY, Cause.REFUSED, Cause.PASSWORD, Cause.ACCESS)
EXPECTED = ExpectedPool(frozenset({"s1", "s2", "s3", "s4"}), None, True, True)


def remedies(look: Look, subject: str, expected: ExpectedPool = EXPECTED) -> str:
    return " | ".join(said(one).fix for one in findings(look, standing(look, None), expected) if one.subject == subject)


def of_database(cause: Cause | None) -> str:
    return database_remedy(cause, "db1", "watcher", "tuiha_watch", "tuiha", True)


def test_each_cause_of_an_unreachable_database_has_a_remedy_of_its_own() -> None:
    assert len({of_database(cause) for cause in SIX}) == len(SIX)
    own = [cause for cause in Cause if of_database(cause) != of_database(None)]
    assert len({of_database(cause) for cause in own}) == len(own)
    assert set(SIX) < set(own)


@pytest.mark.parametrize("remedy", [
    *(of_database(cause) for cause in (*Cause, None)), *(server_remedy(cause, "s1") for cause in (*Cause, None)),
    *(sprayer_remedy(cause, "spray1") for cause in (*Cause, None)), *(ledger_remedy(cause) for cause in (*Cause, None)),
    *(mail_remedy(cause, "mail1", "probe") for cause in (*Cause, None)),
])
def test_no_remedy_has_a_gap(remedy: str) -> None:
    assert "{" not in remedy
    assert "None" not in remedy


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in (Cause.MISSING, Cause.DAMAGED)])
def test_a_ledger_that_is_only_out_of_reach_is_never_created_again(cause: Cause) -> None:
    assert "--create-ledger" not in ledger_remedy(cause)
    assert "--create-ledger" in ledger_remedy(Cause.MISSING)


def test_commits_are_never_made_to_wait_for_a_secondary_that_is_not_there() -> None:
    alone = with_database(with_database(healthy(), primary(replication=())), failing(secondary()))
    assert "synchronous_standby_names" not in remedies(alone, "db1")
    assert "protect" not in remedies(alone, "db1")
    assert "start db2 first" in remedies(alone, "db1")
    silent = with_database(healthy(), primary(replication=()))
    assert "tuiha plan rejoin db2" in remedies(silent, "db1")
    misnamed = with_database(healthy(), primary(replication=(ReplicationRow("db3", "streaming", "async", 0, 0.0),)))
    assert "application_name=db2" in remedies(misnamed, "db1")
    streaming = with_database(healthy(), primary(replication=(ReplicationRow("db2", "streaming", "async", 0, 0.0),)))
    assert remedies(streaming, "db1").startswith("tuiha plan protect")


def degraded(names: str, *followers: LogReceiver) -> Look:
    """The pool went on without db2, which does not follow."""
    rows = tuple(ReplicationRow(one.name, one.state, one.sync_state, 0, None) for one in followers)
    alone = primary(synchronous_names=names, replication=rows, durability=Durability(names, followers, ("db2",)))
    look = with_database(with_database(healthy(), alone), secondary(receiving=False))
    return replace(look, ledger=record(standby=Standby.STALE))


ARCHIVE = LogReceiver("archive", "streaming", "sync")


@pytest.mark.parametrize("look", [degraded(""), degraded("*", ARCHIVE), degraded("*")])
@pytest.mark.parametrize("subject", ["db1", "ledger"])
def test_a_secondary_that_does_not_follow_is_brought_back_and_not_waited_for(look: Look, subject: str) -> None:
    """`tuiha plan protect` is refused until it follows."""
    assert "tuiha plan protect" not in remedies(look, subject)
    assert "tuiha plan rejoin db2" in remedies(look, subject)
    down_now = with_database(look, failing(secondary()))
    assert "tuiha plan protect" not in remedies(down_now, subject)
    assert "start db2 first" in remedies(down_now, subject)
    problems = [one for one in conclude(look).problems if one.subject in ("db1", "db2")]
    assert [command(one.next) for one in problems] == ["tuiha plan rejoin db2"]


def test_what_no_operation_mends_comes_first() -> None:
    look = degraded("")
    loose = Durability("", (), ("db2",), (Loose("local", "tuiha_pool"),))
    look = with_database(look, primary(synchronous_names="", replication=(), durability=loose))
    assert remedies(look, "db1") == "ALTER ROLE tuiha_pool RESET synchronous_commit"


def test_what_a_manager_does_is_not_offered_as_an_operation() -> None:
    managed = replace(EXPECTED, manager="Patroni")
    row = ReplicationRow("db2", "streaming", "async", 0, 0.0)
    look = replace(with_database(healthy(), primary(replication=(row,))), ledger=record(standby=Standby.STALE))
    for subject in ("db1", "ledger"):
        assert "tuiha plan protect" in remedies(look, subject)
        assert "tuiha plan protect" not in remedies(look, subject, managed)
        assert "patronictl" in remedies(look, subject, managed)


@pytest.mark.parametrize(("cause", "then"), [(Cause.REFUSED, "tuiha serve s1"), (Cause.SILENT, "tuiha check")])
def test_a_server_that_hangs_is_not_started_a_second_time(cause: Cause, then: str) -> None:
    gone = replace(failing(server("s1")), cause=cause)
    look = with_server(healthy(), gone)
    dead = replace(look, databases=tuple(
        replace(one, report=replace(one.report, members=tuple(
            replace(m, alive=False, heartbeat_age=60.0) if m.name == "s1" else m for m in one.report.members)))
        for one in look.databases if one.report is not None))
    problem = next(one for one in conclude(dead).problems if one.subject == "s1")
    assert command(problem.next) == then
    assert ("systemctl restart" in remedies(look, "s1")) == (cause is Cause.SILENT)


def test_defaults_are_reset_where_they_were_set() -> None:
    assert reset("x", "", "") == "ALTER ROLE ALL RESET x"
    assert reset("x", "", "tuiha") == 'ALTER DATABASE "tuiha" RESET x'
    assert reset("x", "tuiha_pool", "") == "ALTER ROLE tuiha_pool RESET x"
    assert reset("x", "a b", "c d") == 'ALTER ROLE "a b" IN DATABASE "c d" RESET x'

"""What is concluded of a pair that Patroni manages, and what is then not offered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.model.looks import SERVERS, failing, healthy, primary, record, secondary, server, with_database
from tuiha.model.check.manager import managed_findings
from tuiha.model.conclude import conclude
from tuiha.model.facts import Look, Polled, Problem
from tuiha.model.reports import LEADERLESS, DatabaseReport, Managed, ReplicationRow, ServerState
from tuiha.model.rules import Rules
from tuiha.tui.draw.head import ordered_pair
from tuiha.words.next import command
from tuiha.words.problems import what as what_of
from tuiha.words.states import in_words, note

RULES = Rules(manager="Patroni")
LEADER = Managed("leader", "running", "db1", 12, None, synchronous=True, strict=False, version="4.1.5")
STANDBY = replace(LEADER, role="sync_standby", state="streaming", lag_bytes=0)


def managed(leader: Managed = LEADER, standby: Managed = STANDBY, **changes: Any) -> Look:
    look = with_database(with_database(healthy(), primary(managed=leader, **changes)), secondary(managed=standby))
    return replace(look, ledger=record(timeline=12))


def problems(look: Look, rules: Rules = RULES) -> tuple[Problem, ...]:
    return conclude(look, rules=rules).problems


def node(look: Look, name: str) -> Polled[DatabaseReport]:
    return next(node for node in look.databases if node.name == name)


def without_db1(look: Look) -> Look:
    """The leader is gone, for the servers as well."""
    away = tuple(server(name, state=ServerState.CUT_OFF, lease_seconds=0.0) for name in SERVERS)
    return replace(with_database(look, failing(node(managed(), "db1"))), servers=away)


def test_a_healthy_pair_under_patroni() -> None:
    snapshot = conclude(managed(), rules=RULES)
    assert (str(snapshot.verdict), snapshot.protection, snapshot.manager) == ("HEALTHY", "protected", "Patroni")
    assert [note(database) for database in snapshot.databases] == ["Patroni: leader, running",
                                                                  "Patroni: sync_standby, streaming"]


@pytest.mark.parametrize(("look", "what", "then"), [
    (lambda: managed(replace(LEADER, paused=True)), "PAUSED  Patroni is in maintenance mode", "patronictl resume"),
    (lambda: managed(standby=Managed(error="no answer in 1 s")), "UNMANAGED  Patroni does not answer: no answer",
     "tuiha check"),
    (lambda: managed(replace(LEADER, pending_restart=True)), "PENDING RESTART", "patronictl restart"),
    (lambda: without_db1(managed()), "DOWN  connection refused", "tuiha status"),
    (lambda: without_db1(managed(replace(LEADER, paused=True))), "DOWN  connection", "tuiha status"),
    (lambda: without_db1(managed(standby=replace(STANDBY, paused=True))), "DOWN  connection refused",
     "tuiha plan failover"),
    (lambda: managed(replication=()), "NOT STREAMING  receives nothing from db1", "tuiha status"),
    (lambda: managed(replication=(), synchronous_names=""), "NOT STREAMING", "tuiha plan rejoin db2"),
    (lambda: replace(managed(), ledger=record(phase=LEADERLESS)), "NO LEADER  Patroni has none", "tuiha plan failover"),
    (lambda: replace(managed(), ledger=record(epoch=13, active="db2")), "FOLLOWING  Patroni's leader is db2 on "
     "timeline 13, the epoch row shows 12 on db1", "tuiha status"),
])
def test_what_it_means_and_what_comes_next(look: Callable[[], Look], what: str, then: str) -> None:
    found = problems(look())
    assert any(what_of(p).startswith(what) and command(p.next) == then for p in found), found
    assert not any((command(p.next)).startswith(("tuiha plan degrade", "tuiha plan protect")) for p in found)


def test_without_a_manager_the_same_look_asks_for_our_operations() -> None:
    assert any(command(p.next) == "tuiha plan degrade" for p in problems(managed(replication=()), Rules()))


def test_what_the_check_finds() -> None:
    def levels(look: Look) -> set[tuple[str, str]]:
        return {(str(f.level), f.subject) for f in managed_findings(look, "Patroni")}

    assert managed_findings(managed(), None) == ()
    assert levels(managed()) == {("ok", "db1"), ("ok", "db2"), ("ok", "Patroni")}
    off = replace(LEADER, synchronous=False)
    assert ("bad", "Patroni") in levels(managed(off, replace(off, role="replica")))
    assert ("bad", "Patroni") in levels(managed(replace(LEADER, leader=None), replace(STANDBY, leader=None)))
    assert ("bad", "Patroni") in levels(managed(standby=replace(STANDBY, leader="db2")))
    assert ("bad", "db2") in levels(managed(standby=Managed(error="connection refused")))
    assert ("bad", "db2") in levels(managed(standby=replace(STANDBY, role=None)))
    assert ("warning", "Patroni") in levels(managed(replace(LEADER, paused=True)))
    assert ("bad", "Patroni") in levels(replace(managed(), ledger=record(epoch=3, timeline=3)))
    assert ("warning", "db1") in levels(managed(replace(LEADER, pending_restart=True)))


def test_words() -> None:
    assert in_words(Managed(error="no answer")) == "no answer"
    assert in_words(Managed()) == "role unknown, state unknown"
    assert in_words(replace(LEADER, paused=True, pending_restart=True)) == "leader, running, paused, pending restart"


def of_three(*rows: ReplicationRow, third: Polled[DatabaseReport] | None = None) -> Look:
    """db1 leads; the secondary that is named first in the configuration is not the one in step."""
    look = managed(replication=rows)
    stands_by = third or secondary("db0", managed=replace(STANDBY, role="replica"))
    return replace(look, databases=(stands_by, *look.databases))


FOLLOWS = ReplicationRow("db2", "streaming", "sync", 0, 0.01)
STANDS_BY = ReplicationRow("db0", "streaming", "async", 0, 0.01)


def test_of_several_the_secondary_is_the_one_in_step() -> None:
    snapshot = conclude(of_three(STANDS_BY, FOLLOWS), rules=RULES)
    assert (str(snapshot.verdict), snapshot.protection) == ("HEALTHY", "protected")
    assert [database.name for database in ordered_pair(snapshot)] == ["db1", "db2", "db0"]


def test_one_that_stands_by_is_missed_and_no_more() -> None:
    lost = of_three(FOLLOWS, third=failing(secondary("db0")))
    behind = of_three(FOLLOWS)
    for look, what in ((lost, "DOWN  connection refused"), (behind, "NOT STREAMING  receives nothing from db1")):
        snapshot = conclude(look, rules=RULES)
        assert (str(snapshot.verdict), snapshot.protection) == ("DEGRADED", "protected")
        assert [(p.subject, what_of(p), command(p.next)) for p in snapshot.problems] == [("db0", what, "tuiha check")]


def test_without_any_in_step_it_is_not_protected() -> None:
    found = problems(of_three(STANDS_BY, replace(FOLLOWS, sync_state="async")))
    assert any(what_of(problem).startswith("UNPROTECTED") for problem in found)
    assert conclude(of_three(STANDS_BY), rules=RULES).protection == "UNPROTECTED"

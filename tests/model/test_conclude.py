"""Facts, problems and verdicts of a look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.looks import (
    NOW,
    SERVERS,
    failing,
    healthy,
    mail,
    member,
    primary,
    record,
    secondary,
    server,
    sprayer,
    with_database,
    with_members,
    with_server,
)
from tuiha.model.codes import ProblemCode
from tuiha.model.conclude import conclude
from tuiha.model.facts import Look, Problem, Severity, Snapshot, Verdict
from tuiha.model.operations.intent import Condition, Intent
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import (
    BackendReport,
    BackendState,
    EpochRow,
    EpochState,
    MailRow,
    ReplicationRow,
    ServerState,
    Standby,
)
from tuiha.model.rules import Rules
from tuiha.model.since import verdict_since
from tuiha.words.next import command as command_of
from tuiha.words.next import key
from tuiha.words.problems import means, what


def only(snapshot: Snapshot, subject: str) -> Problem:
    found = [p for p in snapshot.problems if p.subject == subject]
    assert len(found) == 1, snapshot.problems
    return found[0]


def test_a_whole_pool_is_healthy_and_protected_with_nothing_to_do() -> None:
    snapshot = conclude(healthy())
    assert (snapshot.verdict, snapshot.problems) == (Verdict.HEALTHY, ())
    assert (snapshot.protection, snapshot.epoch, snapshot.active, snapshot.users) == ("protected", 12, "db1", 500)
    assert [s.state for s in snapshot.servers] == ["UP"] * 4
    db1, db2 = snapshot.databases
    assert (db1.role, db1.expected, db1.sync_state, db1.pool_sessions) == ("PRIMARY", "PRIMARY", None, 32)
    assert (db2.role, db2.expected, db2.sync_state, db2.lag_bytes, db2.lag_seconds) == \
        ("SECONDARY", "SECONDARY", "sync", 0, 0.0)
    assert all(s.active for s in snapshot.sprayers)
    assert [(m.state, m.users, m.in_service) for m in snapshot.mail] == [("UP", 250, True)] * 2


def test_a_target_that_fails_less_often_than_the_limit_keeps_its_facts_and_says_why() -> None:
    look = with_server(healthy(), failing(server("s2"), failures=2))
    facts = conclude(look).servers[1]
    assert (facts.state, facts.users, facts.note, facts.seen_at) == ("UP", 125, "connection refused", NOW - 5)
    assert conclude(look).verdict == Verdict.HEALTHY


def test_a_dead_server_is_down_and_its_users_are_still_counted() -> None:
    look = with_server(healthy(), replace(failing(server("s2")), seen_at=None))
    look = with_members(look, *(member(s, heartbeat_age=20.0 if s == "s2" else 0.5, alive=s != "s2") for s in SERVERS))
    snapshot = conclude(look)
    facts = snapshot.servers[1]
    assert (snapshot.verdict, facts.state, facts.alive, facts.users) == (Verdict.DEGRADED, "DOWN", False, 125)
    assert (facts.lease_seconds, facts.cpu_percent, facts.database) == (None, None, None)
    problem = only(snapshot, "s2")
    assert (what(problem), problem.since) == ("DOWN  connection refused", NOW - 20)
    assert command_of(problem.next) == "tuiha serve s2"
    assert means(problem).startswith("125 users of this server are not served")


@pytest.mark.parametrize(("cause", "state"), [(Cause.SILENT, "UP"), (Cause.REFUSED, "DOWN")])
def test_a_server_that_is_late_with_its_heartbeat_and_renews_its_lease_is_busy(cause: Cause, state: str) -> None:
    """A port that refuses is a process that ended; the lease is the one that it left."""
    look = with_server(healthy(), replace(failing(server("s2")), cause=cause))
    look = with_members(look, *(member(s, heartbeat_age=8.0, leased=True) if s == "s2" else member(s) for s in SERVERS))
    snapshot = conclude(look)
    assert snapshot.servers[1].state == state
    busy = only(snapshot, "s2")
    assert ("it renews its lease" in means(busy)) is (state == "UP")


def test_a_server_that_only_the_watcher_cannot_reach_is_not_down() -> None:
    snapshot = conclude(with_server(healthy(), failing(server("s2"))))
    assert snapshot.servers[1].state == "UP"
    assert what(only(snapshot, "s2")).startswith("UNREACHABLE")
    assert snapshot.verdict == Verdict.DEGRADED


@pytest.mark.parametrize(("state", "severity", "verdict", "command"), [
    (ServerState.OVERLOADED, Severity.WARNING, Verdict.DEGRADED, "tuiha plan rebalance"),
    (ServerState.DRAINING, Severity.NOTE, Verdict.HEALTHY, "tuiha plan enable s3"),
    (ServerState.CUT_OFF, Severity.BAD, Verdict.DEGRADED, "tuiha check"),
])
def test_what_a_server_says_of_itself(state: ServerState, severity: Severity, verdict: Verdict, command: str) -> None:
    snapshot = conclude(with_server(healthy(), server("s3", state=state, reason="cpu 97 %")))
    problem = only(snapshot, "s3")
    assert (problem.severity, command_of(problem.next), snapshot.verdict) == (severity, command, verdict)
    assert what(problem) == f"{state}  cpu 97 %"


def lost_secondary(look: Look) -> Look:
    look = with_database(look, failing(secondary()))
    return with_database(look, primary(replication=()))


def test_a_lost_secondary_suggests_to_degrade() -> None:
    snapshot = conclude(lost_secondary(healthy()))
    problem = only(snapshot, "db2")
    assert (snapshot.verdict, snapshot.protection) == (Verdict.DEGRADED, "UNPROTECTED")
    assert (problem.severity, command_of(problem.next), key(problem.next)) == (Severity.BAD, "tuiha plan degrade", "f")
    assert "writes wait" in means(problem)
    facts = snapshot.databases[1]
    assert (facts.state, facts.reachable, facts.writable, facts.role) == ("DOWN", False, None, "SECONDARY")
    assert (facts.lag_bytes, facts.lag_seconds, facts.sync_state) == (None, None, None)


def test_a_hung_secondary_that_the_primary_still_lists_is_not_called_protected() -> None:
    snapshot = conclude(with_database(healthy(), failing(secondary(), "no answer in 2.0s")))
    assert snapshot.protection == "UNPROTECTED"
    assert command_of(only(snapshot, "db2").next) == "tuiha plan degrade"


def test_a_secondary_that_receives_nothing_is_a_problem_though_it_answers() -> None:
    snapshot = conclude(with_database(healthy(), primary(replication=())))
    assert what(only(snapshot, "db2")).startswith("NOT STREAMING")
    assert snapshot.protection == "UNPROTECTED"


@pytest.mark.parametrize(("names", "sync"), [("", "async"), ("db2", "potential")])
def test_asynchronous_replication_is_unprotected(names: str, sync: str) -> None:
    row = ReplicationRow("db2", "streaming", sync, 10, 0.01)
    snapshot = conclude(with_database(healthy(), primary(synchronous_names=names, replication=(row,))))
    assert (snapshot.protection, command_of(only(snapshot, "db2").next)) == ("UNPROTECTED", "tuiha plan protect")


def test_a_stale_ledger_is_unprotected() -> None:
    snapshot = conclude(replace(healthy(), ledger=record(standby=Standby.STALE)))
    assert (snapshot.protection, snapshot.verdict) == ("UNPROTECTED", Verdict.DEGRADED)
    assert what(only(snapshot, "db2")).startswith("STALE")


def test_a_lost_active_database_suggests_to_fail_over_and_the_pool_is_down_when_no_server_serves() -> None:
    look = with_database(healthy(), failing(primary(), since=NOW - 4))
    held = replace(look, servers=tuple(server(s, state=ServerState.WAITING, lease_seconds=0.0) for s in SERVERS))
    snapshot = conclude(held)
    assert (snapshot.verdict, snapshot.active, snapshot.protection) == (Verdict.DOWN, "db1", "UNPROTECTED")
    assert snapshot.problems[0].subject == "db1"
    assert command_of(snapshot.problems[0].next) == "tuiha plan failover"
    fenced = replace(look, servers=tuple(server(s, state=ServerState.CUT_OFF, lease_seconds=0.0) for s in SERVERS))
    snapshot = conclude(fenced, snapshot)
    assert (snapshot.verdict, command_of(snapshot.problems[0].next)) == (Verdict.DOWN, "tuiha plan failover")
    assert "503" in means(snapshot.problems[0])


def test_a_lost_active_database_with_a_stale_secondary_says_what_would_be_lost() -> None:
    away = tuple(server(s, state=ServerState.CUT_OFF, lease_seconds=0.0) for s in SERVERS)
    look = replace(with_database(healthy(), failing(primary())), ledger=record(standby=Standby.STALE), servers=away)
    assert "loses acknowledged writes" in means(only(conclude(look), "db1"))


def test_both_databases_gone() -> None:
    look = with_database(with_database(healthy(), failing(primary())), failing(secondary()))
    fenced = replace(look, servers=tuple(server(s, state=ServerState.CUT_OFF, lease_seconds=0.0) for s in SERVERS))
    snapshot = conclude(fenced)
    assert snapshot.verdict == Verdict.DOWN
    assert [p.subject for p in snapshot.problems[:2]] == ["db1", "db2"]
    assert "plan failover" not in (command_of(snapshot.problems[0].next) or "")


def test_leases_renewed_after_the_watcher_lost_the_database_are_a_dispute() -> None:
    look = with_database(healthy(), failing(primary(), since=NOW - 4))
    snapshot = conclude(look)  # leases of 4.2 s left, 5 s long: renewed 0.8 s ago
    assert snapshot.verdict == Verdict.DISPUTED
    assert "s1, s2, s3, s4 renewed leases" in what(snapshot.problems[0])
    lost = only(snapshot, "db1")
    assert what(lost) == "UNREACHABLE  connection refused"
    assert "servers still use it" in means(lost)
    assert "wait" not in means(lost), "nobody waits"
    assert key(lost.next) is None


def test_leases_left_over_from_before_the_loss_are_none() -> None:
    look = with_database(healthy(), failing(primary(), since=NOW - 2))
    left = replace(look, servers=tuple(server(s, lease_seconds=2.9) for s in SERVERS))  # renewed 2.1 s ago
    assert conclude(left).verdict == Verdict.DEGRADED


def test_servers_that_cannot_use_a_database_which_the_watcher_reaches_are_a_dispute_once_confirmed() -> None:
    away = replace(healthy(), servers=tuple(server(s, state=ServerState.CUT_OFF, lease_seconds=0.0) for s in SERVERS))
    first = conclude(away, None, None)
    assert first.verdict == Verdict.DOWN
    assert conclude(away, first, away).verdict == Verdict.DISPUTED
    waiting = lost_secondary(away)  # here nobody can commit, and that is no dispute
    stalled = conclude(waiting, first, waiting)
    assert stalled.verdict == Verdict.DOWN, "nobody is served, though one command brings everything back"
    assert command_of(stalled.problems[0].next) == "tuiha plan degrade"
    hung = with_database(away, failing(secondary(), "no answer in 2.0s"))  # its primary still lists it as sync
    assert conclude(hung, first, hung).verdict == Verdict.DOWN


def waiting(seconds: float, **intent: object) -> Look:
    """A pool whose servers have had no lease for so long, while an operation has it or none."""
    servers = tuple(server(s, state=ServerState.WAITING, lease_seconds=0.0, unleased_seconds=seconds + n)
                    for n, s in enumerate(SERVERS))
    look = replace(healthy(), servers=servers)
    if not intent:
        return look
    found = Intent("o1", "switchover", "ann", "bastion", NOW, beat=NOW, **intent)  # type: ignore[arg-type]
    return replace(look, ledger=record(intent=replace(found, since=NOW - 9).text()))


def test_the_servers_know_since_when_nobody_is_served() -> None:
    first = conclude(waiting(6.0))
    assert (first.verdict, first.unserved_since) == (Verdict.DOWN, NOW - 6), "a dashboard of this moment knows it"
    assert conclude(replace(waiting(6.0), at=NOW + 1), first).unserved_since == NOW - 6
    assert conclude(healthy(), first).unserved_since is None


def killed(age: float, seen_at: float | None) -> Look:
    """A pool whose servers have not answered for two seconds, with heartbeats of that age."""
    silent = with_members(healthy(), *(member(s, alive=False, heartbeat_age=age) for s in SERVERS))
    return replace(silent, servers=tuple(replace(failing(s, since=NOW - 2), seen_at=seen_at) for s in silent.servers))


def test_what_the_pool_knows_of_the_end_of_a_server_is_older_than_a_new_dashboard() -> None:
    found = conclude(killed(12.0, None))
    assert found.unserved_since == NOW - 12
    assert {problem.since for problem in found.problems if problem.code is ProblemCode.SERVER_DOWN} == {NOW - 12}


def test_a_server_that_was_seen_after_its_last_heartbeat_was_not_gone_by_then() -> None:
    found = conclude(killed(600.0, NOW - 3))
    assert found.unserved_since == NOW - 2
    assert {problem.since for problem in found.problems if problem.code is ProblemCode.SERVER_DOWN} == {NOW - 2}


def test_a_server_that_does_not_say_when_it_stopped_served_until_now_for_all_that_is_known() -> None:
    look = killed(86_400.0, None)
    untold = server("s1", state=ServerState.CUT_OFF, lease_seconds=0.0)
    assert conclude(with_server(look, untold)).unserved_since == NOW, "and not since yesterday"


def test_a_verdict_is_as_old_as_what_makes_it() -> None:
    assert verdict_since(conclude(healthy())) is None
    assert verdict_since(conclude(waiting(6.0))) == NOW - 6
    lost = conclude(replace(healthy(), sprayers=(failing(sprayer("spray1"), since=NOW - 40), sprayer("spray2"))))
    assert (lost.verdict, verdict_since(lost)) == (Verdict.DEGRADED, NOW - 40)


def test_an_operation_that_lets_requests_wait_is_no_outage() -> None:
    held = conclude(waiting(2.0, step=3))
    assert (held.verdict, held.held_by) == (Verdict.DEGRADED, "switchover")
    late = conclude(waiting(60.0, step=3))
    assert (late.verdict, late.held_by) == (Verdict.DOWN, None), "the outage was there before the operation"
    dead = conclude(waiting(2.0, step=3, condition=Condition.HALF_WAY))
    assert (dead.verdict, dead.held_by) == (Verdict.DOWN, None)


def test_a_stray_database_that_is_not_active() -> None:
    row = EpochRow("east", 11, "db2", EpochState.FENCED)
    look = with_database(healthy(), primary("db2", epoch=row, sessions=()))
    snapshot = conclude(look)
    assert snapshot.databases[1].state == "ROGUE PRIMARY"
    assert (snapshot.verdict, command_of(only(snapshot, "db2").next)) == (Verdict.DEGRADED, "tuiha plan degrade")
    given_up = replace(look, ledger=record(standby=Standby.STALE))
    assert command_of(only(conclude(given_up), "db2").next) == "tuiha plan rejoin db2"


def test_the_highest_epoch_names_the_active_database() -> None:
    old = primary("db1", epoch=EpochRow("east", 12, "db1", EpochState.FENCED), sessions=())
    new = primary("db2", epoch=EpochRow("east", 13, "db2", EpochState.ACTIVE), timeline=8)
    look = replace(with_database(with_database(healthy(), old), new), ledger=record(epoch=13, active="db2"))
    snapshot = conclude(look)
    assert (snapshot.active, snapshot.epoch) == ("db2", 13)
    assert [d.expected for d in snapshot.databases] == ["SECONDARY", "PRIMARY"]


def test_a_database_of_another_system_or_another_pool() -> None:
    foreign = conclude(with_database(healthy(), secondary(system_identifier="99")))
    assert what(only(foreign, "db2")).startswith("FOREIGN  not of this pool: system 99")
    row = EpochRow("west", 3, "db1", EpochState.ACTIVE)
    other = conclude(with_database(healthy(), primary(epoch=row)))
    assert what(only(other, "db1")) == "OTHER POOL  it belongs to the pool 'west'"


def test_a_server_of_another_pool() -> None:
    snapshot = conclude(with_server(healthy(), server("s1", pool="west")))
    assert what(only(snapshot, "s1")).startswith("OTHER POOL")


def test_a_lost_sprayer_and_a_sprayer_that_does_not_reach_a_server() -> None:
    backends = tuple(BackendReport(s, BackendState.DOWN if s == "s3" else BackendState.UP, 1, 0, 1) for s in SERVERS)
    look = replace(healthy(), sprayers=(failing(sprayer("spray1")), sprayer("spray2", backends=backends)))
    snapshot = conclude(look)
    assert "devices use the other sprayer" in means(only(snapshot, "spray1"))
    assert what(only(snapshot, "spray2")) == "CUT OFF  cannot reach s3"
    alone = conclude(replace(healthy(), sprayers=(failing(sprayer("spray1")),)))
    assert means(only(alone, "spray1")) == "no device reaches the pool"


def test_mail_lost_out_of_service_and_a_whole_cluster_lost() -> None:
    lost = conclude(replace(healthy(), mail=(failing(mail("mail1")), mail("mail2"))))  # type: ignore[arg-type]
    assert command_of(only(lost, "mail1").next) == "tuiha plan failover-mail mail1"
    assert means(only(lost, "mail1")).startswith("its users are monitored through mail2, 250 users have not moved yet")
    rows = (MailRow("mail1", "east", False, 0), MailRow("mail2", "east", True, 500))
    out = conclude(with_database(healthy(), primary(mail=rows)))
    assert (out.mail[0].state, command_of(only(out, "mail1").next)) == ("OUT", "tuiha plan return-mail mail1")
    gone = conclude(replace(healthy(), mail=(failing(mail("mail1")), failing(mail("mail2")))))  # type: ignore[arg-type]
    assert "its users get no new mail" in means(only(gone, "mail2"))


def test_the_ledger_unreadable_or_in_disagreement() -> None:
    lost = conclude(replace(healthy(), ledger=failing(record(), "ledger.json is damaged")))
    assert what(only(lost, "ledger")) == "UNREADABLE  ledger.json is damaged"
    assert what(only(conclude(replace(healthy(), ledger=record(epoch=11))), "ledger")).startswith("DISAGREES")
    assert conclude(replace(healthy(), ledger=None)).protection == "protected"


def test_worst_first_and_a_problem_keeps_its_time() -> None:
    look = with_server(lost_secondary(healthy()), server("s3", state=ServerState.OVERLOADED))
    first = conclude(look)
    assert [p.subject for p in first.problems] == ["db2", "s3"]
    later = conclude(replace(look, at=NOW + 60), first)
    assert [p.since for p in later.problems] == [p.since for p in first.problems]
    over = conclude(replace(healthy(), at=NOW + 61), later)
    again = conclude(replace(look, at=NOW + 70), over)
    assert only(again, "s3").since == NOW + 70


def test_rates_come_from_counters_and_stand_when_nothing_new_was_polled() -> None:
    old = healthy(NOW - 2)
    look = with_database(replace(healthy(), sprayers=(sprayer("spray1", requests=9100), sprayer("spray2"))),
                         primary(transactions=1500))
    first = conclude(look, conclude(old), old)
    assert first.databases[0].transactions_per_second == 250.0
    assert [s.requests_per_second for s in first.sprayers] == [50.0, 0.0]
    assert conclude(replace(look, at=NOW + 1), first, look).databases[0].transactions_per_second == 250.0
    restarted = with_database(look, primary(at=NOW + 1, transactions=3))
    assert conclude(restarted, first, look).databases[0].transactions_per_second is None
    assert conclude(look).databases[0].transactions_per_second is None


def test_nothing_known_yet_is_not_called_down() -> None:
    look = healthy()
    blank = replace(look, servers=tuple(replace(s, report=None, seen_at=None) for s in look.servers),
                    databases=tuple(replace(d, report=None, seen_at=None) for d in look.databases),
                    ledger=None, sprayers=(), mail=())
    snapshot = conclude(blank)
    assert (snapshot.verdict, snapshot.epoch, snapshot.users, snapshot.protection) == \
        (Verdict.DEGRADED, None, None, None)
    assert {s.state for s in snapshot.servers} == {"UNKNOWN"}


def test_certificates_that_nobody_verifies_are_on_the_screen() -> None:
    seen = conclude(healthy(), rules=Rules(unverified=("database.tls", "mail.west.tls")))
    [problem] = seen.problems
    assert (problem.severity, what(problem)) == (Severity.WARNING,
                                                "UNVERIFIED  verify: false at database.tls, mail.west.tls")
    assert conclude(healthy(), rules=Rules()).problems == ()


def test_no_server_at_all_is_down() -> None:
    assert conclude(replace(healthy(), servers=())).verdict == Verdict.DOWN


def test_what_was_there_when_watching_began_has_lasted_at_least_so_long() -> None:
    """A sprayer that never answered this watcher may have been down for days; one that did has not."""
    silent = replace(failing(sprayer("spray1"), since=NOW - 2), report=None, seen_at=None)
    never = replace(healthy(), sprayers=(silent, sprayer("spray2")))
    problem = only(conclude(never), "spray1")
    assert (problem.since, problem.at_least) == (NOW - 2, True)
    later = only(conclude(replace(never, at=NOW + 60), conclude(never)), "spray1")
    assert (later.since, later.at_least) == (NOW - 2, True)
    lost = replace(healthy(), sprayers=(failing(sprayer("spray1"), since=NOW - 2), sprayer("spray2")))
    assert not only(conclude(lost), "spray1").at_least


def test_a_problem_that_begins_while_one_watches_is_as_old_as_that() -> None:
    first = conclude(healthy())
    stale = replace(healthy(), ledger=record(standby=Standby.STALE))
    begun = only(conclude(replace(stale, at=NOW + 5), first), "db2")
    assert (begun.since, begun.at_least) == (NOW + 5, False)
    assert only(conclude(stale), "db2").at_least


def test_a_server_that_a_sprayer_does_not_reach_is_cut_off_since_haproxy_says_so() -> None:
    backends = tuple(BackendReport(s, BackendState.DOWN if s == "s1" else BackendState.UP, 1, 0, 1, since_seconds=780)
                     for s in SERVERS)
    look = replace(healthy(), sprayers=(sprayer("spray1", backends=backends), sprayer("spray2")))
    problem = only(conclude(look), "spray1")
    assert (what(problem), problem.since, problem.at_least) == ("CUT OFF  cannot reach s1", NOW - 780, False)

"""The checks before a change of roles, each one turned red by what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from tuiha.model.databases.durability import Durability, Loose
from tuiha.model.databases.way_back import LogIn, Needs, Rehearsal, mends_nothing, not_ours, obstacles
from tuiha.model.operations.evidence import Done
from tuiha.model.operations.plans import CheckVerdict, Moment
from tuiha.model.reports import (
    DatabaseReport,
    DatabaseRole,
    EpochRow,
    EpochState,
    LedgerRecord,
    Managed,
    Obstacles,
    ReplicationRow,
    ServerReport,
    ServerState,
    ServerTarget,
    Standby,
    Transaction,
)
from tuiha.operate.database import checks
from tuiha.operate.database.failover import Failover
from tuiha.operate.database.kinds import PairKind, about, facts_of, moment, outage
from tuiha.operate.database.protection import Degrade, ProtectKind, RejoinKind
from tuiha.operate.database.sight import NodeSight, ServerSight, Sight
from tuiha.operate.database.steps.base import followers
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.patroni.checks import candidate, follows
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import plan_id
from tuiha.words.operations import text

SYSTEM = "7574021387012345678"
NOTHING: dict[str, Any] = {
    "unlogged": 0, "checkpoint": 10.0, "slots": 1,
    "most_slots": 10, "may_make_slots": True, "max_connections": 100, "max_wal_senders": 10,
    "max_worker_processes": 8, "max_prepared_transactions": 0, "max_locks_per_transaction": 64,
    "bytes": 2**30,
}


def database(role: DatabaseRole, **changes: Any) -> DatabaseReport:
    primary = role is DatabaseRole.PRIMARY
    rows = (ReplicationRow("db2", "streaming", "sync", 0, 0.0),) if primary else ()
    report = DatabaseReport(
        role=role, writable=primary, system_identifier=SYSTEM, timeline=1, version="17.5", position=100,
        receiving=None if primary else True, synchronous_names="FIRST 1 (db2)" if primary else "", replication=rows,
        epoch=EpochRow("west", 4, "db1", EpochState.ACTIVE), obstacles=Obstacles(),
    )
    return replace(report, **changes)


def server(name: str, **changes: Any) -> ServerSight:
    report = ServerReport(name, "west", "1", ServerState.UP, ServerTarget.UP, database="db1", epoch=4,
                          lease_seconds=4.0)
    return replace(ServerSight(name, "http://127.0.0.1:1", True, report, probes={"db2": SYSTEM}), **changes)


def healthy() -> Sight:
    return Sight(
        "west", LedgerRecord("west", 4, "db1", Standby.SYNC, SYSTEM, 1),
        {"db1": NodeSight("db1", True, database(DatabaseRole.PRIMARY), obstacles=NOTHING, free=2**40),
         "db2": NodeSight("db2", True, database(DatabaseRole.SECONDARY), obstacles=NOTHING, free=2**40)},
        (server("s1"), server("s2")), {"spray1": None},
    )


def with_node(sight: Sight, name: str, **changes: Any) -> Sight:
    return replace(sight, nodes={**sight.nodes, name: replace(sight.nodes[name], **changes)})


def with_report(sight: Sight, name: str, **changes: Any) -> Sight:
    report = sight.nodes[name].report
    assert report is not None
    return with_node(sight, name, report=replace(report, **changes))


def obstructed(name: str, **found: Any) -> Callable[[Sight], Sight]:
    return lambda sight: with_node(sight, name, obstacles={**NOTHING, **found})


def hindered(name: str, **found: Any) -> Callable[[Sight], Sight]:
    return lambda sight: with_report(sight, name, obstacles=Obstacles(**found))


def with_server(**changes: Any) -> Callable[[Sight], Sight]:
    return lambda sight: replace(sight, servers=(server("s1"), replace(server("s2"), **changes)))


def leased(name: str, **changes: Any) -> ServerReport:
    report = server(name).report
    assert report is not None
    return replace(report, **changes)


def without_lease(name: str) -> ServerSight:
    return server(name, report=leased(name, state=ServerState.CUT_OFF, database=None, lease_seconds=None))


def lost(sight: Sight) -> Sight:
    """The active database is gone for everybody."""
    sight = with_node(sight, "db1", report=None, error="connection refused", refusal="it does not answer")
    return with_report(sight, "db2", receiving=False)


def red(kind: PairKind, sight: Sight) -> dict[str, CheckVerdict]:
    return {check.name: check.verdict for check in kind.judged(sight) if check.verdict is not CheckVerdict.OK}


def test_a_healthy_pool_may_switch_over() -> None:
    assert red(Switchover(), healthy()) == {}


BAD, NEVER, WARNING = CheckVerdict.BAD, CheckVerdict.NEVER, CheckVerdict.WARNING

FAULTS: list[tuple[str, CheckVerdict, Callable[[Sight], Sight]]] = [
    ("phase", BAD, lambda s: replace(s, ledger=replace(s.ledger, phase="FAILOVER"))),
    ("split", NEVER, lambda s: with_report(s, "db2", role=DatabaseRole.PRIMARY, writable=True)),
    ("split", NEVER, lambda s: with_server(report=leased("s2", database="db2"))(s)),
    ("split", NEVER, lambda s: with_server(report=leased("s2", system_identifier="1"))(s)),
    ("disputed", NEVER, lambda s: with_node(s, "db1", report=None, error="no answer")),
    ("disputed", NEVER, lambda s: replace(s, servers=(without_lease("s1"), without_lease("s2")))),
    ("protection", BAD, lambda s: replace(s, ledger=replace(s.ledger, standby=Standby.STALE))),
    ("answers", BAD, lambda s: with_node(s, "db2", report=None, error="no answer")),
    ("answers", BAD, lambda s: with_node(s, "db2", refusal="wrong password")),
    ("identity", NEVER, lambda s: with_report(s, "db2", system_identifier="1")),
    ("epoch", BAD, lambda s: with_report(s, "db1", epoch=EpochRow("west", 5, "db1", EpochState.ACTIVE))),
    ("epoch", BAD, lambda s: with_report(s, "db1", epoch=EpochRow("west", 4, "db1", EpochState.FENCED))),
    ("synchronous", BAD, lambda s: with_report(s, "db1", replication=())),
    ("synchronous", BAD, lambda s: with_report(s, "db2", receiving=False)),
    ("synchronous", BAD, lambda s: with_report(
        s, "db1", replication=(ReplicationRow("db2", "streaming", "async", 0, 0.0),))),
    ("lag", BAD, lambda s: with_report(
        s, "db1", replication=(ReplicationRow("db2", "streaming", "sync", 2**30, 0.0),))),
    ("version", BAD, lambda s: with_report(s, "db2", version="16.1")),
    ("agent", BAD, lambda s: with_node(s, "db1", agent=False)),
    ("backup", BAD, hindered("db1", backups=1)),
    ("prepared", BAD, hindered("db1", prepared=("one", "two"))),
    ("long-transaction", BAD, hindered("db1", long=(Transaction(4711, 11.0, "psql"),))),
    ("unlogged", BAD, obstructed("db1", unlogged=1)),
    ("checkpoint", WARNING, obstructed("db1", checkpoint=4000.0)),
    ("replay", BAD, hindered("db2", paused=True)),
    ("settings", BAD, obstructed("db2", max_connections=50)),
    ("rights", BAD, obstructed("db1", lacks=["pg_checkpoint"])),
    ("rights", BAD, obstructed("db2", lacks=["EXECUTE ON FUNCTION pg_promote(boolean, integer)"])),
    ("slots", BAD, obstructed("db2", slots=10)),
    ("slots", BAD, obstructed("db2", may_make_slots=False)),
    ("disk", WARNING, lambda s: with_node(s, "db1", free=2**30)),
    ("disk", WARNING, lambda s: with_node(s, "db1", free=None)),
    ("server", BAD, with_server(report=None, error="no answer")),
    ("server", BAD, with_server(probes={}, failures={"db2": "no route"})),
    ("server", BAD, with_server(probes={"db2": "another system"})),
    ("server", WARNING, with_server(report=None, error="no answer", alive=False)),
    ("servers", BAD, lambda s: replace(s, servers=())),
    ("sprayer", BAD, lambda s: replace(s, sprayers={"spray1": "no answer"})),
    ("sprayer", WARNING, lambda s: replace(s, sprayers={"spray1": "no answer", "spray2": None})),
]


@pytest.mark.parametrize(("name", "verdict", "fault"), FAULTS)
def test_each_fault_turns_its_check(name: str, verdict: CheckVerdict, fault: Callable[[Sight], Sight]) -> None:
    assert red(Switchover(), fault(healthy())).get(name) == verdict


def test_a_database_that_does_not_answer_is_not_called_another_one() -> None:
    silent = with_node(healthy(), "db2", report=None, error="no answer")
    other = with_report(healthy(), "db2", system_identifier="1")
    remedies = [check.remedy for sight in (silent, other) for check in Switchover().checks(sight)
                if (check.name, check.subject) == ("identity", "db2")]
    assert remedies == ["start it, or read its log", not_ours("db2")]


PAIR_KINDS = (Switchover(), Failover(), Degrade(), ProtectKind(), RejoinKind())


@pytest.mark.parametrize("kind", PAIR_KINDS)
@pytest.mark.parametrize("node", ["db1", "db2"])
def test_nothing_is_done_beside_a_foreign_database(kind: PairKind, node: str) -> None:
    """By its own word, and by its agent: also while it is stopped, or cannot be asked."""
    assert red(kind, healthy()).get("identity") is None
    answering = with_report(healthy(), node, system_identifier="1")
    silent = with_node(healthy(), node, report=None, error="no answer", disk="1", untold=None)
    behind = with_node(healthy(), node, disk="1", untold=None)  # the agent's data folder is another one
    for sight in (answering, silent, behind):
        found = [check for check in kind.judged(sight) if check.verdict is NEVER and check.subject == node]
        assert [(check.name, check.remedy) for check in found if check.name == "identity"] == [
            ("identity", not_ours(node))]


def test_what_may_be_replaced_is_known() -> None:
    def found(**changes: Any) -> CheckVerdict | None:
        sight = with_node(healthy(), "db2", report=None, error="no answer", **changes)
        return red(RejoinKind(), sight).get("identity")

    assert found(disk=SYSTEM, untold=None) is None
    assert found(disk=None, untold=None) is None  # there is no database in its data folder
    assert found(disk=None, untold="no answer") is BAD
    assert found(disk="1", untold=None) is NEVER


def rehearsal(**changes: Any) -> Rehearsal:
    """db1's, with nothing in the way."""
    there = LogIn(None, SYSTEM, True, "db1")
    settings = {"primary_slot_name": "db1", "hot_standby": "on", "recovery_target_timeline": "latest",
                "max_connections": "100"}
    return replace(Rehearsal("db1", "db2", SYSTEM, there, there, there, settings), **changes)


LOST = LogIn("FATAL: password authentication failed")
OBSTACLES: list[tuple[str, CheckVerdict, Rehearsal]] = [
    ("replication", BAD, rehearsal(replication=LOST)), ("rewind", BAD, rehearsal(rewind=LOST)),
    ("copy", BAD, rehearsal(copy=LOST)), ("replication", BAD, rehearsal(replication=LogIn(None, "1", True, "db1"))),
    ("replication", BAD, rehearsal(replication=LogIn(None, SYSTEM, True, "standby"))),
    ("replication", BAD, rehearsal(replication=LogIn(None, SYSTEM, False, "db1"))),  # to itself
    ("replication", WARNING, rehearsal(replication=None)),
    ("slot", BAD, rehearsal(settings={"primary_slot_name": "other"})),
    ("recovery", BAD, rehearsal(settings={"hot_standby": "off"})),
    ("recovery", BAD, rehearsal(settings={"recovery_target_timeline": "current"})),
    ("recovery", BAD, rehearsal(settings={"recovery_target_lsn": "0/1"})),
    ("recovery", BAD, rehearsal(settings={"max_connections": "99"})),
    ("rehearsal", BAD, Rehearsal("db1", "db2", error="db1 would not start")),
    ("rehearsal", WARNING, Rehearsal("db1", "db2", error="an earlier version", tried=False)),
]


@pytest.mark.parametrize(("name", "verdict", "found"), OBSTACLES)
def test_each_obstacle_to_the_way_back_turns_its_check(name: str, verdict: CheckVerdict, found: Rehearsal) -> None:
    assert red(Switchover(), with_node(healthy(), "db1", rehearsal=rehearsal())) == {}
    assert red(Switchover(), with_node(healthy(), "db1", rehearsal=found)) == {name: verdict}
    # Where the pool is down it stops nothing, and is told.
    down = with_node(lost(healthy()), "db1", rehearsal=found)
    assert red(Failover(), down) == {name: WARNING}


def test_a_rewind_or_a_copy_does_not_mend_what_the_log_in_lacks() -> None:
    assert {one.needs for _, _, found in OBSTACLES for one in obstacles(found, SYSTEM, {"max_connections": "100"}, True)
            if mends_nothing(one)} == {Needs.REPLICATION, Needs.SLOT, Needs.RECOVERY}


def test_failover_wants_the_active_database_gone_for_everybody() -> None:
    assert red(Failover(), lost(healthy())) == {}
    assert red(Failover(), healthy()).keys() == {"disputed", "receiving"}


@pytest.mark.parametrize(("silence", "verdict"), [(0.4, BAD), (None, BAD), (3.2, None)])
def test_a_primary_that_hangs_keeps_its_connection_and_says_nothing(silence: float | None,
                                                                    verdict: CheckVerdict | None) -> None:
    hung = with_report(lost(healthy()), "db2", receiving=True)
    hung = with_node(hung, "db2", obstacles={**NOTHING, "silence": silence})
    assert red(Failover(), hung).get("receiving") == verdict


def test_one_server_that_still_sees_the_active_database_makes_it_disputed() -> None:
    sight = replace(lost(healthy()), servers=(server("s1"), server("s2", probes={"db1": SYSTEM, "db2": SYSTEM})))
    disputed = next(check for check in Failover().checks(sight) if check.name == "disputed")
    assert disputed.verdict is NEVER
    assert disputed.value == "DISPUTED: s2 reaches it"


def test_servers_without_a_lease_dispute_nothing_while_commits_wait() -> None:
    """Negative control: with the secondary gone nobody can have a lease, whatever the network is."""
    away = (without_lease("s1"), without_lease("s2"))
    assert "disputed" in red(Switchover(), replace(healthy(), servers=away))
    waiting = with_report(healthy(), "db1", replication=())
    assert "disputed" not in red(Switchover(), replace(waiting, servers=away))
    assert red(Degrade(), replace(waiting, servers=away)) == {}
    some = (without_lease("s1"), server("s2"))
    assert "disputed" not in red(Switchover(), replace(healthy(), servers=some))


def test_what_may_end_a_dispute_may_be_overridden_and_a_split_may_not() -> None:
    away = replace(with_report(healthy(), "db1", synchronous_names=""), servers=(without_lease("s1"),),
                   ledger=replace(healthy().ledger, standby=Standby.STALE))
    assert red(ProtectKind(), away)["disputed"] is BAD
    assert red(Switchover(), replace(healthy(), servers=(without_lease("s1"),)))["disputed"] is NEVER
    for kind in (Switchover(), Failover(), Degrade(), ProtectKind()):
        astray = with_server(report=leased("s2", database="db2"))(healthy())
        assert red(kind, astray)["split"] is NEVER


def test_a_partner_that_somebody_promoted_can_be_given_up_unless_a_server_uses_it() -> None:
    promoted = with_report(healthy(), "db2", role=DatabaseRole.PRIMARY, writable=True)
    promoted = with_report(promoted, "db1", replication=())
    assert red(Degrade(), promoted) == {"split": WARNING}
    used = with_server(report=leased("s2", database="db2"))(promoted)
    assert red(Degrade(), used)["split"] is NEVER


def test_what_nobody_can_tell_of_a_disk_is_unknown_and_not_good() -> None:
    full = checks.disk(healthy(), replace(healthy().active, free=2**30), healthy().partner)
    assert (full.value, full.limit) == ("1.0 GB free", "at least 1.3 GB for a fresh copy")
    unknown = checks.disk(healthy(), replace(healthy().active, free=None), healthy().partner)
    assert (unknown.value, unknown.verdict) == ("unknown", WARNING)
    assert "check it on its host" in unknown.remedy
    sizes = replace(healthy().active, obstacles={}), replace(healthy().partner, obstacles={})
    assert checks.disk(healthy(), *sizes).verdict is WARNING


def test_a_stale_secondary_takes_over_only_with_the_loss_named() -> None:
    sight = lost(healthy())
    sight = replace(sight, ledger=replace(sight.ledger, standby=Standby.STALE))
    assert red(Failover(), sight) == {"protection": BAD}
    assert "lacks acknowledged writes" in text(Failover().loses(sight).says)


def test_degrade_gives_up_only_what_is_gone() -> None:
    assert red(Degrade(), healthy()) == {"follows": BAD}
    assert red(Degrade(), with_report(healthy(), "db1", replication=())) == {}
    alone = with_report(healthy(), "db1", synchronous_names="")
    alone = replace(alone, ledger=replace(alone.ledger, standby=Standby.STALE))
    with pytest.raises(OperationRefused, match="degraded already"):
        Degrade().refuse(alone)


def test_protect_needs_somebody_who_follows() -> None:
    with pytest.raises(OperationRefused, match="protected already"):
        ProtectKind().refuse(healthy())
    assert red(ProtectKind(), with_report(healthy(), "db1", replication=()))["follows"] == NEVER


def test_rejoin_takes_a_stray_primary_but_not_what_commits_still_wait_for() -> None:
    with pytest.raises(OperationRefused, match="follows db1 already"):
        RejoinKind().refuse(healthy())
    stray = with_report(with_report(healthy(), "db1", replication=()), "db2", role=DatabaseRole.PRIMARY, writable=True)
    assert red(RejoinKind(), stray) == {"protection": BAD, "rogue-primary": WARNING}
    stray = replace(stray, ledger=replace(stray.ledger, standby=Standby.STALE))
    assert red(RejoinKind(), stray) == {"rogue-primary": WARNING}


def test_a_partner_is_known_by_its_name_without_case() -> None:
    named = with_report(healthy(), "db1", replication=(ReplicationRow("DB2", "streaming", "sync", 0, 0.0),))
    assert red(Switchover(), named) == {}
    assert red(Degrade(), named) == {"follows": BAD}
    with pytest.raises(OperationRefused, match="follows db1 already"):
        RejoinKind().refuse(named)


def test_rejoin_protects_at_its_end_and_so_asks_for_what_no_operation_mends() -> None:
    alone = with_report(healthy(), "db1", synchronous_names="", replication=(),
                        durability=Durability("", (), loose=(Loose("local", "tuiha_pool"),)))
    alone = replace(alone, ledger=replace(alone.ledger, standby=Standby.STALE))
    assert red(RejoinKind(), alone) == {"acknowledged": BAD}


def test_servers_whose_leases_last_longer_than_this_host_would_wait() -> None:
    short = replace(healthy(), lease=3.0)
    for kind in (Switchover(), Failover()):
        assert "lease" not in red(kind, replace(healthy(), lease=4.0))
        assert red(kind, short)["lease"] == BAD
    assert checks.leases(short).value == "up to 4.0 s left"


def test_the_lag_is_told_in_bytes_and_seconds() -> None:
    row = ReplicationRow("db2", "streaming", "sync", 17 * 1024 * 1024, 2.25)
    found = checks.lag(with_report(healthy(), "db1", replication=(row,)))
    assert (found.verdict, found.value, found.limit) == (
        CheckVerdict.BAD, "17,825,792 bytes, 2.2 s", "at most 16,777,216 bytes")


def test_leases_that_end_meanwhile_do_not_void_what_does_not_rest_on_them() -> None:
    """Commits wait for a secondary that is gone: while an operator reads the plan, the servers' leases end."""
    fenced = server("s1", report=ServerReport("s1", "west", "1", ServerState.CUT_OFF, ServerTarget.UP))
    ended = replace(healthy(), servers=(fenced, server("s2")))
    for kind in (Degrade(), Failover()):
        assert kind.server_facts(healthy()) == kind.server_facts(ended)
    assert Switchover().server_facts(healthy()) != Switchover().server_facts(ended)


def test_facts_change_with_roles_and_not_with_lag() -> None:
    def identity(sight: Sight) -> str:
        return plan_id("switchover", ("db2",), facts_of(sight))

    slow = with_report(healthy(), "db1", replication=(ReplicationRow("db2", "streaming", "sync", 9999, 1.0),))
    assert identity(slow) == identity(healthy()) == identity(with_report(healthy(), "db2", timeline=2))
    for other in (with_report(healthy(), "db1", timeline=2), with_report(healthy(), "db1", replication=()),
                  replace(healthy(), ledger=replace(healthy().ledger, epoch=5))):
        assert identity(other) != identity(healthy())


def test_the_outage_is_read_from_the_evidence() -> None:
    held = Done.HELD(servers=2, held_at=1795366738.5)
    served = Done.ATTACHED(servers=2, new="db2", requests=7, served_at=1795366738.62, later={"s3": "no"})
    assert outage({3: held, 10: served}, Moment.HELD) == {"outage_ms": 120.0}
    assert outage({3: held}, Moment.HELD) == {}


def test_since_when_nobody_was_served_is_told_beside_how_long_writes_were_held() -> None:
    """Devices wait since the primary died, not since an operator has confirmed a failover."""
    begun = Done.ANNOUNCED(phase="FAILOVER", active="db1", epoch=4, standby="SYNC", begun_at=1790000008.1)
    cut = Done.CUT_OFF(new="db2", renewed_at=1790000000.3)
    served = Done.ATTACHED(servers=2, new="db2", requests=3, served_at=1790000008.421, later={"s3": "no answer"})
    evidence = {1: begun, 2: cut, 9: served}
    assert Failover().outcome(cast(Any, None), evidence) == {"outage_ms": 321.0, "unserved_ms": 8121.0}
    assert Failover().outcome(cast(Any, None), {1: begun, 9: served}) == {"outage_ms": 321.0}
    assert moment({1: Done.NO_REWIND()}, Moment.HELD) is None


def test_names_that_postgresql_would_misread_are_quoted() -> None:
    assert followers("db2") == "FIRST 1 (db2)"
    assert followers("DB-2") == 'FIRST 1 ("DB-2")'


def test_a_token_is_not_sent_in_plain_text_to_another_host() -> None:
    sight = replace(healthy(), servers=(server("s1"), server("s2", address="http://192.0.2.1:80"),
                                        server("s3", address="https://192.0.2.1:80")))
    assert list(sight.told) == ["s1", "s3"]


def of_three() -> Sight:
    """Under Patroni: db0 stands by, db2 is in step."""
    standby = database(DatabaseRole.SECONDARY)
    rows = (ReplicationRow("db0", "streaming", "async", 0, 0.0), ReplicationRow("db2", "streaming", "sync", 0, 0.0))
    nodes = {"db0": (standby, "replica"), "db1": (database(DatabaseRole.PRIMARY, replication=rows), "leader"),
             "db2": (standby, "sync_standby")}
    return replace(healthy(), nodes={
        name: NodeSight(name, False, replace(report, managed=Managed(role, "streaming", "db1")), obstacles=NOTHING)
        for name, (report, role) in nodes.items()})


def test_of_three_the_partner_is_the_one_in_step_unless_another_is_named() -> None:
    assert about(of_three(), ()).partner.name == "db2"
    named = about(of_three(), ("db0",))
    assert named.partner.name == "db0"
    assert about(of_three(), ("db1",)).partner.name == "db2"  # the active one is no target: that is refused later


def test_who_is_not_in_step_is_no_candidate() -> None:
    for target, good in (("db2", True), ("db0", False)):
        sight = about(of_three(), (target,))
        assert [check.verdict == CheckVerdict.OK for check in (follows(sight), candidate(sight))] == [good, good]


def test_a_manager_may_have_commits_wait_for_all_of_its_secondaries() -> None:
    """Of three nodes Patroni names two: losing the leader loses nothing that either of them would lack."""
    rows = tuple(ReplicationRow(name, "streaming", "sync", 0, 0.0) for name in ("db0", "db2"))
    managed = with_report(of_three(), "db1", synchronous_names="2 (db0,db2)", replication=rows, durability=None)
    assert checks.protected(managed).verdict is CheckVerdict.OK
    ours = with_report(managed, "db1", managed=None)
    assert checks.protected(ours).verdict is not CheckVerdict.OK, "nobody keeps the other one from being the only one"

"""What a guard decides: each row of the table, what breaks it, what holds it back; and controls without a rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pytest

from tests.model.looks import (
    NOW,
    SERVERS,
    failing,
    healthy,
    primary,
    record,
    secondary,
    server,
    with_database,
    with_server,
)
from tuiha.model.facts import Look
from tuiha.model.guard import decide
from tuiha.model.guard.decide import GuardMemory, judge, sight_of
from tuiha.model.guard.report import (
    GuardAct,
    GuardHold,
    GuardNotes,
    GuardOrder,
    GuardOutlook,
    GuardPause,
    GuardSign,
    StandingOrders,
)
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import EpochRow, EpochState, Standby

ALL = StandingOrders({GuardOrder.FAILOVER: 3.0, GuardOrder.DEGRADE: 3.0, GuardOrder.REJOIN: 30.0,
                      GuardOrder.PROTECT: 10.0}, again=3600.0)
STEP = 0.25  # seconds between two looks
TRIED_IN_VAIN = dict.fromkeys(SERVERS, False)
NO_NOTES = GuardNotes()
Tried = Mapping[str, bool]
Told = Callable[[Look], Look]


class Watch:
    """A guard's looks, one after another, on a clock of its own."""

    def __init__(self, orders: StandingOrders = ALL, notes: GuardNotes = NO_NOTES) -> None:
        self.orders, self.notes, self.memory, self.at = orders, notes, GuardMemory(), 1000.0
        self.outlook: tuple[GuardOutlook, ...] = ()

    def see(self, look: Look, tried: Tried = TRIED_IN_VAIN, seconds: float = STEP) -> Watch:
        self.at += seconds
        look = replace(look, at=NOW + self.at - 1000.0)
        sight = sight_of(look, self.at, SERVERS, tried, lease=5.0)
        self.memory, self.outlook = judge(self.orders, sight, self.memory, self.notes)
        return self

    def lasting(self, look: Look, seconds: float, tried: Tried = TRIED_IN_VAIN) -> Watch:
        for _ in range(round(seconds / STEP)):
            self.see(look, tried)
        return self

    def acts_within(self, looks: Iterable[Look], tried: Tried = TRIED_IN_VAIN) -> list[GuardOrder]:
        given = []
        for look in looks:
            given += [one.order for one in self.see(look, tried).outlook if one.due]
        return given

    @property
    def first(self) -> GuardOutlook:
        return self.outlook[0]

    @property
    def due(self) -> list[GuardOrder]:
        return [one.order for one in self.outlook if one.due]


def unleased(look: Look, *names: str) -> Look:
    for name in names:
        look = with_server(look, server(name, lease_seconds=0.0))
    return look


def silent(look: Look, name: str, cause: Cause = Cause.SILENT) -> Look:
    polled = next(one for one in look.databases if one.name == name)
    return with_database(look, replace(failing(polled), cause=cause))


def with_record(look: Look, **fields: object) -> Look:
    return replace(look, ledger=record(**fields))


def primary_gone(cause: Cause = Cause.SILENT) -> Look:
    """db1 is gone for everybody, and db2 receives nothing."""
    look = with_database(unleased(healthy(), *SERVERS), secondary(receiving=False))
    return silent(look, "db1", cause)


def secondary_gone(cause: Cause = Cause.SILENT) -> Look:
    return silent(with_database(healthy(), primary(replication=())), "db2", cause)


STALE = EpochRow("east", 12, "db1", EpochState.ACTIVE, "STALE")


def unprotected(follows: bool) -> Look:
    """The pool works without db2, which answers, and follows or not."""
    look = with_record(healthy(), standby=Standby.STALE)
    rows = primary().report.replication if follows else ()  # type: ignore[union-attr]
    rows = tuple(replace(row, sync_state="async") for row in rows)
    return with_database(look, primary(replication=rows, synchronous_names="", epoch=STALE))


# Each order, with all its evidence


@pytest.mark.parametrize(("look", "order"), [
    (primary_gone(), GuardOrder.FAILOVER),
    (secondary_gone(), GuardOrder.DEGRADE),
    (unprotected(follows=False), GuardOrder.REJOIN),
    (unprotected(follows=True), GuardOrder.PROTECT),
])
def test_an_order_is_given_when_its_evidence_has_lasted_and_not_before(look: Look, order: GuardOrder) -> None:
    after = ALL.after[order]
    watch = Watch().see(look)
    watch.see(look)  # that the secondary receives nothing, two looks show
    watch.lasting(look, after - 2 * STEP)
    assert (watch.first.order, watch.first.missing, watch.due) == (order, (), [])
    assert 0 < (watch.first.wait or 0.0) <= 2 * STEP
    assert watch.lasting(look, 2 * STEP).due == [order]


def test_nothing_is_thought_of_while_all_is_well() -> None:
    assert Watch().lasting(healthy(), 60.0).outlook == ()


@pytest.mark.parametrize("order", list(GuardOrder))
def test_an_order_that_is_not_given_is_never_thought_of(order: GuardOrder) -> None:
    others = StandingOrders({one: after for one, after in ALL.after.items() if one is not order})
    for look in (primary_gone(), secondary_gone(), unprotected(follows=False), unprotected(follows=True)):
        assert order not in {one.order for one in Watch(others).lasting(look, 60.0).outlook}


@pytest.mark.parametrize(("look", "order"), [
    (primary_gone(Cause.REFUSED), GuardOrder.FAILOVER), (secondary_gone(Cause.REFUSED), GuardOrder.DEGRADE)])
def test_a_port_that_refuses_needs_a_third_of_the_time(look: Look, order: GuardOrder) -> None:
    assert Watch().see(look).lasting(look, 1.0 - STEP).due == []
    assert Watch().see(look).lasting(look, 1.0 + STEP).due == [order]


# What is missing


FAILOVER_LACKS: Mapping[str, tuple[Look, Tried, GuardSign]] = {
    "the ledger is in another phase": (
        with_record(primary_gone(), phase="SWITCHING"), TRIED_IN_VAIN, GuardSign.STEADY),
    "the ledger cannot be read": (
        replace(primary_gone(), ledger=failing(record())), TRIED_IN_VAIN, GuardSign.STEADY),
    "the ledger says STALE": (
        with_record(primary_gone(), standby=Standby.STALE), TRIED_IN_VAIN, GuardSign.SYNC),
    "the secondary's own row says DOUBTED": (
        with_database(primary_gone(), secondary(receiving=False, epoch=replace(STALE, standby="DOUBTED"))),
        TRIED_IN_VAIN, GuardSign.SYNC),
    "a server has a lease": (
        with_server(primary_gone(), server("s2", lease_seconds=1.0)), TRIED_IN_VAIN, GuardSign.NO_LEASE),
    "a server reaches it": (primary_gone(), TRIED_IN_VAIN | {"s3": True}, GuardSign.SERVERS_AGREE),
    "a server has not tried yet": (
        primary_gone(), {name: False for name in SERVERS if name != "s3"}, GuardSign.SERVERS_AGREE),
    "half of the servers answer": (
        with_server(with_server(primary_gone(), failing(server("s1"))), failing(server("s2"))), TRIED_IN_VAIN,
        GuardSign.MAJORITY),
    "a server uses another database": (
        with_server(primary_gone(), server("s1", database="db2")), TRIED_IN_VAIN, GuardSign.WHOLE),
    "a server knows of a copy": (
        with_server(primary_gone(), server("s1", lease_seconds=0.0, copy="another row")), TRIED_IN_VAIN,
        GuardSign.WHOLE),
    "the secondary is silent": (silent(primary_gone(), "db2"), TRIED_IN_VAIN, GuardSign.SECONDARY_READY),
    "the secondary is no secondary": (
        with_database(primary_gone(), primary("db2")), TRIED_IN_VAIN, GuardSign.SECONDARY_READY),
    "an operation has the pool": (
        with_record(primary_gone(), intent=json.dumps({
            "id": "1", "kind": "switchover", "owner": "ann", "host": "h", "since": NOW, "beat": NOW})),
        TRIED_IN_VAIN, GuardSign.FREE),
}


@pytest.mark.parametrize("case", FAILOVER_LACKS)
def test_a_failover_needs_all_of_its_evidence(case: str) -> None:
    look, tried, lacks = FAILOVER_LACKS[case]
    watch = Watch().lasting(look, 20.0, tried)
    outlook = next(one for one in watch.outlook if one.order is GuardOrder.FAILOVER)
    assert lacks in outlook.missing
    assert (outlook.wait, watch.due) == (None, [])


def test_a_failover_waits_while_the_secondary_receives() -> None:
    watch = Watch()
    looks = [with_database(primary_gone(), secondary(position=5_000_000 + number)) for number in range(80)]
    assert watch.acts_within(looks) == []
    assert GuardSign.NOTHING_RECEIVED in watch.first.missing


def test_a_rebalance_gives_way_to_a_failover() -> None:
    look = with_record(primary_gone(), intent=json.dumps({
        "id": "1", "kind": "rebalance", "owner": "ann", "host": "h", "since": NOW, "beat": NOW, "gives_way": True}))
    assert Watch().lasting(look, 5.0).due == [GuardOrder.FAILOVER]


DEGRADE_LACKS: Mapping[str, tuple[Look, Tried, GuardSign]] = {
    "the primary does not answer": (silent(secondary_gone(), "db1"), TRIED_IN_VAIN, GuardSign.NO_FOLLOWER),
    "the primary is fenced": (
        with_database(secondary_gone(), primary(replication=(), epoch=replace(STALE, state=EpochState.FENCED,
                                                                              standby="SYNC"))),
        TRIED_IN_VAIN, GuardSign.PRIMARY_ANSWERS),
    "few servers reach it": (unleased(secondary_gone(), "s1", "s2"), TRIED_IN_VAIN, GuardSign.SERVERS_REACH),
    "commits wait for nobody": (
        with_database(secondary_gone(), primary(replication=(), synchronous_names="")), TRIED_IN_VAIN,
        GuardSign.COMMITS_WAIT),
    "the ledger says STALE": (with_record(secondary_gone(), standby=Standby.STALE), TRIED_IN_VAIN, GuardSign.SYNC),
}


@pytest.mark.parametrize("case", DEGRADE_LACKS)
def test_a_degrade_needs_all_of_its_evidence(case: str) -> None:
    look, tried, lacks = DEGRADE_LACKS[case]
    watch = Watch().lasting(look, 20.0, tried)
    assert GuardOrder.DEGRADE not in watch.due
    found = [one for one in watch.outlook if one.order is GuardOrder.DEGRADE]
    assert all(lacks in one.missing for one in found)
    assert found or lacks in decide.RULES[GuardOrder.DEGRADE].reason


def test_servers_without_a_lease_that_reach_the_primary_count_for_a_degrade() -> None:
    look = unleased(secondary_gone(), *SERVERS)
    assert Watch().lasting(look, 20.0, {"s1": True, "s2": True, "s3": False, "s4": False}).due == []
    assert Watch().lasting(look, 20.0, {"s1": True, "s2": True, "s3": True, "s4": False}).due == [GuardOrder.DEGRADE]


def test_a_stopped_secondary_that_is_still_listed_confirms_nothing() -> None:
    old = healthy()
    for name in SERVERS:
        old = with_server(old, server(name, lease_seconds=2.5))
    assert Watch().lasting(silent(old, "db2"), 4.0).due == [GuardOrder.DEGRADE]
    assert Watch().lasting(silent(healthy(), "db2"), 60.0).due == [], "leases are renewed: somebody confirms"


def test_a_secondary_that_answers_and_is_in_step_is_not_given_up() -> None:
    old = healthy()
    for name in SERVERS:
        old = with_server(old, server(name, lease_seconds=0.5))
    assert Watch().lasting(old, 60.0).outlook == ()


@pytest.mark.parametrize("follows", [True, False])
def test_the_way_back_waits_for_a_steady_pool(follows: bool) -> None:
    look = unprotected(follows)
    assert Watch().lasting(unleased(look, "s1", "s2"), 120.0).due == []
    assert Watch().lasting(with_record(look, standby=Standby.STALE, phase="FAILOVER"), 120.0).due == []
    busy = json.dumps({"id": "1", "kind": "rebalance", "owner": "a", "host": "h", "since": NOW, "gives_way": True})
    assert Watch().lasting(with_record(look, standby=Standby.STALE, intent=busy), 120.0).due == []


def test_a_former_primary_that_came_back_as_one_is_rejoined() -> None:
    """It takes writes that no server sends. Servers on it would make the pool split: then nothing is done."""
    look = with_database(unprotected(follows=False), primary("db2", epoch=replace(STALE, epoch=11, active="db2")))
    assert Watch().lasting(look, 40.0).due == [GuardOrder.REJOIN]
    assert Watch().lasting(with_server(look, server("s1", database="db2")), 40.0).due == []


def test_nothing_is_done_without_a_pair_or_a_ledger() -> None:
    look = primary_gone()
    assert Watch().lasting(replace(look, ledger=None), 20.0).outlook == ()
    assert Watch().lasting(replace(look, databases=look.databases[:1]), 20.0).outlook == ()


# Time


@pytest.mark.parametrize("broken", [healthy(), with_server(primary_gone(), server("s2", lease_seconds=1.0))])
def test_one_look_without_the_evidence_begins_the_wait_again(broken: Look) -> None:
    watch = Watch().lasting(primary_gone(), 3.0)
    assert watch.see(broken).due == []
    assert watch.lasting(primary_gone(), 3.0).due == []
    assert watch.lasting(primary_gone(), 2 * STEP).due == [GuardOrder.FAILOVER]


def test_what_no_look_has_seen_does_not_count() -> None:
    """A guard that was stopped for long begins to count again when it wakes."""
    watch = Watch().lasting(primary_gone(), 2.0)
    assert watch.see(primary_gone(), seconds=30.0).due == []
    assert watch.lasting(primary_gone(), 3.0).due == [GuardOrder.FAILOVER]


def test_a_flapping_link_is_left_alone() -> None:
    looks = [primary_gone() if number // 10 % 2 else healthy() for number in range(400)]
    assert Watch().acts_within(looks) == []


def test_after_a_guards_degrades_the_way_back_takes_longer() -> None:
    acts = tuple(GuardAct(GuardOrder.DEGRADE, NOW - 100.0 * number, "g1", 12) for number in range(1, 4))
    look = unprotected(follows=True)
    waits = []
    for number in range(4):
        watch = Watch(notes=GuardNotes(acts=acts[:number])).see(look)
        waits.append(watch.first.wait)
    assert waits == [10.0, 10.0, 20.0, 40.0]
    old = GuardNotes(acts=tuple(replace(act, at=NOW - 7200.0) for act in acts))
    assert Watch(notes=old).see(look).first.wait == 10.0
    seen = GuardNotes(acts=acts, acknowledged=NOW - 1.0)
    assert Watch(notes=seen).see(look).first.wait == 10.0


# What holds an order back


def test_a_pause_holds_every_order_until_it_ends() -> None:
    notes = GuardNotes(pause=GuardPause(NOW + 30.0, NOW, "ann@bastion", "a disk is changed"))
    for look in (primary_gone(), secondary_gone(), unprotected(follows=True), unprotected(follows=False)):
        watch = Watch(notes=notes).lasting(look, 29.0)
        assert (watch.due, [held.hold for held in watch.first.held]) == ([], [GuardHold.PAUSED])
    assert Watch(notes=notes).lasting(primary_gone(), 31.0).due == [GuardOrder.FAILOVER]


FAILED_OVER = GuardAct(GuardOrder.FAILOVER, NOW - 600.0, "g1", 11)


def test_after_a_guards_failover_the_next_one_needs_an_operator() -> None:
    watch = Watch(notes=GuardNotes(acts=(FAILED_OVER,))).lasting(primary_gone(), 20.0)
    assert (watch.due, [held.hold for held in watch.first.held]) == ([], [GuardHold.ACKNOWLEDGE])
    assert watch.first.wait == 0.0, "the evidence is there; only the word of an operator is missing"


@pytest.mark.parametrize("notes", [
    GuardNotes(acts=(FAILED_OVER,), acknowledged=NOW - 1.0),
    GuardNotes(acts=(replace(FAILED_OVER, at=NOW - 3601.0),)),
    GuardNotes(acts=(replace(FAILED_OVER, epoch=12),)),  # it was written down, and never happened
    GuardNotes(acts=(replace(FAILED_OVER, order=GuardOrder.DEGRADE),)),
])
def test_what_holds_no_failover_back(notes: GuardNotes) -> None:
    assert Watch(notes=notes).lasting(primary_gone(), 5.0).due == [GuardOrder.FAILOVER]


def test_an_acknowledgement_of_before_is_none() -> None:
    notes = GuardNotes(acts=(FAILED_OVER,), acknowledged=NOW - 700.0)
    assert Watch(notes=notes).lasting(primary_gone(), 5.0).due == []


# Controls: with a rule taken out, a guard acts where it must not


def _without(monkeypatch: pytest.MonkeyPatch, order: GuardOrder, *signs: GuardSign) -> None:
    rule = decide.RULES[order]
    rules = {**decide.RULES, order: replace(rule, evidence=tuple(one for one in rule.evidence if one not in signs))}
    monkeypatch.setattr(decide, "RULES", rules)


def cut_off_with_few() -> Look:
    """The guard and one server are cut off from the pool with the secondary; the others work on."""
    look = primary_gone()
    for name in ("s2", "s3", "s4"):
        look = with_server(look, failing(server(name)))
    return look


def test_control_without_the_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watch().lasting(cut_off_with_few(), 20.0).due == []
    _without(monkeypatch, GuardOrder.FAILOVER, GuardSign.MAJORITY)
    assert Watch().lasting(cut_off_with_few(), 20.0).due == [GuardOrder.FAILOVER]


def test_control_without_the_secondarys_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary lives, and only the way of guard and servers to it is cut: the secondary still receives."""
    looks = [with_database(primary_gone(), secondary(position=5_000_000 + number // 4)) for number in range(80)]
    assert Watch().acts_within(looks) == []
    _without(monkeypatch, GuardOrder.FAILOVER, GuardSign.NOTHING_RECEIVED)
    assert GuardOrder.FAILOVER in Watch().acts_within(looks)


def test_control_without_again(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(notes=GuardNotes(acts=(FAILED_OVER,)))
    assert watch.lasting(primary_gone(), 20.0).due == []
    monkeypatch.setattr(decide, "to_acknowledge", lambda *_: None)
    assert watch.see(primary_gone()).due == [GuardOrder.FAILOVER]


def test_control_with_an_after_of_zero() -> None:
    """A stall of a second is over by itself: with a time of zero it would be a failover."""
    stall = [healthy(), *[primary_gone()] * 4, *[healthy()] * 40]
    assert Watch().acts_within(stall) == []
    hasty = replace(ALL, after={**ALL.after, GuardOrder.FAILOVER: 0.0})
    assert GuardOrder.FAILOVER in Watch(hasty).acts_within(stall)

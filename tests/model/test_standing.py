"""Which database is active, by everybody who names one; and whether the pool may count on the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.model.looks import EPOCH, failing, healthy, member, primary, record, secondary, server
from tuiha.model.conclude import conclude
from tuiha.model.databases.active import ActiveStanding, standing
from tuiha.model.databases.durability import Durability, Gap, LogReceiver
from tuiha.model.facts import Look
from tuiha.model.reports import ReplicationRow, Standby


def look(**parts: Any) -> Look:
    """A healthy pool's look, with some of its parts replaced."""
    return replace(healthy(), **parts)


def epoch(number: int, active: str, pool: str = "east", **fields: Any) -> Any:
    return replace(EPOCH, epoch=number, active=active, pool=pool, **fields)


NOBODY: dict[str, Any] = {"servers": (), "ledger": None}


def test_everything_of_a_whole_pool() -> None:
    found = standing(healthy(), None)
    assert (found.active, found.epoch, found.current, found.doubted) == ("db1", 12, True, False)
    assert found.primary is not None
    assert found.secondary is not None
    assert (found.primary.name, found.secondary.name) == ("db1", "db2")
    assert found.ledger is not None
    assert sorted(found.members) == ["s1", "s2", "s3", "s4"]
    assert sorted(found.mail) == ["mail1", "mail2"]
    assert found.primary_report is found.primary.report
    assert found.gaps == frozenset()


@pytest.mark.parametrize(("parts", "active", "number"), [
    ({"databases": (primary(epoch=epoch(12, "db1")), secondary(epoch=epoch(13, "db2")))}, "db2", 13),
    # In one epoch a database's word for itself counts more than another's word for it, and that more than a server's.
    ({"databases": (primary(epoch=epoch(12, "db1")), secondary(epoch=epoch(12, "db2")))}, "db2", 12),
    ({"databases": (primary(epoch=epoch(12, "db2")), secondary(epoch=epoch(12, "db3")))}, "db3", 12),
    ({"databases": (primary(epoch=epoch(12, "db1")), secondary(epoch=epoch(12, "db3")))}, "db1", 12),
    ({"databases": (), "ledger": record(active="db9"), "servers": (server("s1", database="db99"),)}, "db9", 12),
    ({"databases": (), "ledger": record(epoch=11), "servers": (server("s1", database="db8"),)}, "db8", 12),
    ({"databases": (), "ledger": record(epoch=13, active="db9")}, "db9", 13),
    # What is of another pool, or says nothing, names nobody.
    ({**NOBODY, "databases": (primary(epoch=epoch(12, "db1")), secondary(epoch=epoch(99, "db2", "west")))}, "db1", 12),
    ({"databases": (), "servers": (), "ledger": record(pool="west", active="db9")}, None, None),
    ({"databases": (), "ledger": None, "servers": (server("s1", pool="west"),)}, None, None),
    ({"databases": (), "ledger": None, "servers": (server("s1", database=None),)}, None, None),
    ({"databases": (), "ledger": None, "servers": (server("s1", epoch=None),)}, None, None),
    ({"databases": (), "servers": (), "ledger": replace(record(), report=None)}, None, None),
    ({"databases": (), "ledger": None, "servers": (replace(server("s1"), report=None),)}, None, None),
    ({**NOBODY, "databases": (replace(primary(), report=None), secondary(epoch=None))}, None, None),
    # Without anybody's word it is the only one that can be written.
    ({**NOBODY, "databases": (primary(epoch=None), secondary(epoch=None))}, "db1", None),
    ({**NOBODY, "databases": (primary(epoch=None), primary("db2", epoch=None))}, None, None),
    ({**NOBODY, "databases": (failing(primary(epoch=None)), secondary(epoch=None))}, None, None),
])
def test_who_is_active(parts: dict[str, Any], active: str | None, number: int | None) -> None:
    found = standing(look(**parts), None)
    assert (found.active, found.epoch) == (active, number)
    assert found.primary is None or found.primary.name == active


def test_what_was_known_before_counts_when_nobody_says_anything() -> None:
    before = conclude(healthy())
    silent = look(**NOBODY, databases=())
    assert (standing(silent, before).active, standing(silent, before).epoch) == ("db1", 12)
    seen = look(**NOBODY, databases=(secondary("db1", epoch=None), primary("db2", epoch=None)))
    assert standing(seen, before).active == "db2", "what can be seen counts more"


def test_members_come_from_the_active_database_and_from_the_other_while_it_is_silent() -> None:
    db1 = primary(members=(member("s1"),))
    db2 = secondary(members=(member("s2"),))
    assert list(standing(look(databases=(db1, db2)), None).members) == ["s1"]
    silent = standing(look(databases=(failing(db1), db2)), None)
    assert (list(silent.members), silent.current, silent.primary_report) == (["s2"], True, None)
    both = standing(look(databases=(failing(db1), failing(db2))), None)
    assert (list(both.members), both.current, both.members_at) == (["s1"], False, None)
    assert silent.members_at == db2.seen_at
    alone = standing(look(databases=(failing(db1),)), None)
    assert (list(alone.members), alone.current, alone.secondary) == (["s1"], False, None)
    none = standing(look(databases=()), None)
    assert (none.members, none.mail, none.current, none.primary) == ({}, {}, False, None)


@pytest.mark.parametrize(("row", "doubted"), [
    (epoch(12, "db1", standby="DOUBTED"), True),
    (epoch(12, "db1"), False),
    (epoch(11, "db1", standby="DOUBTED"), False),
    (epoch(12, "db1", "west", standby="STALE"), False),
    (None, False),
])
def test_whether_the_secondary_is_doubted(row: Any, doubted: bool) -> None:
    assert standing(look(databases=(primary(), secondary(epoch=row))), None).doubted is doubted


@pytest.mark.parametrize(("other", "doubted"), [(secondary(), False), (failing(secondary()), True)])
def test_a_doubt_of_a_lost_database_counts_while_no_other_one_answers(other: Any, doubted: bool) -> None:
    """The pool was protected again between the last poll of the primary and its loss: the secondary's row says so."""
    lost = failing(primary(epoch=epoch(12, "db1", standby="STALE")))
    assert standing(look(databases=(lost, other)), None).doubted is doubted


def stand(**fields: Any) -> ActiveStanding:
    return replace(standing(healthy(), None), **fields)


@pytest.mark.parametrize(("fields", "kept"), [
    ({}, True), ({"doubted": True}, False), ({"ledger": None}, True), ({"ledger": None, "doubted": True}, False),
    ({"ledger": record(standby=Standby.STALE).report}, False),
])
def test_whether_the_pool_counts_on_the_secondary(fields: dict[str, Any], kept: bool) -> None:
    assert stand(**fields).kept is kept


@pytest.mark.parametrize(("fields", "withheld"), [
    ({}, False),
    ({"gaps": frozenset({Gap.NOBODY})}, True),
    ({"gaps": frozenset({Gap.ABSENT})}, False),  # commits wait
    ({"gaps": frozenset({Gap.NOBODY}), "doubted": True}, False),
    ({"gaps": frozenset({Gap.NOBODY}), "primary": None}, False),
    ({"gaps": frozenset({Gap.NOBODY}), "primary": failing(primary())}, False),
    ({"gaps": frozenset({Gap.NOBODY}), "primary": primary(managed=object())}, False),
])
def test_whether_servers_take_no_lease(fields: dict[str, Any], withheld: bool) -> None:
    assert stand(**fields).withheld is withheld


def test_holes_are_gaps_that_let_commits_through() -> None:
    assert stand(gaps=frozenset({Gap.NOBODY, Gap.ABSENT})).holes == {Gap.NOBODY}


def follower(name: str, sync_state: str) -> ReplicationRow:
    return ReplicationRow(name, "streaming", sync_state, 0, None)


def waiting(*rows: ReplicationRow) -> Any:
    return primary(replication=rows)


@pytest.mark.parametrize(("databases", "chosen"), [
    ((waiting(), secondary("db2"), secondary("db3")), "db2"),
    ((waiting(), failing(secondary("db2")), secondary("db3")), "db3"),
    ((waiting(), failing(secondary("db2")), failing(secondary("db3"))), "db2"),
    ((waiting(follower("DB3", "sync")), secondary("db2"), secondary("db3")), "db3"),
    ((waiting(follower("db3", "sync")), secondary("db2"), failing(secondary("db3"))), "db3"),
    ((waiting(follower("db3", "async")), secondary("db2"), secondary("db3")), "db2"),
    ((waiting(follower("db3", "sync"), follower("other", "sync")), secondary("db2"), secondary("db3")), "db3"),
    ((waiting(), ), None),
])
def test_of_several_the_one_in_step_is_the_secondary(databases: Any, chosen: str | None) -> None:
    found = standing(look(databases=databases), None).secondary
    assert (None if found is None else found.name) == chosen


def test_gaps_are_of_the_active_databases_newest_poll() -> None:
    durable = Durability("", (LogReceiver("db2", "streaming", "async", "db2"),), ("db2",))
    open_ = primary(durability=durable, synchronous_names="")
    found = standing(look(databases=(open_, secondary())), None).gaps
    assert Gap.NOBODY in found
    assert standing(look(databases=(failing(open_), secondary())), None).gaps == frozenset()
    assert standing(look(databases=(open_,)), None).gaps == frozenset()
    assert Gap.NOBODY not in standing(look(databases=(primary(), secondary())), None).gaps


def test_under_a_manager_any_of_its_secondaries_may_be_waited_for() -> None:
    durable = Durability("ANY 1 (db2, db3)", (LogReceiver("db2", "streaming", "quorum", "db2"),), ("db2",))
    three = (secondary("db2"), secondary("db3"))
    alone = primary(durability=durable)
    assert Gap.QUORUM in standing(look(databases=(alone, *three)), None).gaps
    managed = primary(durability=durable, managed=object())
    assert standing(look(databases=(managed, *three)), None).gaps == frozenset()

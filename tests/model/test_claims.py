"""Who counts as a user of a database, one rule at a time: for a split, and for a dispute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.model.looks import EPOCH, NOW, SYSTEM, failing, healthy, member, primary, record, secondary, server
from tuiha.model.codes import Dispute, Evidence, Place, Split
from tuiha.model.databases.active import standing
from tuiha.model.databases.split import MARGIN, Claim, dispute, split
from tuiha.model.facts import Look
from tuiha.model.reports import EpochState, ServerState, SessionRow
from tuiha.model.rules import Rules

SECOND = replace(EPOCH, epoch=13, active="db2")


def look(**parts: Any) -> Look:
    return replace(healthy(), **parts)


@pytest.mark.parametrize(("one", "other", "elsewhere"), [
    (("db1", "1"), ("db1", "1"), False), (("db1", "1"), ("db2", "1"), True), (("db1", "1"), ("db1", "2"), True),
    (("db1", None), ("db1", "2"), False), (("db1", "1"), ("db1", None), False), (("db1", None), ("db2", None), True),
])
def test_what_is_another_physical_database(one: Any, other: Any, elsewhere: bool) -> None:
    first, second = (Claim("s1", True, name, system, 1, 0.0, 1.0) for name, system in (one, other))
    assert first.elsewhere(second) is elsewhere


def test_a_server_that_knows_that_it_is_on_a_copy() -> None:
    told = server("s1", copy="db2 lacks its renewal")
    assert split(look(servers=(told, server("s2"))), healthy(NOW - 1)) == Split(
        Evidence.COPY, (Place("", ("s1",), reason="db2 lacks its renewal"),))
    assert split(look(servers=(failing(told), server("s2"))), healthy(NOW - 1)) is None
    silent = replace(server("s1"), report=None)
    assert split(look(servers=(silent, server("s2"))), healthy(NOW - 1)) is None


OTHER = server("s2", database="db2", epoch=13)


@pytest.mark.parametrize(("servers", "counts"), [
    ((server("s1"), OTHER), True),
    ((server("s1"), failing(OTHER)), False),
    ((server("s1"), replace(OTHER, report=None)), False),
    ((server("s1"), server("s2", database="db2", epoch=13, pool="west")), False),
    ((server("s1"), server("s2", database=None, epoch=13)), False),
    ((server("s1"), server("s2", database="db2", epoch=13, lease_seconds=0.0)), False),
])
def test_which_servers_use_a_database(servers: Any, counts: bool) -> None:
    found = split(look(servers=servers, databases=(secondary("db1"), secondary("db2"))), None)
    assert (found is not None) is counts


WRITES = primary("db2", epoch=SECOND, sessions=())


@pytest.mark.parametrize(("databases", "counts"), [
    ((primary(sessions=()), WRITES), True),
    ((replace(primary(sessions=()), report=None), WRITES), False),
    ((failing(primary(sessions=())), WRITES), False),
    ((primary(sessions=(), epoch=None), WRITES), False),
    ((primary(sessions=(), writable=False), WRITES), False),
    ((primary(sessions=(), epoch=replace(EPOCH, pool="west")), WRITES), False),
    ((primary(sessions=(), epoch=replace(EPOCH, state=EpochState.FENCED)), WRITES), False),
    ((secondary("db0", sessions=()), primary(sessions=()), WRITES), True),
])
def test_which_databases_call_themselves_the_pools(databases: Any, counts: bool) -> None:
    assert (split(look(servers=(), databases=databases), None) is not None) is counts


def test_the_claim_of_the_older_epoch_must_have_been_made_after_the_other_was_seen() -> None:
    early, late = server("s1", NOW), server("s2", NOW + 1, database="db2", epoch=13)
    both = look(servers=(early, late), databases=())
    assert split(both, look(servers=(), databases=())) is None
    seen = look(servers=(server("s2", NOW - 1, database="db2", epoch=13),), databases=())
    assert split(both, seen) is not None
    elsewhere = look(servers=(server("s2", NOW - 1, epoch=12),), databases=())
    assert split(both, elsewhere) is None
    another = look(servers=(server("s3", NOW - 1, database="db2", epoch=13),), databases=())
    assert split(both, another) is None
    after = look(servers=(server("s1", NOW + 2), late), databases=())
    found = split(after, look(servers=(), databases=()))
    assert found == Split(Evidence.CLAIMS, (Place("db1", ("s1",)), Place("db2", ("s2",))), ())


def test_a_poll_that_was_sent_as_the_other_was_seen_counts_and_so_does_one_that_names_no_epoch() -> None:
    late = server("s2", NOW, database="db2", epoch=13)
    sent = replace(server("s1", NOW), duration_ms=0.0)
    assert split(look(servers=(sent, late), databases=()), look(servers=(), databases=())) is not None
    for epochs in ((None, 13), (12, None), (None, None)):
        servers = (server("s1", epoch=epochs[0]), server("s2", database="db2", epoch=epochs[1]))
        assert split(look(servers=servers, databases=()), None) is not None


def test_two_systems_behind_one_name_are_told_apart() -> None:
    servers = (server("s1"), server("s2", system_identifier="9"))
    found = split(look(servers=servers, databases=(primary(sessions=()),)), None)
    assert found == Split(Evidence.CLAIMS, (Place("db1", ("s1",), SYSTEM), Place("db1", ("s2",), "9")), ("db1",))


def test_sessions_on_both_databases() -> None:
    one = primary(sessions=(SessionRow("s2", 1), SessionRow("s1", 3), SessionRow("s3", 0)))
    other = primary("db2", sessions=(SessionRow("s4", 1),), epoch=None)
    both = look(servers=(), databases=(one, other))
    expected = Split(Evidence.SESSIONS, (Place("db1", ("s1", "s2")), Place("db2", ("s4",))))
    assert split(both, None) == expected
    assert split(both, both) == expected
    calm = look(servers=(), databases=(one, replace(other, report=None)))
    assert split(both, calm) is None
    assert split(calm, both) is None
    assert split(look(servers=(), databases=(one, failing(other))), None) is None
    empty = primary("db2", sessions=(SessionRow("s4", 0),), epoch=None)
    assert split(look(servers=(), databases=(one, empty)), None) is None


UNHEARD = (member("s1", alive=False, leased=False),)


@pytest.mark.parametrize(("database", "told", "counts"), [
    (primary(members=UNHEARD), server("s1"), True),
    (primary(members=(member("s1", alive=True, leased=False),)), server("s1"), False),
    (primary(members=(member("s1", alive=False, leased=True),)), server("s1"), False),
    (replace(primary(members=UNHEARD), report=None), server("s1"), False),
    (failing(primary(members=UNHEARD)), server("s1"), False),
    (primary(members=UNHEARD, writable=False), server("s1"), False),
    (primary(members=UNHEARD, epoch=None), server("s1"), False),
    (primary(members=UNHEARD, epoch=replace(EPOCH, state=EpochState.FENCED)), server("s1"), False),
    (primary(members=UNHEARD), server("s2"), False),
    (primary(members=UNHEARD), failing(server("s1")), False),
    (primary(members=UNHEARD), replace(server("s1"), report=None), False),
    (primary(members=UNHEARD), server("s1", lease_seconds=0.0), False),
    (primary(members=UNHEARD), server("s1", database="db2"), False),
])
def test_a_lease_that_its_database_has_not_heard_of(database: Any, told: Any, counts: bool) -> None:
    now = look(servers=(told,), databases=(secondary("db0", members=UNHEARD), database))
    expected = Split(Evidence.UNHEARD, (Place("db1", ("s1",)),))
    assert (split(now, now) == expected) is counts
    if counts:
        assert split(now, None) == expected
        assert split(now, look(servers=(), databases=(database,))) is None, "one look may have caught a new server"


# A dispute

RULES = Rules(lease=5.0)
DOWN = failing(primary(), failures=RULES.down_after, since=NOW - 4)


def disputed(now: Look, earlier: Look | None = None) -> Dispute | None:
    return dispute(now, earlier, standing(now, None), RULES)


def renewed(at: float, left: float = 5.0, **fields: Any) -> Any:
    return replace(server("s1", at, lease_seconds=left, **fields), duration_ms=0.0)


@pytest.mark.parametrize(("told", "counts"), [
    (renewed(NOW - 4 + MARGIN + 0.1), True),
    (renewed(NOW - 4 + MARGIN), False),
    (renewed(NOW - 4 + MARGIN + 0.6, left=4.5), True),  # it was renewed half a second before
    (renewed(NOW - 4 + MARGIN + 0.5, left=4.5), False),
    (renewed(NOW - 4 + MARGIN + 0.1, left=9.0), True),  # never later than the poll
    (replace(renewed(NOW - 4 + MARGIN + 0.1), duration_ms=200.0), False),  # the poll was sent before
    (replace(renewed(NOW), report=None), False),
    (replace(renewed(NOW), seen_at=None), False),
    (renewed(NOW, database="db2"), False),
    (renewed(NOW, left=0.0), False),
])
def test_a_renewal_after_the_watchers_first_failure_is_a_dispute(told: Any, counts: bool) -> None:
    found = disputed(look(servers=(told,), databases=(DOWN, secondary())))
    assert found == (Dispute("db1", ("s1",), renewed=True) if counts else None)


def test_few_failures_are_no_dispute_and_an_unknown_beginning_is_now() -> None:
    few = replace(DOWN, failures=RULES.down_after - 1)
    assert disputed(look(servers=(renewed(NOW),), databases=(few, secondary()))) is None
    unknown = replace(DOWN, failing_since=None)
    late = look(servers=(renewed(NOW + MARGIN + 0.1),), databases=(unknown, secondary()))
    assert disputed(late) is not None
    assert disputed(look(servers=(renewed(NOW + MARGIN),), databases=(unknown, secondary()))) is None
    assert disputed(look(servers=(renewed(NOW),), databases=())) is None


def away(name: str, **fields: Any) -> Any:
    values: dict[str, Any] = {"state": ServerState.CUT_OFF, "lease_seconds": 0.0, "database": None} | fields
    return server(name, **values)


AWAY = (away("s2"), away("s1"))


@pytest.mark.parametrize(("parts", "counts"), [
    ({}, True),
    ({"servers": (away("s1", state=ServerState.WAITING), away("s2"))}, True),
    ({"servers": ()}, False),
    ({"servers": (*AWAY, server("s3"))}, False),  # somebody has a lease
    ({"servers": (*AWAY, failing(server("s3")))}, True),  # who does not answer says nothing
    ({"servers": (away("s1"), away("s2", lease_seconds=1.0))}, False),
    ({"servers": (away("s1"), away("s2", state=ServerState.UP))}, False),
    ({"servers": (*AWAY, replace(server("s3"), report=None))}, True),
    ({"databases": (primary(writable=False), secondary())}, False),
    ({"databases": (primary(epoch=None), secondary())}, False),
    ({"databases": (primary(epoch=replace(EPOCH, state=EpochState.FENCED)), secondary())}, False),
    ({"databases": (primary(), failing(secondary()))}, False),  # commits wait for it
    ({"databases": (primary(),)}, False),
    ({"databases": (primary(replication=()), secondary())}, False),
    ({"databases": (primary(replication=(), synchronous_names=""), secondary()), "ledger": None}, False),
    ({"databases": (failing(primary(), failures=1), secondary())}, False),
])
def test_servers_that_all_lost_a_database_which_could_commit_dispute_it(parts: dict[str, Any], counts: bool) -> None:
    now = look(**({"servers": AWAY, "ledger": record()} | parts))
    names = tuple(sorted(s.name for s in now.servers if s.fresh))
    assert disputed(now, now) == (Dispute("db1", names, renewed=False) if counts else None)
    assert disputed(now) is None, "one look may have caught them on their way"


def test_a_server_that_lost_it_only_now_disputes_nothing() -> None:
    now = look(servers=AWAY)
    assert disputed(now, look(servers=(away("s2"), server("s1")))) is None
    assert disputed(now, look(servers=(*AWAY, away("s3")))) is not None

"""What lets a commit be acknowledged without the partner, and what mends it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.model.looks import SERVERS, healthy, primary, with_database
from tuiha.drivers.databases.durability import read
from tuiha.model.check.finding import Level
from tuiha.model.check.findings import ExpectedPool, findings
from tuiha.model.conclude import conclude
from tuiha.model.databases.active import standing
from tuiha.model.databases.durability import Durability, Gap, LogReceiver, gaps, same_name
from tuiha.model.reports import ReplicationRow
from tuiha.words.obstacles import remedy

ALL: dict[str, Any] = {"value": "off", "role": None, "database": None}


def asked(*settings: dict[str, Any], value: str = "on", source: str = "client") -> Durability:
    """The active database's answer, with these settings of roles and databases, and the session's own."""
    row = {"name": "db2", "state": "streaming", "sync_state": "sync", "slot": "db2"}
    return read({"names": "FIRST 1 (db2)", "followers": json.dumps([row]), "slots": '["db2"]',
                 "settings": json.dumps(settings), "session": json.dumps({"value": value, "source": source})})


@pytest.mark.parametrize(("found", "mends"), [
    (asked(ALL), "ALTER ROLE ALL RESET synchronous_commit"),
    (asked(ALL, value="off", source="global"), "ALTER ROLE ALL RESET synchronous_commit"),
    (asked(value="off", source="configuration file"), "synchronous_commit = on"),
    (asked(ALL | {"role": "tuiha_pool"}), "ALTER ROLE tuiha_pool RESET synchronous_commit"),
    (asked(ALL | {"database": "tuiha"}), 'ALTER DATABASE "tuiha" RESET synchronous_commit'),
])
def test_a_setting_is_reset_where_it_was_made(found: Durability, mends: str) -> None:
    assert remedy(found, "db2", gaps(found, "db2", "db2")) == mends


@pytest.mark.parametrize(("names", "sync_state", "found"), [
    ("FIRST 1 (db2)", "sync", set()), ("db2", "sync", set()), ("ANY 1 (db2)", "quorum", set()),
    ("ANY 1 (db2, archive)", "quorum", {Gap.QUORUM, Gap.SEVERAL}), ("ANY 1 (*)", "quorum", {Gap.ANYBODY}),
    ("ANY 1 (archive)", "async", {Gap.ANOTHER, Gap.BEHIND}),
    ("db2, DB2", "sync", set()), ("ANY 1 (db2, db2)", "quorum", set()), ("2 (db2, archive)", "sync", {Gap.SEVERAL}),
    ("2 (db2)", "sync", {Gap.MORE}), ("ANY 3 (db2, db2)", "quorum", {Gap.MORE}),
    ("2 (archive)", "async", {Gap.ANOTHER, Gap.BEHIND}),
])
def test_a_quorum_of_one_waits_for_exactly_that_one(names: str, sync_state: str, found: set[Gap]) -> None:
    follower = LogReceiver("db2", "streaming", sync_state, "db2")
    assert gaps(Durability(names, (follower,), ("db2",)), "db2", "db2") == found


def test_names_are_compared_without_case_as_postgresql_does() -> None:
    """A partner whose primary_conninfo says application_name=DB2 is waited for."""
    assert same_name("DB2", "db2")
    assert not same_name("db20", "db2")
    assert not same_name(None, "db2")
    follower = LogReceiver("DB2", "streaming", "sync", "db2")
    look = with_database(healthy(), primary(
        synchronous_names="FIRST 1 (db2)", replication=(ReplicationRow("DB2", "streaming", "sync", 0, None),),
        durability=Durability("FIRST 1 (db2)", (follower,), ("db2",))))
    expected = ExpectedPool(frozenset(SERVERS), None, ledger=True, operator=True)
    assert [one for one in findings(look, standing(look, None), expected) if one.level is not Level.OK] == []
    assert (conclude(look).protection, conclude(look).problems) == (conclude(healthy()).protection, ())


OTHERS = frozenset({"db3"})


@pytest.mark.parametrize(("names", "followers", "found"), [
    ("ANY 1 (db2, db3)", ("db2", "db3"), set()),
    ("ANY 1 (DB2, db3)", ("db2", "DB3"), set()),
    ("db2", ("db2",), set()),
    ("ANY 1 (db2, db4)", ("db2",), {Gap.ANOTHER}),
    ("db4", ("db2",), {Gap.ANOTHER}),
    ("", ("db2",), {Gap.NOBODY}),
    ("*", ("db2",), {Gap.ANYBODY}),
    ("ANY 1 (db2, db3)", ("db2", "db4"), {Gap.OTHERS}),
    ("ANY 1 (db2, db3)", ("db3",), {Gap.ABSENT}),
])
def test_under_a_manager_commits_may_wait_for_any_of_its_databases(
    names: str, followers: tuple[str, ...], found: set[Gap]
) -> None:
    durable = Durability(names, tuple(LogReceiver(name, "streaming", "quorum", name) for name in followers))
    assert gaps(durable, "db2", "db2", OTHERS) == found

"""What the doctor advises: each limit from both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.model.looks import failing, healthy, member, primary, server, with_database, with_members, with_server
from tuiha.model.check.doctor import WANTED, advice
from tuiha.model.check.finding import Level
from tuiha.model.check.inspection import (
    AccessRule,
    Certificate,
    Collation,
    DatabaseInspection,
    Front,
    Inspection,
    OpenFile,
    RoleAccess,
    RoleRights,
)
from tuiha.model.databases.active import standing
from tuiha.model.databases.obstacles import SIZES
from tuiha.model.facts import Look
from tuiha.model.reports import ReplicationRow
from tuiha.model.users.mailboxes import Mailbox, Spelled
from tuiha.model.users.names import NameRule
from tuiha.words.findings import said

GOOD: Mapping[str, str] = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "wal_level": "replica", "hot_standby": "on",
    "max_wal_senders": "8", "max_replication_slots": "8", "wal_keep_size": "1024", "max_slot_wal_keep_size": "16384",
    "wal_receiver_timeout": "5000", "wal_sender_timeout": "5000", "password_encryption": "scram-sha-256",
    "wal_log_hints": "on", "data_checksums": "off", "ssl": "on", "max_connections": "200",
    "synchronous_standby_names": "FIRST 1 (db2)", "tcp_user_timeout": "8000", "recovery_min_apply_delay": "0",
    "recovery_target_timeline": "latest",
}
AUTO = {"synchronous_standby_names": "/data/postgresql.auto.conf", "fsync": "/etc/tuiha.conf"}
COORDINATOR = RoleRights("tuiha_coordinator", True, parameters=(
    "primary_conninfo", "primary_slot_name", "synchronous_standby_names"))
ROLES = {"pool": RoleRights("tuiha_pool", True, writes=("binding",), reads_hashes=True),
         "watcher": RoleRights("tuiha_watch", True), "coordinator": COORDINATOR}
SEEN = Inspection(
    databases=(DatabaseInspection("db1", GOOD, AUTO, 0.01, ROLES), DatabaseInspection("db2", GOOD, AUTO, -0.01, ROLES)),
    certificates=(Certificate("s1", "s1:8443", 90.0),), capacities={f"s{number}": 2000 for number in range(1, 5)})


def told(seen: Inspection, look: Look | None = None) -> list[tuple[str, Level, str]]:
    """Subject, level and text of what is not ok; each says what it means and what to do."""
    look = look or healthy()
    wrong = [one for one in advice(look, standing(look, None), seen) if one.level is not Level.OK]
    assert all(said(one).means and said(one).fix for one in wrong)
    return [(one.subject, one.level, said(one).what) for one in wrong]


def db1(seen: Inspection = SEEN, **changes: Any) -> Inspection:
    first, second = seen.databases
    return replace(seen, databases=(replace(first, **changes), second))


def test_a_pool_that_is_set_up_as_the_document_says_has_nothing_to_be_told() -> None:
    assert told(SEEN) == []
    said = {one.subject for one in advice(healthy(), standing(healthy(), None), SEEN)}
    assert {"db1", "db2", "clocks", "certificates"} <= said


def test_certificates_that_nobody_verifies_are_named() -> None:
    [(subject, level, what)] = told(replace(SEEN, unverified=("mail.west.tls",)))
    assert (subject, level) == ("mail.west.tls", Level.BAD)
    assert "any certificate is accepted" in what


@pytest.mark.parametrize(("setting", "value", "level"), [
    ("fsync", "off", Level.BAD), ("full_page_writes", "off", Level.BAD), ("synchronous_commit", "local", Level.BAD),
    ("synchronous_commit", "remote_write", Level.BAD), ("wal_level", "minimal", Level.BAD),
    ("hot_standby", "off", Level.BAD), ("max_wal_senders", "1", Level.BAD), ("max_replication_slots", "0", Level.BAD),
    ("wal_keep_size", "0", Level.WARNING), ("max_slot_wal_keep_size", "-1", Level.WARNING),
    ("wal_receiver_timeout", "60000", Level.WARNING),
    ("tcp_user_timeout", "0", Level.WARNING), ("recovery_min_apply_delay", "60000", Level.BAD),
    ("recovery_target_timeline", "1", Level.BAD),
    ("wal_sender_timeout", "0", Level.WARNING), ("password_encryption", "md5", Level.WARNING),
])
def test_each_setting(setting: str, value: str, level: Level) -> None:
    both = replace(SEEN, databases=tuple(replace(one, settings={**GOOD, setting: value}) for one in SEEN.databases))
    assert told(both) == [(name, level, f"{setting} is {value}") for name in ("db1", "db2")]


def test_every_setting_has_a_case_above() -> None:
    marks = test_each_setting.pytestmark  # type: ignore[attr-defined]
    cases = {mark.args[1][index][0] for mark in marks for index in range(len(mark.args[1]))}
    assert cases == {wanted.name for wanted in WANTED}


def test_settings_that_depend_on_others() -> None:
    assert told(db1(settings={**GOOD, "wal_log_hints": "off"}))[0][1] is Level.WARNING
    assert told(db1(settings={**GOOD, "wal_log_hints": "off", "data_checksums": "on"})) == []
    assert told(db1(settings={**GOOD, "ssl": "off"})) == [("db1", Level.BAD, "ssl is off")]
    assert told(replace(db1(settings={**GOOD, "ssl": "off"}), tls=False)) == []
    pinned = db1(files={"synchronous_standby_names": "/etc/postgresql.conf"})
    assert told(pinned) == [("db1", Level.BAD, "synchronous_standby_names is written in /etc/postgresql.conf")]


@pytest.mark.parametrize("name", SIZES)
def test_what_must_be_as_large_on_each(name: str) -> None:
    seen = replace(SEEN, databases=tuple(replace(one, settings={**GOOD, name: "300"}) for one in SEEN.databases))
    assert told(seen) == []
    first, second = seen.databases
    less = replace(seen, databases=(first, replace(second, settings={**second.settings, name: "299"})))
    assert told(less) == [(name, Level.BAD, "db1: 300; db2: 299")]


def test_what_a_change_of_roles_loses_or_needs() -> None:
    assert told(db1(unlogged=("scratch",))) == [("db1", Level.WARNING, "tables scratch are unlogged")]
    assert told(db1(slots=8)) == [("db1", Level.WARNING, "all 8 replication slots are in use")]
    assert told(db1(slots=7)) == []


def test_collations() -> None:
    own = Collation("", "2.31", "2.31")
    first, second = SEEN.databases
    seen = replace(SEEN, databases=(replace(first, collations=(own,)), replace(second, collations=(own,))))
    assert told(seen) == []
    differ = replace(seen, databases=(seen.databases[0], replace(second, collations=(replace(own, actual="2.36"),))))
    assert told(differ) == [
        ("db2", Level.BAD, "database tuiha was created with collation version 2.31, but this host has 2.36"),
        ("collations", Level.BAD, "the database: versions differ between the hosts: db1: 2.31; db2: 2.36")]
    assert told(db1(collations=(Collation("", "2.31", None), Collation("de", None, "153")))) == []


def test_who_is_let_in() -> None:
    def role(**changes: Any) -> Inspection:
        return db1(accesses={"pool": RoleAccess("tuiha_pool", **changes)})

    assert told(role()) == []
    assert told(role(login=False)) == [("db1", Level.BAD, "role tuiha_pool may not log in")]
    assert told(role(valid_days=-1.0)) == [
        ("db1", Level.BAD, "the password of role tuiha_pool is no longer valid (VALID UNTIL)")]
    assert told(role(valid_days=29.5)) == [
        ("db1", Level.WARNING, "the password of role tuiha_pool is valid for 29 days more (VALID UNTIL)")]
    assert told(role(valid_days=31.0)) == []
    assert told(role(limit=67)) == [("db1", Level.WARNING, "role tuiha_pool has CONNECTION LIMIT 67")]
    assert told(role(limit=68)) == []
    assert told(db1(connection_limit=72)) == [("db1", Level.WARNING, "database tuiha has CONNECTION LIMIT 72")]
    assert told(db1(connection_limit=73)) == []


def test_leases_and_fronts_and_unverified_certificates() -> None:
    assert told(db1(leases={"s1": 5.0, "s2": 8.0})) == [
        ("s2", Level.WARNING, "its leases last 8 s, lease.seconds is 5 s here")]

    def front(**changes: Any) -> Inspection:
        return replace(SEEN, fronts=(Front("spray1", "sync:443", False, **changes),))

    assert told(front(days=90.0)) == []
    assert told(front(days=6.5)) == [
        ("spray1", Level.BAD, "its certificate for devices at sync:443 expires in 6 days")]
    assert told(front(secure=False)) == [("spray1", Level.BAD, "it uses no encryption with devices at sync:443")]
    assert told(front(days=90.0, named=False)) == [
        ("spray1", Level.BAD, "its certificate for devices is for another name than sync:443")]
    assert told(front(error="connection refused")) == [
        ("spray1", Level.BAD, "devices cannot connect at sync:443: connection refused")]
    away = replace(healthy(), sprayers=(failing(healthy().sprayers[0]), healthy().sprayers[1]))
    assert told(front(error="connection refused"), away) == []


def test_connections_must_do_for_all_servers_and_be_the_same_on_both() -> None:
    few = {**GOOD, "max_connections": "87"}  # 4 servers, 8 + 9 each, and 20: 88
    assert [what for _, _, what in told(db1(settings=few))] == [
        "max_connections is 87, but all servers together may need 88", "db1: 87; db2: 200"]
    both = replace(SEEN, databases=tuple(
        replace(one, settings={**GOOD, "max_connections": "88"}) for one in SEEN.databases))
    assert told(both) == []


@pytest.mark.parametrize(("task", "changes", "text"), [
    ("pool", {"powers": ("SUPERUSER",)}, "role tuiha_pool has SUPERUSER"),
    ("pool", {"exists": False}, "there is no role tuiha_pool"),
    ("pool", {"owns": True}, "role tuiha_pool owns the tables"),
    ("watcher", {"writes": ("binding",)}, "role tuiha_watch may write binding"),
    ("pool", {"unread": ("lease",)}, "role tuiha_pool may not read lease"),
    ("pool", {"unwritten": ("binding", "pool_epoch")}, "role tuiha_pool may not write binding"),
    ("watcher", {"unread": ("binding", "lease")}, "role tuiha_watch may not read binding, lease"),
    ("watcher", {"monitors": False}, "role tuiha_watch is no member of pg_monitor"),
    ("watcher", {"reads_hashes": True}, "role tuiha_watch may read the hashes of users' passwords"),
    ("coordinator", {"powers": ("CREATEROLE", "REPLICATION")}, "role tuiha_coordinator has CREATEROLE, REPLICATION"),
    ("coordinator", {"makes_slots": False}, "role tuiha_coordinator cannot create a replication slot"),
    ("pool", {"grants": ("DELETE binding", "DELETE pool_epoch", "SELECT pool_epoch", "TRUNCATE event")},
     ("role tuiha_pool may DELETE pool_epoch", "role tuiha_pool may TRUNCATE event")),
    ("pool", {"grants": ("DELETE lease", "SELECT lease", "UPDATE lease")}, "role tuiha_pool may DELETE, UPDATE lease"),
    ("pool", {"unwritten": ("lease", "pool_epoch")}, ()),
    ("pool", {"columns": ("UPDATE pool_epoch.only_row", "UPDATE pool_epoch.epoch")},
     "role tuiha_pool may UPDATE pool_epoch.epoch"),
    ("pool", {"member_of": ("tuiha_owner",), "creates": ("schema public",)},
     "role tuiha_pool is a member of tuiha_owner"),
    ("coordinator", {"member_of": ("pg_monitor", "pg_read_server_files")},
     "role tuiha_coordinator is a member of pg_read_server_files"),
    ("coordinator", {"functions": ("make_slot(text)", "pg_promote(boolean,integer)", "pg_read_file(text)")},
     "role tuiha_coordinator may call pg_read_file(text)"),
    ("watcher", {"granted_parameters": ("archive_command",)}, "role tuiha_watch may set archive_command"),
    ("watcher", {"creates": ("schema public", "database tuiha")},
     "role tuiha_watch may create objects in database tuiha, schema public"),
    ("watcher", {"grants": ("SELECT binding", "REFERENCES binding")}, "role tuiha_watch may REFERENCES binding"),
    ("coordinator", {"parameters": ("primary_conninfo", "primary_slot_name")},
     "role tuiha_coordinator may not set synchronous_standby_names"),
])
def test_rights(task: str, changes: dict[str, Any], text: str | tuple[str, ...]) -> None:
    seen = db1(roles={**ROLES, task: replace(ROLES[task], **changes)})
    assert [what for _, _, what in told(seen)] == ([text] if isinstance(text, str) else list(text))


BOTH = ("tuiha_pool", "tuiha_watch")
NET = ("192.0.2.0", "255.255.255.0")


@pytest.mark.parametrize(("rules", "wrong"), [
    ([AccessRule(1, "hostssl", BOTH, *NET, "scram-sha-256")], []),
    ([AccessRule(1, "local", BOTH, None, None, "trust")], ["line 1 lets tuiha_pool, tuiha_watch in by trust"]),
    ([AccessRule(1, "local", BOTH, None, None, "peer")], []),
    ([AccessRule(3, "hostssl", BOTH, *NET, "password")], ["line 3 lets tuiha_pool, tuiha_watch in by password"]),
    ([AccessRule(3, "hostssl", BOTH, *NET, "cert")], ["line 3 lets tuiha_pool, tuiha_watch in by cert"]),
    ([AccessRule(3, "host", BOTH, *NET, "scram-sha-256")], ["line 3 lets tuiha_pool, tuiha_watch in without TLS"]),
    ([AccessRule(3, "host", BOTH, "127.0.0.1", "255.255.255.255", "md5")], []),
    ([AccessRule(3, "hostssl", BOTH, "all", None, "scram-sha-256")],
     ["line 3 lets tuiha_pool, tuiha_watch in from everywhere"]),
    ([AccessRule(3, "hostssl", BOTH, "0.0.0.0", "0.0.0.0", "scram-sha-256")],
     ["line 3 lets tuiha_pool, tuiha_watch in from everywhere"]),
    ([AccessRule(3, "hostssl", BOTH, "0.0.0.0", "0.0.0.0", "reject")], []),
    ([AccessRule(2, "", (), None, None, "", "invalid authentication method")],
     ["line 2 is wrong: invalid authentication method"]),
    # the first that fits counts
    ([AccessRule(1, "hostssl", BOTH, *NET, "scram-sha-256"),
      AccessRule(2, "hostssl", BOTH[:1], "192.0.2.7", "255.255.255.255", "trust")], []),
    ([AccessRule(1, "hostssl", BOTH[:1], *NET, "scram-sha-256"), AccessRule(2, "hostssl", BOTH, *NET, "trust")],
     ["line 2 lets tuiha_pool, tuiha_watch in by trust"]),
    ([AccessRule(1, "hostssl", BOTH, *NET, "scram-sha-256"), AccessRule(2, "hostnossl", BOTH, *NET, "trust")],
     ["line 2 lets tuiha_pool, tuiha_watch in by trust"]),
    ([AccessRule(1, "hostssl", BOTH, "::1", "ffff::", "scram-sha-256"),
      AccessRule(2, "hostssl", BOTH, *NET, "trust")], ["line 2 lets tuiha_pool, tuiha_watch in by trust"]),
])
def test_who_may_connect(rules: list[AccessRule], wrong: list[str]) -> None:
    assert [what for _, _, what in told(db1(rules=tuple(rules)))] == [f"pg_hba.conf {one}" for one in wrong]


def test_that_nobody_may_look_is_told() -> None:
    assert [level for _, level, _ in told(db1(rules=None))] == [Level.WARNING]


@pytest.mark.parametrize(("ahead", "words"), [(2.1, "2.1s ahead of"), (-3600.0, "1h00m behind"), (1.9, None)])
def test_clocks(ahead: float, words: str | None) -> None:
    said = [what for _, _, what in told(db1(clock_ahead=ahead))]
    assert said == ([] if words is None else [f"its clock is {words} this host's"])
    polled = server("s1")
    assert polled.seen_at is not None
    skewed = with_server(healthy(), server("s1", clock=polled.seen_at + ahead))
    said = [what for _, _, what in told(SEEN, skewed)]
    assert said == ([] if words is None else [f"its clock is {words} this host's"])


def test_lag() -> None:
    row = ReplicationRow("db2", "streaming", "sync", 65 * 1024 * 1024, 0.2)
    assert told(SEEN, with_database(healthy(), primary(replication=(row,))))[0][0] == "db2"
    row = replace(row, lag_bytes=63 * 1024 * 1024)
    assert told(SEEN, with_database(healthy(), primary(replication=(row,)))) == []


def test_capacity_with_one_server_less() -> None:
    def pool(users: int) -> Look:
        return with_members(healthy(), *(member(f"s{number}", users=users) for number in range(1, 5)))

    assert told(SEEN, pool(1500)) == []
    assert told(SEEN, pool(1501)) == [
        ("capacity", Level.WARNING, "6,004 users; with one server less there is room for 6,000")]


@pytest.mark.parametrize(("days", "level", "words"), [
    (31.0, None, ""), (29.5, Level.WARNING, "expires in 29 days"), (6.0, Level.BAD, "expires in 6 days"),
    (-1.0, Level.BAD, "has expired"),
])
def test_certificates(days: float, level: Level | None, words: str) -> None:
    said = told(replace(SEEN, certificates=(Certificate("s1", "s1:8443", days),)))
    assert said == ([] if level is None else [("s1", level, f"its certificate at s1:8443 {words}")])


def test_files_that_others_can_change() -> None:
    said = told(replace(SEEN, files=(OpenFile("/etc/pool.yaml", "configuration", 0o664),)))
    assert said == [("configuration", Level.BAD, "/etc/pool.yaml can be changed by others (mode 0664)")]
    said = told(replace(SEEN, files=(OpenFile("/etc/ledger.json.lock", "ledger's lock", 0o644, lock=True),)))
    assert said == [("ledger's lock", Level.BAD,
                     "/etc/ledger.json.lock can be opened by every user of this host (mode 0644)")]


def spelled(name: str, cluster: str = "east", number: int = 1) -> Spelled:
    return Spelled(number, name, cluster, datetime(2026, 1, 1, tzinfo=UTC), None)


def test_users_who_are_one_mailbox_are_named() -> None:
    boxes = (Mailbox("anna", spelled("anna"), (spelled("Anna"), spelled("ANNA"))), Mailbox("ben", spelled("Ben")),
             Mailbox("carl", spelled("carl"), (), (spelled("Carl", "west"),)))
    assert told(db1(mailboxes=boxes)) == [
        ("users", Level.WARNING, "users Anna and anna are one mailbox"),
        ("users", Level.WARNING, "users ANNA and anna are one mailbox"),
        ("users", Level.WARNING, "1 name to change: Ben to ben"),
        ("users", Level.WARNING, "Carl (mail cluster west) and carl (east) have the same name"),
    ]
    first, second = SEEN.databases
    assert told(replace(SEEN, databases=(first, replace(second, mailboxes=boxes)))) == [], "the secondary has the same"


def test_of_very_many_pairs_some_are_named_and_all_counted() -> None:
    boxes = tuple(Mailbox(f"u{n}", spelled(f"u{n}"), (spelled(f"U{n}"),)) for n in range(60))
    found = told(db1(mailboxes=boxes))
    assert len(found) == 51
    assert found[-1][2] == "10 more users are one mailbox with another"


def test_servers_that_go_by_another_rule() -> None:
    here = replace(SEEN, spelling=NameRule().words)

    def look(spelling: str | None) -> Look:
        polled = server("s2")
        assert polled.report is not None
        return with_server(healthy(), replace(polled, report=replace(polled.report, spelling=spelling)))

    assert told(here, look(NameRule().words)) == []
    assert told(here, look(None)) == [], "of a version that does not say"
    assert told(here, look(NameRule(lower=False, domain="example.org").words)) == [
        ("users.names", Level.WARNING,
         "here: small letters, blanks stripped; on servers: blanks stripped, without @example.org")]

"""A million users: every statement on the hot path finds its rows through an index. The plans are read, not timed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.support import Node
from tuiha.pooldb.statements.access import ACCESS_CHANGES, FORGET_OLDEST_CHANGES
from tuiha.pooldb.statements.bindings import BIND, BINDING, BOUND_TO, KEEP_BINDING, MOVE_BINDING
from tuiha.pooldb.statements.changes import ACKNOWLEDGE, CHANGES_AFTER, DEVICE_BY_NAME, REGISTER_DEVICE
from tuiha.pooldb.statements.takeovers import COUNT_AWAY, GIVE_USERS, HOLD_ORPHANS, NOTE_HOMES, RETURN_USERS
from tuiha.server.mail import record

USERS, SERVERS = 20_000, 100

_FILL = f"""
INSERT INTO app_user (name, password_hash, mail_cluster, last_seq)
    SELECT 'user' || n, 'x', 'east', 2 FROM generate_series(1, {USERS}) n;
INSERT INTO device (user_id, name, kind) SELECT id, 'phone', 'phone' FROM app_user;
INSERT INTO binding (user_id, server, generation, expires_at)
    SELECT id, 's' || id % {SERVERS}, 1, now() + interval '1 day' FROM app_user;
INSERT INTO mail_server (name, cluster) SELECT 'mail' || n, 'east' FROM generate_series(1, {SERVERS}) n;
INSERT INTO mail_assignment (user_id, mail_server) SELECT id, 'mail' || 1 + id % {SERVERS} FROM app_user;
INSERT INTO mail_cursor SELECT id, 'mail1', 'INBOX', 1, 2 FROM app_user;
INSERT INTO mail_copy SELECT id, 1, 'mail2', 'INBOX', 1, 1 FROM app_user;
INSERT INTO change SELECT id, n, 1, 'new', 'INBOX', n, 'mail1', '<' || id || '.' || n || '>', 'hello', now()
    FROM app_user, generate_series(1, 2) n;
"""

HOT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "find a user": ("SELECT id, name, mail_cluster, password_hash FROM app_user WHERE name = $1", ("user7",)),
    "find a device": (DEVICE_BY_NAME, (7, "phone")),
    "register a device": (REGISTER_DEVICE, (7, "phone", "phone", 50)),
    "acknowledge": (ACKNOWLEDGE, (7, 1)),
    "changes after a key": (CHANGES_AFTER, (7, 1, 101, 7)),
    "look at a binding": (BINDING, (7,)),
    "whose access changed": (ACCESS_CHANGES, (1, 2)),
    "claim a user": (BIND, (7, "s1", 60.0)),
    "move a user": (MOVE_BINDING, (7, "s1", 60.0, 1, 60.0)),
    "touch a binding": (KEEP_BINDING, (7, 1, 60.0)),
    "users of this server": (BOUND_TO, ("s7",)),
    "users of a dead server": (HOLD_ORPHANS, (["s7"],)),
    "move many": (GIVE_USERS, ([7, 8], [1, 1], ["s7", "s7"], ["s1", "s2"])),
    "note whose they were": (NOTE_HOMES, ([7, 8], ["s7", "s7"], [2, 2])),
    "who is away": (COUNT_AWAY, ("s7",)),
    "bring them back": (RETURN_USERS, ("s7", 10)),
}


@pytest.fixture
async def filled(node: Node) -> Node:
    await node.admin.execute(_FILL)
    await node.admin.execute("VACUUM ANALYZE app_user, device, binding, change, mail_assignment, mail_cursor")
    return node


def scans(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads from beginning to end."""
    found = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return found + [table for child in plan.get("Plans", []) for table in scans(child)]


async def plan_of(node: Node, statement: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    transaction = node.admin.transaction()
    await transaction.start()
    try:
        found = json.loads(await node.admin.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments))[0]["Plan"]
    finally:
        await transaction.rollback()
    return found


async def test_no_statement_on_the_hot_path_reads_a_whole_table(filled: Node) -> None:
    first = await filled.admin.fetchval("SELECT min(id) FROM app_user")
    for what, (statement, arguments) in HOT.items():
        shifted = tuple(first + 7 if argument == 7 else argument for argument in arguments)
        assert scans(await plan_of(filled, statement, shifted)) == [], what


async def test_control_a_statement_without_an_index_is_found(filled: Node) -> None:
    assert scans(await plan_of(filled, "SELECT 1 FROM change WHERE subject = $1", ("x",))) == ["change"]


def compared(plan: dict[str, Any]) -> list[str]:
    """Joins that look at each row of one side for each row of the other."""
    found = [plan["Join Filter"]] if "Join Filter" in plan else []
    return found + [one for child in plan.get("Plans", []) for one in compared(child)]


@pytest.fixture
async def unknown(filled: Node) -> int:
    """A user whose long history came after the newest statistics, which say: this user has none."""
    await filled.admin.execute("ALTER TABLE change SET (autovacuum_enabled = off); DELETE FROM change")
    # With few users the statistics list all of them. For a user who is not listed the planner expects no rows.
    await filled.admin.execute(
        "INSERT INTO change SELECT id, n, 1, 'new', 'INBOX', n, 'mail1', '<' || id || '.' || n || '>', 'hello', now() "
        "FROM (SELECT id FROM app_user ORDER BY id LIMIT 20) u, generate_series(1, 60) n; ANALYZE change")
    user: int = await filled.admin.fetchval("SELECT max(id) FROM app_user")
    await filled.admin.execute(
        "INSERT INTO change SELECT $1, n, 1, 'new', 'INBOX', n, 'mail1', '<' || n || '>', 'hello', now() "
        "FROM generate_series(1, 20000) n", user)
    return user


async def test_a_history_that_statistics_do_not_know_is_not_compared_with_itself(filled: Node, unknown: int) -> None:
    plan = await plan_of(filled, FORGET_OLDEST_CHANGES, (unknown, 5000))
    assert (scans(plan), compared(plan)) == ([], [])
    before = "DELETE FROM change WHERE user_id = $1 AND seq IN " \
             "(SELECT seq FROM change WHERE user_id = $1 ORDER BY seq LIMIT $2)"
    assert compared(await plan_of(filled, before, (unknown, 5000))), "the control: for minutes, as it was"


async def test_nor_does_recording_mail(filled: Node) -> None:
    statements = {name: text for name, text in vars(record).items() if isinstance(text, str) and "$1" in text}
    assert statements
    await filled.admin.execute("SET plan_cache_mode = force_generic_plan")
    for name, text in statements.items():
        await filled.admin.execute(f"PREPARE read_{name} AS {text}")
        types = await filled.admin.fetchval(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = lower($1)", f"read_{name}"
        )
        nothing = ", ".join(f"NULL::{kind}" for kind in types)
        plan = await filled.admin.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE read_{name}({nothing})")
        assert scans(json.loads(plan)[0]["Plan"]) == [], name

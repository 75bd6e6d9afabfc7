"""The history of operations in a real database: nobody's role rewrites it, and whoever does all the same is found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD
from tuiha.model.history import Chain
from tuiha.model.quotes import literal
from tuiha.operate.records import history
from tuiha.pooldb.migrations import migrate
from tuiha.pooldb.statements.operations import KEEP_OPERATION
from tuiha.watch.reader import Reader

EVENT = "INSERT INTO event (severity, subject, text) VALUES ('note', 's1', $1)"


@dataclass
class Kept:
    """A database with three operations in its history, and events between them."""

    pair: Pair
    admin: Any
    anchors: dict[int, str]

    async def role(self, name: str) -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=self.pair.db1.port, user=name, password=PASSWORD,
                                     database="empty", ssl=False, timeout=30)

    async def verified(self, anchors: dict[int, str] | None = None) -> Chain:
        """By the role that looks."""
        watcher = await self.role("tuiha_watch")
        try:
            return await history._chain(Reader(watcher, "db1", True), Chain(anchors or {}))
        finally:
            await watcher.close()


def content(number: int, state: str = "done") -> str:
    return json.dumps({"id": f"op{number}", "kind": "switchover", "target": "db2", "state": state, "who": "ada",
                       "reason": None, "started_at": 1_800_000_000.25 + number, "ended_at": 1_800_000_009.5 + number,
                       "journal": [{"record": "start", "at": 1.5, "text": 'ü "x"\\'}]})


@pytest.fixture
async def kept(pair: Pair) -> AsyncIterator[Kept]:
    admin = await pair.admin("empty")
    await admin.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION tuiha_owner")
    await admin.execute(f"CREATE ROLE tuiha_coordinator LOGIN PASSWORD {literal(PASSWORD)}")
    here = Kept(pair, admin, {})
    owner = await here.role("tuiha_owner")
    await migrate(owner, "demo", "db1")
    await owner.close()
    coordinator = await here.role("tuiha_coordinator")
    for number in (1, 2, 3):
        for text in ("one", "two"):
            await coordinator.execute(EVENT, f"{text} {number}")
        row = await coordinator.fetchrow(KEEP_OPERATION, content(number))
        here.anchors[row["link"]] = row["total"]
    await coordinator.close()
    yield here
    await admin.execute("DROP OWNED BY tuiha_coordinator")
    await admin.execute("DROP ROLE tuiha_coordinator")
    await admin.close()


async def test_it_is_whole_and_an_operation_that_ends_again_is_one_more_record(kept: Kept) -> None:
    chain = await kept.verified(kept.anchors)
    assert (chain.broken, chain.records) == ("", 3)
    coordinator = await kept.role("tuiha_coordinator")
    await coordinator.fetch(KEEP_OPERATION, content(2, "undone"))
    await coordinator.close()
    chain = await kept.verified(kept.anchors)
    assert (chain.broken, chain.records) == ("", 4)
    assert await kept.admin.fetchval("SELECT state FROM operation WHERE id = 'op2'") == "undone"


@pytest.mark.parametrize("role", ["tuiha_pool", "tuiha_coordinator", "tuiha_watch"])
@pytest.mark.parametrize("statement", [
    "DELETE FROM operation", "UPDATE operation SET who = 'eve'", "TRUNCATE operation",
    "DELETE FROM event", "UPDATE event SET text = 'nothing happened'", "TRUNCATE event",
    "DELETE FROM operation_record", "UPDATE operation_record SET content = ''", "TRUNCATE operation_record",
    "INSERT INTO operation_record VALUES (9, '', '{}', '', '')", "DROP FUNCTION keep_operation(text)",
    "INSERT INTO operation (id, kind, state, who, started_at) VALUES ('x', 'k', 'done', 'eve', now())",
])
async def test_no_role_of_the_pool_rewrites_it(kept: Kept, role: str, statement: str) -> None:
    connection = await kept.role(role)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_pool_servers_record_events_and_keep_no_operation(kept: Kept) -> None:
    connection = await kept.role("tuiha_pool")
    try:
        await connection.execute(EVENT, "here")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(KEEP_OPERATION, content(9))
    finally:
        await connection.close()


@pytest.mark.parametrize(("statement", "said"), [
    ("UPDATE operation SET who = 'eve' WHERE id = 'op2'", "the row of operation op2 is not what was kept of it"),
    ("DELETE FROM operation WHERE id = 'op1'", "the row of operation op1 is missing"),
    ("UPDATE operation SET journal = '[]' WHERE id = 'op3'", "the row of operation op3 is not"),
    ("UPDATE operation SET ended_at = ended_at + interval '1 minute' WHERE id = 'op3'", "the row of operation op3"),
    ("INSERT INTO operation (id, kind, state, who, started_at) VALUES ('x', 'k', 'done', 'eve', '2100-01-01')",
     "the row of operation x was never kept"),
    ("UPDATE operation_record SET content = replace(content, 'ada', 'eve') WHERE number = 2",
     "record 2 (operation op2)"),
    ("DELETE FROM operation_record WHERE number = 2", "record 2 is missing"),
    ("DELETE FROM operation_record WHERE number = 1", "record 1 is missing"),
    ("UPDATE event SET text = 'nothing' WHERE text = 'two 2'", "record 2 (operation op2) seals the events"),
    ("DELETE FROM event WHERE text = 'one 3'", "record 3 (operation op3) seals the events"),
    ("UPDATE event SET at = at - interval '1 hour' WHERE text = 'one 1'", "record 1 (operation op1) seals the events"),
])
async def test_what_the_tables_owner_changes_is_found(kept: Kept, statement: str, said: str) -> None:
    owner = await kept.role("tuiha_owner")
    await owner.execute(statement)
    await owner.close()
    assert said in (await kept.verified()).broken


@pytest.mark.parametrize("last", [2, 3])
async def test_an_owner_who_makes_the_chain_anew_is_found_by_what_a_host_noted(kept: Kept, last: int) -> None:
    owner = await kept.role("tuiha_owner")
    await owner.execute("TRUNCATE operation_record, operation")
    for number in range(1, last + 1):
        await owner.fetch(KEEP_OPERATION, content(number).replace("ada", "eve"))
    await owner.close()
    assert (await kept.verified()).broken == ""  # by itself it looks whole
    assert "record 1 (operation op1) is another one than this host noted" in (await kept.verified(kept.anchors)).broken


async def test_the_newest_records_that_are_cut_off_are_missed_by_who_noted_them(kept: Kept) -> None:
    await kept.admin.execute("DELETE FROM operation_record WHERE number = 3; DELETE FROM operation WHERE id = 'op3'")
    assert (await kept.verified()).broken == ""
    assert (await kept.verified(kept.anchors)).broken.startswith("record 3 is missing, which this host noted")


async def test_an_event_whose_transaction_was_slow_is_sealed_by_the_next_record(kept: Kept) -> None:
    slow, coordinator = await kept.role("tuiha_pool"), await kept.role("tuiha_coordinator")
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(EVENT, "slow")
    await coordinator.execute(EVENT, "quick")
    await coordinator.fetch(KEEP_OPERATION, content(4))
    await transaction.commit()
    assert (await kept.verified()).broken == ""
    await coordinator.fetch(KEEP_OPERATION, content(5))
    await asyncio.gather(slow.close(), coordinator.close())
    assert (await kept.verified()).broken == ""
    await kept.admin.execute("DELETE FROM event WHERE text = 'slow'")
    assert "record 5 (operation op5) seals" in (await kept.verified()).broken

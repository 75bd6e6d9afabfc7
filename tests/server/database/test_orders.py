"""An operator's order to attach counts when the ledger or the database says the same; else nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.server.interfaces import Running
from tests.server.support import Attach, Attached, Node
from tests.until import until
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.server.database.attacher import DatabaseOrder, by_database, by_ledger, leaving, refusal, void
from tuiha.server.database.identity import DatabaseIdentity

WRONG = [(99, "db1"), (99, "db2"), (2, "db1"), (2, "db2")]


async def ledger_of(node: Node, folder: Path) -> FileLedger:
    """The ledger of a pool that is on db1 in epoch 1."""
    identifier = await node.admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    ledger = FileLedger(folder / "ledger.json", "demo")
    await ledger.create(LedgerRecord("demo", 1, "db1", Standby.SYNC, identifier, 1))
    return ledger


async def attaches_again(one: Attached) -> None:
    """The right order is taken, and a lease follows it."""
    await one.attacher.obey(1, "db1")
    await until(lambda: one.gate.attachment is not None, "it is attached")


@pytest.mark.parametrize("with_ledger", [True, False])
async def test_an_order_that_nothing_confirms_changes_nothing(
    attach: Attach, node: Node, tmp_path: Path, with_ledger: bool
) -> None:
    one = await attach(both=True, ledger=await ledger_of(node, tmp_path) if with_ledger else None)
    before = one.gate.attachment
    for epoch, database in WRONG:
        with pytest.raises(ValueError, match=f"nothing confirms that {database} is active in epoch {epoch}: "):
            await one.attacher.obey(epoch, database)
    assert one.gate.attachment is before
    await attaches_again(one)
    assert one.gate.attachment is before


async def test_a_server_that_believed_the_caller_would_be_cut_off(attach: Attach, node: Node, tmp_path: Path) -> None:
    """Negative control: the same order, taken without asking."""
    one = await attach(ledger=await ledger_of(node, tmp_path))
    one.attacher.attach(99, "db1")
    await until(lambda: "in epoch 99" in one.attacher.problem, "it waits for an epoch that never comes")
    with pytest.raises(ValueError, match="epoch 1 is over"):
        await one.attacher.obey(1, "db1")


async def test_a_steady_ledger_lets_nobody_leave_and_an_operation_that_ended_brings_them_back(
    attach: Attach, node: Node, tmp_path: Path
) -> None:
    ledger = await ledger_of(node, tmp_path)
    one = await attach(both=True, ledger=ledger)
    with pytest.raises(ValueError, match="the ledger says that db1 is active in epoch 1"):
        await one.attacher.obey(1, "db2")
    steady = await ledger.poll()
    taken = await ledger.replace(steady, replace(steady, intent='{"id": "o1"}'))
    await one.attacher.obey(1, "db2")
    await until(lambda: "db2 is a secondary" in one.attacher.problem, "it has let db1 go")
    assert one.gate.attachment is None
    await ledger.replace(taken, replace(taken, intent=None))
    await until(lambda: one.gate.attachment is not None, "nobody changes the database any more: it is back on db1")


async def test_without_a_ledger_it_comes_back_to_a_database_that_is_still_active(attach: Attach) -> None:
    one = await attach(both=True, lease=1.0)
    await one.attacher.obey(1, "db2")
    await until(lambda: one.gate.attachment is None, "it has let db1 go")
    await until(lambda: one.gate.attachment is not None, "db2 never became active: it is back on db1")


async def test_over_http_it_is_a_conflict_and_the_server_goes_on_serving(pool: Running) -> None:
    answer = await pool.control("POST", "s1", "/control/attach", json={"epoch": 99, "database": "db1"})
    assert (answer.status, answer.body["title"]) == (409, "Not attached")
    assert "db1 says that db1 of pool demo is active in epoch 1" in answer.body["detail"]
    assert pool.servers["s1"].gate.attachment is not None
    assert (await pool.control("POST", "s1", "/control/attach", json={"epoch": 1, "database": "db1"})).status == 200


RECORD = LedgerRecord("demo", 4, "db1", Standby.SYNC, "7", 1)
ACTIVE = DatabaseIdentity("7", 1, True, "demo", 5, "db2", "ACTIVE")


def test_what_a_database_says_counts_only_for_this_very_pool_and_system() -> None:
    order = DatabaseOrder(5, "db2")
    assert by_database(order, "demo", "7", None, ACTIVE)
    assert by_database(order, "demo", None, replace(RECORD, intent="o1"), ACTIVE), "an operation is about to write it"
    assert not by_database(order, "demo", "7", RECORD, ACTIVE), "the ledger names another one, and nobody changes it"
    for other in (replace(ACTIVE, pool="other"), replace(ACTIVE, system_identifier="8"), replace(ACTIVE, epoch=4),
                  replace(ACTIVE, writable=False), replace(ACTIVE, active="db1"), replace(ACTIVE, state="FENCED")):
        assert not by_database(order, "demo", "7", None, other)
    assert not by_database(order, "demo", "7", None, "no answer")


def test_the_ledger_says_who_may_leave_and_when_an_order_is_void() -> None:
    busy = replace(RECORD, intent="o1")
    secondary = replace(ACTIVE, epoch=4, active="db1", writable=False)
    assert by_ledger(DatabaseOrder(4, "db1"), RECORD)
    assert not by_ledger(DatabaseOrder(4, "db2"), RECORD)
    assert leaving(DatabaseOrder(4, "db2"), "demo", busy, "not asked")
    assert not leaving(DatabaseOrder(5, "db2"), "demo", busy, "not asked")
    assert not leaving(DatabaseOrder(4, "db2"), "demo", RECORD, secondary)
    assert leaving(DatabaseOrder(4, "db2"), "demo", None, secondary)
    assert not leaving(DatabaseOrder(9, "db2"), "demo", None, secondary)
    assert void(DatabaseOrder(4, "db2"), RECORD)
    assert not void(DatabaseOrder(4, "db2"), busy)
    assert void(DatabaseOrder(4, "db2"), replace(busy, epoch=5))
    why = refusal(DatabaseOrder(4, "db2"), None, "no answer")
    assert "no ledger can be read here; db2 could not be asked (no answer)" in why

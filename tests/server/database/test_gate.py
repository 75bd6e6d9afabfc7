"""The gate on a real synchronous pair: transactions, holds, and the second look with a control that takes it out."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tests.drivers.conftest import Pair
from tests.server.support import COUNT, Attach, Attached, Node, attached, insert
from tests.until import until
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.gate import Gate


async def texts(node: Node) -> list[str]:
    return [row["text"] for row in await node.admin.fetch("SELECT text FROM event WHERE subject = 't'")]


async def test_a_transaction_commits_and_an_error_in_it_rolls_it_back(attach: Attach, node: Node) -> None:
    one = await attach()
    async with one.gate.transaction() as connection:
        await insert(connection, "kept")

    async def fail() -> None:
        async with one.gate.transaction() as connection:
            await insert(connection, "dropped")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await texts(node) == ["kept"]


async def _closed(node: Node, name: str) -> None:
    await until(lambda: node.admin.fetchval(OPEN, name), "the database ends it", met=lambda still: not still)


async def test_one_that_is_cancelled_while_it_begins_leaves_no_transaction_open(attach: Attach, node: Node) -> None:
    """An open one that nobody uses keeps the pool from changing its database, and lasts as long as the server."""
    one = await attach()
    for turns in range(12):
        async with one.gate.transaction() as connection:
            name = await connection.fetchval("SELECT current_setting('application_name')")
        task = asyncio.create_task(_nothing(one.gate))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await _closed(node, name)


OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state LIKE 'idle in transaction%'"


async def _nothing(gate: Gate) -> None:
    async with gate.transaction():
        pass


async def test_without_a_lease_nothing_is_asked_and_the_wait_is_bounded() -> None:
    gate = Gate(hold_seconds=0.2, hold_requests=10)
    with pytest.raises(Unavailable):
        await gate.read(lambda c: c.fetchval(COUNT))


async def test_more_than_the_bounded_number_of_requests_are_turned_away_at_once() -> None:
    gate = Gate(hold_seconds=20, hold_requests=3)
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await until(lambda: gate.waiting == 3, "three requests wait")
    with pytest.raises(Unavailable):
        await gate.enter()
    for task in waiting:
        task.cancel()


async def test_a_hold_lets_the_running_end_and_the_new_wait(attach: Attach) -> None:
    one = await attach()
    slow = asyncio.create_task(one.gate.read(lambda c: c.fetchval("SELECT pg_sleep(0.3)::text")))
    await until(lambda: one.gate.in_flight == 1, "a statement runs")
    await one.gate.hold(20)
    assert slow.done()
    late = asyncio.create_task(one.gate.read(lambda c: c.fetchval(COUNT)))
    await until(lambda: one.gate.waiting == 1, "a request waits")
    assert one.gate.in_flight == 0
    one.gate.release()
    assert await late == 0


async def test_a_hold_that_cannot_empty_the_gate_says_so(attach: Attach) -> None:
    one = await attach()
    slow = asyncio.create_task(one.gate.read(lambda c: c.fetchval("SELECT pg_sleep(1.0)::text")))
    await until(lambda: one.gate.in_flight == 1, "a statement runs")
    with pytest.raises(TimeoutError):
        await one.gate.hold(0.1)
    await slow


async def test_a_hold_ends_by_itself(attach: Attach) -> None:
    one = await attach()
    await one.gate.hold(0.2)
    assert await one.gate.read(lambda c: c.fetchval(COUNT)) == 0


def promote_and_write(own_pair: Pair) -> None:
    """What a coordinator does once the lease time is over, in a thread: the loop of the server is stuck meanwhile."""

    async def work() -> None:
        second = await own_pair.admin(node=own_pair.db2)
        await second.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        await second.execute("SELECT pg_promote(true)")
        await second.execute("SELECT pg_reload_conf()")
        await second.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 't', 'on the new primary')")
        await second.close()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()


async def read_across_a_promotion(one: Attached, own_pair: Pair) -> int:
    """A server asks db1, stops with all its threads, and wakes when db2 is the primary and has newer rows."""
    attachment = one.gate.attachment
    assert attachment is not None
    question = "SELECT (SELECT count(*) FROM event) FROM pg_sleep(0.3)"
    asked = asyncio.create_task(one.gate._read_once(lambda c: c.fetchval(question), 5.0))
    await until(lambda: one.gate.in_flight == 1, "the question is asked")
    await asyncio.sleep(0.1)  # and on its way; the answer comes while nothing runs here
    time.sleep(1.2)  # noqa: ASYNC251  the lease ends while the process is stopped
    promote_and_write(own_pair)
    try:
        return int(await asked)
    finally:
        attachment.wires.sever()  # the renewal waits for a secondary that will never answer, and there is no fence here


async def test_an_answer_that_comes_after_a_promotion_is_never_released(own_pair: Pair) -> None:
    async with attached(own_pair, lease=1.0, fence_interval=3600.0, beside=False) as one:
        with pytest.raises((OutcomeUnknown, Unavailable)):
            await read_across_a_promotion(one, own_pair)


async def test_control_without_the_second_look_a_late_answer_is_released(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "still", lambda *_: None)
    async with attached(own_pair, lease=1.0, fence_interval=3600.0, beside=False) as one:
        assert await read_across_a_promotion(one, own_pair) == 0, "stale: the new primary has one row"

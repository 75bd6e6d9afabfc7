"""The lifeline: a server that is busy keeps its lease, and one that stands still for good loses it."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.server.support import Attach
from tests.until import until
from tuiha.server.database import identity, lease
from tuiha.server.database.access import Unavailable
from tuiha.server.database.attachment import Lane, in_lane
from tuiha.server.database.lifeline import Lifeline, SharedLedger

LEASE = 1.0


def stand_still(seconds: float) -> None:
    """What a loop must never do, done to it."""
    time.sleep(seconds)


@pytest.mark.parametrize("beside", [True, False])
async def test_the_lease_is_renewed_while_the_loop_stands_still(attach: Attach, beside: bool) -> None:
    one = await attach(lease=LEASE, beside=beside)
    before = one.gate.attachment
    await asyncio.sleep(LEASE)  # the lifeline has its connection
    stand_still(2 * LEASE)
    kept = one.gate.attachment is before and before.whole
    assert kept is beside, "on the loop itself it must be lost, or this shows nothing"


async def test_a_loop_that_stands_still_for_too_long_loses_the_lease(attach: Attach) -> None:
    one = await attach(lease=LEASE, patience=LEASE)
    before = one.gate.attachment
    await asyncio.sleep(LEASE)
    stand_still(5 * LEASE)
    assert not before.whole
    await until(lambda: one.gate.attachment not in (None, before), "it attaches again when it turns")


async def test_time_without_a_lease_is_no_standstill(attach: Attach) -> None:
    """As after a failover: nobody asked the loop whether it turns."""
    one = await attach(lease=LEASE, patience=LEASE)
    before = one.gate.attachment
    await asyncio.sleep(LEASE)
    prepare = one.attacher._prepare

    async def away(place: Any) -> None:
        await asyncio.sleep(4 * LEASE)
        one.attacher._prepare = prepare

    one.attacher._prepare = away
    before.end("as if the database were away")
    await until(lambda: one.gate.attachment not in (None, before), "another one")
    second = one.gate.attachment
    await asyncio.sleep(4 * LEASE)
    assert one.gate.attachment is second


async def test_renewals_are_made_on_the_database_of_the_attachment_or_not_at_all(
    attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address leads to another one when the lifeline connects: a copy would take a renewal."""
    real = identity.identify
    asked: list[str] = []

    async def another(connection: Any) -> Any:
        found = await real(connection)
        asked.append(threading.current_thread().name)
        return replace(found, timeline=found.timeline + 1) if asked[-1] == "lifeline" else found

    monkeypatch.setattr(lease, "identify", another)
    one = await attach(lease=LEASE, wait=False)
    await until(lambda: "another database answers" in one.attacher.problem, "it is told")
    assert "lifeline" in asked


async def test_the_attachment_ends_at_once_and_its_renewals_with_it(attach: Attach) -> None:
    one = await attach(lease=10.0)
    before = one.gate.attachment
    await asyncio.sleep(0.3)
    before.end("told to")
    await until(lambda: one.gate.attachment not in (None, before), "the next one, long before a renewal was due")


async def test_a_session_of_the_lifeline_that_is_ended_ends_the_attachment(attach: Attach, node: Any) -> None:
    one = await attach(lease=LEASE)
    before = one.gate.attachment
    await asyncio.sleep(LEASE)
    mine = await one.gate.read(lambda c: c.fetchval(
        "SELECT array_agg(pid) FROM pg_stat_activity WHERE query LIKE '%renew_lease%' AND pid <> pg_backend_pid()"))
    for pid in mine:
        await node.admin.execute("SELECT pg_terminate_backend($1)", pid)
    await until(lambda: not before.whole, "it is over")
    await until(lambda: one.gate.attachment is not None, "and there is another one")


async def test_devices_that_take_every_session_do_not_delay_what_goes_ahead(attach: Attach) -> None:
    one = await attach(lease=10.0)

    async def asks_slowly() -> None:
        await one.gate.read(lambda c: c.execute("SELECT pg_sleep(3)"))

    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(asks_slowly()) for _ in range(12)]
        await until(lambda: one.gate.in_flight >= 4, "all sessions are taken")
        with in_lane(Lane.HEART):
            async with asyncio.timeout(2.0):
                assert await one.gate.read(lambda c: c.fetchval("SELECT 1")) == 1
        with pytest.raises(TimeoutError):  # and who does not go ahead waits
            async with asyncio.timeout(0.5):
                await one.gate.read(lambda c: c.fetchval("SELECT 1"))
        for task in slow:
            task.cancel()


async def test_work_runs_in_the_thread_and_its_failure_is_the_callers() -> None:
    line = Lifeline()
    line.start()

    async def where() -> str:
        return threading.current_thread().name

    async def fails() -> None:
        raise Unavailable("as it happens")

    try:
        assert await line.do(where()) == "lifeline"
        with pytest.raises(Unavailable):
            await line.do(fails())
    finally:
        await line.stop()


async def test_a_cancellation_is_passed_on_and_waited_for() -> None:
    line, ended = Lifeline(), threading.Event()
    line.start()

    async def tidies_up() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            ended.set()

    task = asyncio.create_task(line.do(tidies_up()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    await line.stop()


async def test_a_ledger_is_asked_on_the_loop_that_it_belongs_to() -> None:
    home, asked = threading.current_thread().name, list[str]()

    class Driver:
        """Says where it is asked."""

        capabilities = frozenset({"poll"})

        async def poll(self) -> Any:
            asked.append(threading.current_thread().name)

    ledger: Any = SharedLedger(Driver())  # type: ignore[arg-type]  # half a driver
    ledger.begin()
    line = Lifeline()
    line.start()
    await ledger.poll()
    await line.do(ledger.poll())
    await line.stop()
    assert asked == [home, home]

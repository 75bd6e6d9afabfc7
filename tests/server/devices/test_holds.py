"""Requests that wait while a pool is held or its database is away, and how they are counted."""

from __future__ import annotations

import asyncio

from tests.server.interfaces import Running, counts
from tests.server.support import Node
from tests.until import until
from tuiha.server.pool.load import Meter


async def test_a_held_server_lets_requests_wait_and_answers_them_after_the_release(pool: Running) -> None:
    await pool.register()
    assert (await pool.control("POST", "s1", "/control/hold", json={"seconds": 30})).status == 200
    held = asyncio.create_task(pool.ask("GET", "s1", "/v1/me"))
    await until(lambda: pool.servers["s1"].gate.waiting > 0, "the request waits")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 200, "sprayers keep sending: requests are held"
    assert (await pool.control("GET", "s1", "/control/status")).body["state"] == "HELD"
    assert await counts(pool) == {"answered": 1, "failed": 0, "delayed": 0}
    await pool.control("POST", "s1", "/control/release")
    assert (await held).status == 200
    assert await counts(pool) == {"answered": 2, "failed": 0, "delayed": 1}


async def test_who_is_told_to_attach_and_to_wait_goes_on_and_answers_with_its_lease(pool: Running) -> None:
    await pool.register()
    order = {"epoch": pool.servers["s1"].report().epoch, "database": "db1"}
    await pool.control("POST", "s1", "/control/hold", json={"seconds": 30})
    held = asyncio.create_task(pool.ask("GET", "s1", "/v1/me"))
    await until(lambda: pool.servers["s1"].gate.waiting > 0, "the request waits")
    assert (await pool.control("POST", "s1", "/control/attach", json=order)).body == order
    assert (await pool.control("GET", "s1", "/control/status")).body["state"] == "HELD", "the word alone ends no hold"
    answer = (await pool.control("POST", "s1", "/control/attach", json={**order, "seconds": 5})).body
    assert (answer["state"], answer["database"], answer["queue"]) == ("UP", "db1", 1)
    assert answer["lease_seconds"] > 0
    assert (await held).status == 200


async def test_who_gets_no_lease_says_so_when_the_time_is_over(pool: Running, node: Node) -> None:
    order = {"epoch": pool.servers["s1"].report().epoch, "database": "db1", "seconds": 0.2}
    await node.admin.execute("UPDATE pool_epoch SET state = 'FENCED'")
    try:
        await until(lambda: pool.servers["s1"].gate.attachment is None, "the lease is over")
        answer = (await pool.control("POST", "s1", "/control/attach", json=order)).body
        assert (answer["database"], answer["lease_seconds"]) == (None, 0)
    finally:
        await node.admin.execute("UPDATE pool_epoch SET state = 'ACTIVE'")
    assert (await pool.control("POST", "s1", "/control/attach", json={**order, "seconds": -1})).status == 400


async def test_a_hold_that_lasts_too_long_is_answered_503_with_retry_after(pool: Running) -> None:
    await pool.register()
    await pool.control("POST", "s1", "/control/hold", json={"seconds": 30})
    answer = await pool.ask("GET", "s1", "/v1/me")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    await pool.control("POST", "s1", "/control/release")
    assert await counts(pool) == {"answered": 2, "failed": 0, "delayed": 1}
    assert (await pool.control("GET", "s1", "/control/counts", token="wrong")).status == 401


def test_which_answers_count_as_failed_and_which_as_delayed() -> None:
    meter = Meter()
    for status, again, forwarded, waited in (
        (200, False, False, False), (200, False, False, True), (503, True, False, True), (503, True, True, False),
        (503, False, False, False), (500, False, False, False), (500, False, True, False),
    ):
        meter.count(status, again=again, forwarded=forwarded, waited=waited)
    assert (meter.answered, meter.failed, meter.delayed) == (5, 2, 2)


async def test_while_the_database_is_away_requests_wait_and_are_then_told_when_to_ask_again(
    pool: Running, node: Node
) -> None:
    key = await pool.register("s1", "anna")
    poll = asyncio.create_task(pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}&wait=50"))
    s1 = pool.servers["s1"]
    await until(lambda: len(s1.waiters) == 1, "the poll waits")
    await node.admin.execute("UPDATE pool_epoch SET state = 'FENCED'")
    try:
        await until(lambda: s1.report().state == "WAITING", "without a lease it holds")
        assert (await pool.raw("GET", "s1", "/health", {})).status == 200
        await until(lambda: s1.report().state == "CUT OFF", "not for ever")
        answer = await poll
        assert answer.status == 503, "though it would have waited for 50 s"
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await pool.raw("GET", "s1", "/health", {})).status == 503
        assert (await pool.ask("GET", "s1", "/v1/me")).status == 503
    finally:
        await node.admin.execute("UPDATE pool_epoch SET state = 'ACTIVE'")
    await until(lambda: s1.report().state == "UP", "it comes back by itself")
    assert (await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}")).status == 200

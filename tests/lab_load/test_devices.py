"""Devices against a double of the pool that fails in planted ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.doubles.sync_pool import DoublePool, sprayers
from tests.until import until
from tuiha.lab.load import devices
from tuiha.lab.load.devices import DevicePace, Fleet, LoadUser, device_count, read_users
from tuiha.lab.load.sprayed import Sprayed
from tuiha.lab.load.tally import Tally

ANN = LoadUser("ann", "secret")


class Running:
    """A fleet at work."""

    def __init__(self, pool: DoublePool, fleet: Fleet, tally: Tally) -> None:
        self.pool, self.fleet, self.tally = pool, fleet, tally

    async def registered(self) -> None:
        await until(lambda: all(book.due_from is not None for book in self.fleet.every_book))

    def seen(self) -> list[set[str]]:
        return [set(book.seen) for book in self.fleet.every_book]


@asynccontextmanager
async def fleet(
    pool: DoublePool,
    users: list[LoadUser] | None = None,
    per_user: float = 1.0,
    patience: float = 8.0,
    wait: float = 5.0,
) -> AsyncIterator[Running]:
    tally = Tally()
    async with sprayers(pool) as addresses, aiohttp.ClientSession() as session:
        sprayed = Sprayed(addresses, tally, session, patience)
        made = Fleet(users or [ANN], per_user, sprayed, tally, DevicePace(wait=wait, ramp=1000, looks=5))
        task = asyncio.create_task(made.run())
        try:
            yield Running(pool, made, tally)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_every_device_gets_every_change_once() -> None:
    users = [LoadUser(f"user{n}", "secret") for n in range(10)]
    async with fleet(DoublePool(), users, per_user=1.5) as running:
        await running.registered()
        for n in range(30):
            await running.pool.deliver(f"user{n % 10}", f"m{n}")
        await until(lambda: running.tally.changes == 45)
        assert len(running.fleet.devices) == 15
        for book in running.fleet.every_book:
            assert len(book.seen) == 3
            assert not book.doubles
            assert not book.gaps
        assert running.tally.failures == running.tally.retries == 0
        assert running.tally.direct == running.tally.answers > 0


async def test_a_device_goes_on_through_the_other_sprayer() -> None:
    pool = DoublePool()

    async def broken(_: web.Request) -> web.StreamResponse | None:
        return web.Response(status=502)

    async with fleet(pool) as running:
        await running.registered()
        pool.faults[0] = broken
        await pool.deliver("ann", "m1")
        await until(lambda: running.seen() == [{"m1"}])
        await until(lambda: running.tally.retries > 0)
        await pool.deliver("ann", "m2")
        await until(lambda: running.seen() == [{"m1", "m2"}])
        assert running.tally.failures == 0


async def test_a_hung_sprayer_is_left_after_the_patience() -> None:
    pool = DoublePool()

    async def hang(_: web.Request) -> web.StreamResponse | None:
        await asyncio.sleep(60)
        return None

    pool.faults[0] = hang
    async with fleet(pool, patience=0.2, wait=0.5) as running:
        await running.registered()
        assert running.tally.reasons.get("retried: no answer in time (wait 0 s)", 0) >= 1
        assert running.tally.failures == 0


async def test_an_answer_torn_on_its_way_is_asked_for_again_with_the_same_key() -> None:
    pool = DoublePool()
    torn = 0

    async def tear(request: web.Request) -> web.StreamResponse | None:
        """Begin a good answer with changes, and drop the connection before its end."""
        nonlocal torn
        if "changes" not in request.path or not pool.changes["ann"] or torn:
            return None
        torn += 1
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"changes": [{"seq": 1, "message_id": "m1"')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with fleet(pool, wait=0.3) as running:
        await running.registered()
        pool.faults[0] = tear
        await pool.deliver("ann", "m1")
        await until(lambda: torn == 1 and running.seen() == [{"m1"}])
        book = next(iter(running.fleet.every_book))
        assert not book.doubles
        assert sum("since=0" in line for line in pool.asked) >= 2


@pytest.mark.parametrize("status", [503, 429])
async def test_retry_after_is_obeyed_and_is_no_failure(status: int) -> None:
    pool = DoublePool()
    held = True

    async def hold(_: web.Request) -> web.StreamResponse | None:
        return web.Response(status=status, headers={"Retry-After": "1"}) if held else None

    pool.faults = {0: hold, 1: hold}
    async with fleet(pool) as running:
        await until(lambda: running.tally.delayed >= 1)
        before = len(pool.asked)
        await asyncio.sleep(0.3)
        assert len(pool.asked) == before, "the device came back too early"
        held = False
        await running.registered()
        assert running.tally.failures == running.tally.retries == 0


async def test_no_good_answer_from_either_is_a_failure_each_time() -> None:
    pool = DoublePool()
    bad = True

    async def refuse(_: web.Request) -> web.StreamResponse | None:
        return web.Response(status=500) if bad else None

    pool.faults = {0: refuse, 1: refuse}
    async with fleet(pool) as running:
        await until(lambda: running.tally.failures >= 2)
        assert running.tally.requests == 1
        bad = False
        await running.registered()


async def test_a_sprayer_that_is_not_there() -> None:
    pool, tally = DoublePool(), Tally()
    async with sprayers(pool, 1) as addresses, aiohttp.ClientSession() as session:
        made = Fleet([ANN], 1, Sprayed(["127.0.0.1:1", *addresses], tally, session), tally, DevicePace(ramp=1000))
        task = asyncio.create_task(made.run())
        running = Running(pool, made, tally)
        await running.registered()
        assert tally.failures == 0
        assert tally.reasons == {"retried: no connection": 1}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_unknown_key_starts_again_from_the_given_one() -> None:
    pool = DoublePool()
    told = False

    async def unknown(request: web.Request) -> web.StreamResponse | None:
        nonlocal told
        if "changes" in request.path and not told:
            told = True
            return web.json_response({"key": "1"}, status=410)
        return None

    await pool.deliver("ann", "m1")
    pool.faults[0] = unknown
    async with fleet(pool) as running:
        await running.registered()
        await until(lambda: running.tally.restarts == 1)
        await pool.deliver("ann", "m2")
        await until(lambda: running.seen() == [{"m2"}])


async def test_a_device_that_may_not_come_in_asks_seldom_and_goes_on_when_it_may(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, refused, asked = DoublePool(), True, 0

    async def revoked(request: web.Request) -> web.StreamResponse | None:
        nonlocal asked
        if "changes" in request.path and refused:
            asked += 1
            return web.json_response({"title": "This device is revoked"}, status=403)
        return None

    monkeypatch.setattr(devices, "_REFUSED", 0.3)
    pool.faults[0] = pool.faults[1] = revoked
    async with fleet(pool) as running:
        await running.registered()
        await until(lambda: asked == 1)
        await asyncio.sleep(0.1)
        assert asked == 1, "neither the other sprayer nor the same at once"
        await pool.deliver("ann", "m1")
        refused = False
        await until(lambda: running.seen() == [{"m1"}])
        assert running.tally.failures == 0


async def test_a_planted_double_and_a_planted_loss_show_in_the_book() -> None:
    pool = DoublePool(skip={"m2"}, twice={"m1"})
    async with fleet(pool, wait=0.3) as running:
        await running.registered()
        for message_id in ("m1", "m2", "m3"):
            await pool.deliver("ann", message_id)
            await asyncio.sleep(0.05)
        await until(lambda: running.seen() == [{"m1", "m3"}])
        book = next(iter(running.fleet.every_book))
        await until(lambda: book.doubles == ["seq 1"])
        assert [(gap.after, gap.before) for gap in book.gaps] == [(1, 3)]


async def test_the_first_answer_of_a_user_is_left_out_of_the_direct_share() -> None:
    pool = DoublePool()

    async def forward(request: web.Request) -> web.StreamResponse | None:
        if request.method != "PUT":
            return None
        body = {"device": "d", "key": "0"}
        return web.json_response(body, status=201, headers={"X-Tuiha-Forwarded-By": "s2"})

    pool.faults[0] = forward
    async with fleet(pool) as running:
        await until(lambda: running.tally.answers > 0)
        assert running.tally.direct_share == 1.0


def test_users_file() -> None:
    assert read_users("ann\tsecret\n\nbob\tpass word\n") == [LoadUser("ann", "secret"), LoadUser("bob", "pass word")]
    with pytest.raises(ValueError, match="line 2"):
        read_users("ann\tsecret\nbob\n")


def test_device_counts_meet_the_average() -> None:
    assert sum(device_count(n, 1.5) for n in range(500)) == 750
    assert {device_count(n, 1.5) for n in range(10)} == {1, 2}

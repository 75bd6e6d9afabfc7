"""As many log-ins at a time as the mail server takes in its stride."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.doubles.mail_server import fake_mail_server
from tests.server.mail.test_bad_days import SLOW as SLOWLY
from tests.server.mail.test_bad_days import users_of
from tests.server.mail.world import PATIENCE, World
from tuiha.server.mail.servers import LEAST, SLOW, LoginTurns

QUICK = SLOW / 10
PATIENT = replace(SLOWLY, turn=300.0)  # so that a turn is kept for as long as a log-in takes
COST = 0.05  # seconds of the mail server's one processor that a log-in takes
USERS = 100
CROWD = 1000


Rounds = Callable[..., Awaitable[list[int]]]


@asynccontextmanager
async def crowd(turns: LoginTurns) -> AsyncIterator[Rounds]:
    """More users than turns; `rounds(seconds, count)` has as many log-ins as there are turns take so long, so often."""
    told: asyncio.Queue[float] = asyncio.Queue()

    async def user() -> None:
        async with turns.one():
            turns.took(await told.get())
            told.task_done()

    async def rounds(seconds: float, count: int = 1) -> list[int]:
        limits = []
        for _ in range(count):
            for _ in range(turns.limit):
                told.put_nowait(seconds)
            await told.join()
            limits.append(turns.limit)
        return limits

    users = [asyncio.create_task(user()) for _ in range(CROWD)]
    await asyncio.sleep(0)  # all are there now: some have turns, the rest waits
    try:
        yield rounds
    finally:
        for one in users:
            one.cancel()
        await asyncio.wait(users)


async def test_while_it_is_quick_each_lets_one_more_in_up_to_the_most() -> None:
    async with crowd(LoginTurns(40)) as rounds:
        assert await rounds(QUICK, 4) == [2 * LEAST, 4 * LEAST, 8 * LEAST, 40]


async def test_when_it_is_slow_half_as_many_are_let_in_and_then_one_more_in_each_round() -> None:
    async with crowd(LoginTurns(1000)) as rounds:
        most = (await rounds(QUICK, 3))[-1]
        slowed = (await rounds(2 * SLOW))[-1]
        assert slowed <= most // 2 + most // 8  # it is noticed by a mean: not with the first
        first, *others = await rounds(QUICK, 6)
        assert first <= slowed
        assert others == [first + more for more in range(1, 6)]


async def test_however_slow_it_is_a_few_are_let_in() -> None:
    async with crowd(LoginTurns(1000)) as rounds:
        assert (await rounds(QUICK, 2) + await rounds(100 * SLOW, 6))[-1] == LEAST
    async with crowd(LoginTurns(1)) as rounds:
        assert await rounds(QUICK, 3) + await rounds(100 * SLOW, 3) == [1] * 6


async def test_one_that_was_slow_alone_says_nothing() -> None:
    turns = LoginTurns(1000)
    async with crowd(turns) as rounds:
        before = (await rounds(QUICK, 3))[-1]
        turns.took(4 * SLOW)
        assert turns.limit >= before


async def test_a_server_far_away_is_not_slow() -> None:
    async with crowd(LoginTurns(40)) as rounds:
        assert await rounds(2 * SLOW, 4) == [2 * LEAST, 4 * LEAST, 8 * LEAST, 40]


async def test_few_users_do_not_show_what_it_can_do_for_many() -> None:
    turns = LoginTurns(1000)
    for _ in range(100):
        async with turns.one():
            turns.took(QUICK)
    assert turns.limit == LEAST


async def test_turns_are_taken_in_order_and_never_more_than_the_limit() -> None:
    turns, inside, order, most = LoginTurns(LEAST), 0, [], 0

    async def user(number: int) -> None:
        nonlocal inside, most
        async with turns.one():
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(user(number) for number in range(5 * LEAST)))
    assert order == sorted(order)
    assert most == LEAST


async def test_whoever_is_cancelled_gives_the_turn_on() -> None:
    turns = LoginTurns(1)
    async with turns.one():
        waiting = [asyncio.create_task(_one(turns)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.wait({waiting[0]})
    inside = asyncio.create_task(_one(turns))
    await asyncio.gather(*waiting[1:], inside)
    assert waiting[0].cancelled()


async def test_a_log_in_that_hangs_gives_its_turn_to_the_next_once() -> None:
    turns = LoginTurns(1, longest=0.01)
    async with turns.one():  # for as long as it likes
        async with asyncio.timeout(PATIENCE), turns.one():
            assert turns._free.locked()
        async with turns.one():
            assert turns._free.locked(), "one more, and not two: a turn is given on once"
    assert not turns._free.locked()


async def _one(turns: LoginTurns) -> None:
    async with turns.one():
        await asyncio.sleep(0)


async def test_a_herd_does_not_stall_the_mail_server(lab: World) -> None:
    assert await longest_queue(lab) < USERS / 2


async def test_without_turns_everybody_is_there_at_once(lab: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(LoginTurns, "one", _no_turn)
    assert await longest_queue(lab) > USERS / 2  # not all: the first are in before the last are there


@asynccontextmanager
async def _no_turn(turns: LoginTurns) -> AsyncIterator[None]:
    yield


async def longest_queue(lab: World) -> int:
    """How many waited for a mail server at most when all its users came at once."""
    users = await users_of(lab, "mail1", USERS)
    async with fake_mail_server() as (fake, port):
        fake.cost = COST
        async with lab.monitor(users, pace=PATIENT, ports={"mail1": port}, logins_per_second=1e6, login_burst=USERS):
            return fake.longest_queue

"""Who is worked on, who waits, who is told to come again, and when."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random

import pytest

from tuiha.server.devices import room as rules
from tuiha.server.devices.room import LEAST, MOST, Room
from tuiha.server.http.marks import FULL
from tuiha.server.http.problems import HttpProblem


class Clock:
    """Moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def room() -> tuple[Room, Clock]:
    clock = Clock()
    return Room(clock, Random(1)), clock


async def fill(stack: AsyncExitStack, one: Room) -> None:
    """All places are taken."""
    while one.working < one.limit:
        await stack.enter_async_context(one.stay(True, False))


async def test_whoever_was_passed_on_to_a_full_server_is_told_at_once_when_to_come_again() -> None:
    one, _ = room()
    async with AsyncExitStack() as stack:
        await fill(stack, one)
        with pytest.raises(HttpProblem) as told:
            async with one.stay(True, True):
                pass
    assert (told.value.status, told.value.headers[FULL]) == (503, "0:2")
    assert int(told.value.headers["Retry-After"]) >= 1
    assert one.working == 0


async def waiting(one: Room, known: bool, order: list[str], name: str) -> None:
    try:
        async with one.stay(known, False):
            order.append(name)
    except HttpProblem:
        order.append(f"not {name}")


async def test_known_devices_come_first_and_of_them_the_newest() -> None:
    one, _ = room()
    order: list[str] = []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await fill(stack, one)
        for name, known in (("old", True), ("stranger", False), ("new", True)):
            group.create_task(waiting(one, known, order, name))
            await asyncio.sleep(0)
        await stack.aclose()
    assert order == ["new", "old", "stranger"]


async def test_who_waited_longest_is_told_to_come_again_when_too_many_wait() -> None:
    one, _ = room()
    order: list[str] = []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await fill(stack, one)
        for number in range(4 * LEAST + 1):
            group.create_task(waiting(one, True, order, str(number)))
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == ["not 0"]
        await stack.aclose()
    assert (len(order), order[1], one.turned_away) == (4 * LEAST + 1, str(4 * LEAST), 1)


async def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_PATIENCE", 0.01)
    one, _ = room()
    async with AsyncExitStack() as stack:
        await fill(stack, one)
        with pytest.raises(HttpProblem):
            async with one.stay(True, False):
                pass
    assert one.working == 0


async def test_one_that_is_cancelled_while_it_waits_or_in_the_moment_of_its_turn_keeps_no_place() -> None:
    for turns in range(6):
        one, _ = room()
        async with AsyncExitStack() as stack:
            await fill(stack, one)
            task = asyncio.create_task(waiting(one, True, [], "x"))
            await asyncio.sleep(0)
            closing = asyncio.create_task(stack.pop_all().aclose())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, closing, return_exceptions=True)
        assert one.working == 0, turns


async def test_what_only_waits_takes_no_place_and_comes_back_without_a_wait() -> None:
    one, clock = room()
    async with AsyncExitStack() as stack, one.stay(True, False) as stay:
        with stay.outside():
            assert one.working == 0
            clock.now += 60.0
            await fill(stack, one)
        assert one.working == one.limit + 1
        clock.now += 0.5
        assert stay.worked(clock.now) == pytest.approx(0.5)
    assert one.working == 0


async def work(one: Room, clock: Clock, seconds: float, rounds: int) -> None:
    """Full rounds that take so long each."""
    for _ in range(rounds):
        async with AsyncExitStack() as stack:
            await fill(stack, one)
            clock.now += seconds


async def test_as_many_are_worked_on_as_are_answered_quickly() -> None:
    one, clock = room()
    await work(one, clock, 0.01, MOST)
    assert one.limit == MOST
    await work(one, clock, 1.0, 40)
    assert one.limit == LEAST


async def test_what_says_nothing_of_the_server_does_not_count() -> None:
    one, clock = room()
    for _ in range(100):
        async with one.stay(True, False) as stay:
            clock.now += 10.0
            stay.counts = False
    await work(one, clock, 0.01, MOST)
    assert one.limit == MOST


def test_the_more_are_turned_away_the_longer_they_stay_away_each_at_its_own_time() -> None:
    one, clock = room()
    assert {one.again() for _ in range(10)} <= {1, 2}
    told: list[int] = []
    for _ in range(10):
        told += [one.again() for _ in range(200)]
        clock.now += 1.0
    late = told[-200:]
    assert min(late) <= 3
    assert max(late) > 6
    assert max(told) <= 61
    clock.now += 60.0
    assert one.again() <= 3


def test_where_more_is_answered_they_may_come_sooner() -> None:
    slow, fast = room()[0], room()[0]
    for second in range(5):
        for number in range(2000):
            fast._pace.answered(1000.0 + second + number / 2000, True)
    assert sum(fast.again() for _ in range(2000)) < 0.4 * sum(slow.again() for _ in range(2000))


async def test_when_all_places_are_taken_the_next_is_turned_away_unread() -> None:
    one, _ = room()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await fill(stack, one)
        assert one.sheds() is None, "nobody waits"
        waits = [group.create_task(waiting(one, True, [], str(n))) for n in range(4 * one.limit - 1)]
        await asyncio.sleep(0)
        assert one.sheds() is None, "one may wait"
        before = one.turned_away
        away = one.sheds()
        assert away is not None, "that one is on its way"
        assert away.seconds >= 1
        assert one.turned_away == before + 1, "it counts"
        for task in waits:
            task.cancel()


async def test_a_known_device_is_read_while_a_first_log_in_waits_unless_far_too_many_come() -> None:
    one, clock = room()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await fill(stack, one)
        waits = [group.create_task(waiting(one, False, [], str(n))) for n in range(4 * one.limit)]
        await asyncio.sleep(0)
        assert one.sheds() is None, "it may be a known one, which takes the place of one that waits"
        for _ in range(400):
            one.again()
        assert one.sheds() is not None
        clock.now += 3.0
        assert one.sheds() is None, "that was three seconds ago"
        for task in waits:
            task.cancel()


def second(one: Room, clock: Clock, offered: int, obeys: bool) -> int:
    """One second of so many requests; the share that the server names. `obeys`: the sprayer turns that share away."""
    named = 0
    for number in range(offered):
        share = named if obeys else 0
        if number % 1000 < share:
            continue
        away = one.sheds(share)
        if away is not None:
            named = int(away.word.partition(":")[0])
    clock.now += 1.0
    return named


@pytest.mark.parametrize("obeys", [True, False])
async def test_the_sprayer_is_to_turn_away_what_is_far_above_capacity(obeys: bool) -> None:
    """Named from what comes with what the sprayer turned away, so it stays the same whether anybody obeys or not."""
    one, clock = room()
    capacity = one._pace.capacity
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await fill(stack, one)
        waits = [group.create_task(waiting(one, True, [], str(n))) for n in range(4 * one.limit)]
        await asyncio.sleep(0)
        shares = [second(one, clock, 3000, obeys) for _ in range(6)]
        assert shares[0] == 0, "the first second tells how many come"
        expected = 1000 * (1 - 1.5 * capacity / 3000)
        assert all(abs(share - expected) < 60 for share in shares[1:]), shares
        assert [second(one, clock, int(capacity), obeys) for _ in range(2)][1] == 0, "the crowd is gone"
        for task in waits:
            task.cancel()

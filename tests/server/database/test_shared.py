"""One question for many: it is asked once, and never counts for who came after it had begun."""

from __future__ import annotations

import asyncio

import pytest

from tuiha.server.database.gate import Together


class Question:
    """Counts how often it was asked; each time it is answered when one answer more may be given."""

    def __init__(self, may: int = 0) -> None:
        self.began = 0
        self.answered = 0
        self.may = asyncio.Semaphore(may)
        self.fails = False

    async def __call__(self) -> None:
        self.began += 1
        await self.may.acquire()
        self.answered += 1
        if self.fails:
            raise OSError


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_who_wait_at_once_share_one() -> None:
    question = Question(may=9)
    together = Together(question)
    await asyncio.gather(*(together.asked() for _ in range(50)))
    assert question.began == 1


async def test_who_comes_while_one_is_under_way_waits_for_the_next() -> None:
    question = Question()
    together = Together(question)
    first = asyncio.create_task(together.asked())
    await turns()
    later = [asyncio.create_task(together.asked()) for _ in range(9)]
    await turns()
    assert question.began == 1
    question.may.release()
    await first
    await turns()
    assert not any(task.done() for task in later)
    question.may.release()
    await asyncio.gather(*later)
    assert question.began == question.answered == 2


async def test_its_failure_is_everybodys_and_the_next_begins_anew() -> None:
    question = Question(may=9)
    question.fails = True
    together = Together(question)
    found = await asyncio.gather(*(together.asked() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [OSError] * 3
    question.fails = False
    await together.asked()
    assert question.began == 2


async def test_who_goes_away_takes_nobodys_answer_with_him() -> None:
    question = Question()
    together = Together(question)
    gone, stays = (asyncio.create_task(together.asked()) for _ in range(2))
    await turns()
    gone.cancel()
    question.may.release()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone

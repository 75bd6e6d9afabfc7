"""How servers are asked whether they reach a database: a host that hangs costs one wait, not one for each try."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tuiha.operate.database.sight import _probe
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World

HANGS, REFUSES, ANSWERS = "hangs", "refuses", "answers"


class Door:
    """A server's control interface: each try meets the next of these; a hanging one ends when all have begun."""

    def __init__(self, *meets: str) -> None:
        self._meets = meets
        self.begun = 0
        self.ended = 0
        self.all_begun = asyncio.Event()

    async def post(self, address: str, path: str, body: Mapping[str, Any], *, seconds: float) -> dict[str, str]:
        what = self._meets[self.begun]
        self.begun += 1
        if self.begun == len(self._meets):
            self.all_begun.set()
        try:
            if what == HANGS:
                await self.all_begun.wait()
                raise ControlError("no answer")
            if what == REFUSES:
                raise ControlError("connection refused", 409)
            return {"system_identifier": "7"}
        finally:
            self.ended += 1


async def probe(door: Door, times: int) -> tuple[str | None, str]:
    world = cast(World, SimpleNamespace(control=door))
    async with asyncio.timeout(20):
        return await _probe(world, "http://127.0.0.1:1", "db1", times, 1.0)


async def test_tries_on_a_host_that_hangs_do_not_wait_for_each_other() -> None:
    door = Door(HANGS, HANGS, HANGS)  # one after the other would never end
    assert await probe(door, 3) == (None, "no answer")
    assert (door.begun, door.ended) == (3, 3)


@pytest.mark.parametrize("meets", [(ANSWERS, HANGS, HANGS), (REFUSES, ANSWERS, HANGS), (HANGS, HANGS, ANSWERS)])
async def test_one_answer_is_enough(meets: tuple[str, ...]) -> None:
    door = Door(*meets)
    assert (await probe(door, 3))[0] == "7"
    assert door.begun == door.ended == meets.index(ANSWERS) + 1


async def test_all_refused_and_nothing_asked() -> None:
    assert await probe(Door(REFUSES, REFUSES, REFUSES), 3) == (None, "connection refused")
    assert await probe(Door(), 0) == (None, "")

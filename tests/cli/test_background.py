"""Opening beside a program: opened, closed, failing, and left before it was open."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError

import pytest

from tuiha.cli.commands.run.demo import InBackground


class Thing:
    def __init__(self, seconds: float = 0.0, failure: Exception | None = None) -> None:
        self._seconds, self._failure = seconds, failure
        self.seen: list[str] = []

    async def open(self) -> None:
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        if self._failure is not None:
            raise self._failure
        self.seen.append("opened")

    async def close(self) -> None:
        self.seen.append("closed")


def test_opened_and_closed() -> None:
    thing = Thing()
    with InBackground(thing.open, thing.close) as opening:
        opening.result(20)
        assert thing.seen == ["opened"]
    assert thing.seen == ["opened", "closed"]


def test_a_failure_reaches_who_waits_and_nothing_is_closed() -> None:
    thing = Thing(failure=ValueError("no"))
    with InBackground(thing.open, thing.close) as opening, pytest.raises(ValueError, match="no"):
        opening.result(20)
    assert thing.seen == []


def test_left_before_it_was_open() -> None:
    thing = Thing(seconds=60)
    with InBackground(thing.open, thing.close) as opening:
        pass
    assert thing.seen == ["cancelled"]
    with pytest.raises(CancelledError):
        opening.result(0)


def test_closed_although_the_block_fails() -> None:
    thing = Thing()

    def fail() -> None:
        with InBackground(thing.open, thing.close) as opening:
            opening.result(20)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert thing.seen == ["opened", "closed"]

"""Waiting until something is so: for what raises no event that a test could wait for instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
PATIENCE = 60.0  # seconds: on a busy machine everything may be slow
PAUSE = 0.02  # seconds between two looks


@overload
async def until(
    look: Callable[[], Awaitable[T]], what: str = "", *, met: Callable[[T], object] = bool, seconds: float = PATIENCE,
    pause: float = PAUSE,
) -> T: ...


@overload
async def until(
    look: Callable[[], T], what: str = "", *, met: Callable[[T], object] = bool, seconds: float = PATIENCE,
    pause: float = PAUSE,
) -> T: ...


async def until(
    look: Callable[[], Any], what: str = "", *, met: Callable[[Any], object] = bool, seconds: float = PATIENCE,
    pause: float = PAUSE,
) -> Any:
    """Look again and again until what is seen is as wanted; returns it. Raises AssertionError when it never is."""
    seen: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                seen = look()
                if isinstance(seen, Awaitable):
                    seen = await seen
                if met(seen):
                    return seen
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(_never(what, seconds, seen)) from None


def wait_until(
    look: Callable[[], T], what: str = "", *, met: Callable[[T], object] = bool, seconds: float = PATIENCE,
    pause: float = PAUSE,
) -> T:
    """The same where no loop runs: what is waited for is in another thread or process."""
    give_up = time.monotonic() + seconds
    while not met(seen := look()):
        assert time.monotonic() < give_up, _never(what, seconds, seen)
        time.sleep(pause)
    return seen


def _never(what: str, seconds: float, seen: object) -> str:
    return f"never in {seconds:g} s: {what or 'what was waited for'}; seen last: {str(seen)[:3000]}"

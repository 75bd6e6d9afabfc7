"""Costly work that many may ask for at once: so many at a time, so many that wait, and none for long."""

from __future__ import annotations

import asyncio

from tuiha.server.access import Unavailable


class Turns:
    """`async with turns:` waits for a turn. Raises access.Unavailable when too many wait, or for too long."""

    def __init__(self, what: str, at_once: int, waiting: int, seconds: float) -> None:
        """`what` is worked on, in words; `seconds` is how long one may wait."""
        self._what = what
        self._free = asyncio.Semaphore(at_once)
        self._room = waiting
        self._seconds = seconds

    async def __aenter__(self) -> None:
        if self._free.locked() and self._room <= 0:
            raise Unavailable(f"too many {self._what} at this moment")
        self._room -= 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable(f"too many {self._what} at this moment") from None
        finally:
            self._room += 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()

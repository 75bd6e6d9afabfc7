"""One question for all who wait for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Together:
    """Asks a question for many at once. Nobody gets the answer to one that began before he wanted to know."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def asked(self) -> None:
        """Returns when a question that began after this call is answered. Raises what the question raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asking))
            self._next.add_done_callback(_seen)
        await asyncio.shield(self._next)

    async def _after(self, other: asyncio.Task[None] | None) -> None:
        if other is not None:
            await asyncio.wait({other})
        self._asking, self._next = self._next, None  # it begins: who wants to know from here on waits for the next
        await self._ask()


def _seen(task: asyncio.Task[None]) -> None:
    """Look at what it raised, also when all who waited have gone."""
    if not task.cancelled():
        task.exception()

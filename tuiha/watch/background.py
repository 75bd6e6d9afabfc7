"""A thread with an event loop for what a screen asks: the screen never waits, and answers come when they come."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_END = 2.0  # seconds that the thread gets to end


class Background:
    """Does what it is given, each as a task of its own. The thread starts with the first; `close` ends them all.

    `at_end` is done last on the thread, for instance to close what tasks have opened.
    """

    def __init__(self, name: str, at_end: Callable[[], Awaitable[None]] | None = None) -> None:
        self._name = name
        self._at_end = at_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def run(
        self, work: Callable[[], Awaitable[T]], answer: Callable[[T], None], failed: Callable[[Exception], None]
    ) -> Callable[[], None]:
        """Do it; `answer` or `failed` is called on the thread. Returns what ends it, without an answer then."""
        loop = self._started()
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            task = loop.create_task(_answered(work, answer, failed))
            tasks.append(task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        def end() -> None:
            for task in tasks:
                task.cancel()

        def ended() -> None:
            with contextlib.suppress(RuntimeError):  # the thread has ended, and everything on it
                loop.call_soon_threadsafe(end)

        loop.call_soon_threadsafe(begin)
        return ended

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._work, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            for task in self._tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            if self._at_end is not None:
                loop.run_until_complete(self._at_end())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def close(self) -> None:
        """End the thread and what is done on it; returns when done, or after two seconds."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_END)
            self._loop = self._thread = None


async def _answered(
    work: Callable[[], Awaitable[T]], answer: Callable[[T], None], failed: Callable[[Exception], None]
) -> None:
    try:
        done = await work()
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told to whoever asked
        failed(error)
    else:
        answer(done)

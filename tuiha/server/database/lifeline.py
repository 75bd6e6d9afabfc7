"""A thread with an event loop of its own: what keeps this server in the pool never waits behind devices.

The server's own loop may be busy for seconds with devices, log-ins and mail. The lease is renewed here meanwhile, on a
connection that nobody else uses. A loop that does not turn at all any more serves nobody: then it is not renewed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from tuiha.drivers.protocols import LedgerDriver
from tuiha.model.reports import LedgerRecord
from tuiha.pooldb.leases import boottime

T = TypeVar("T")


class Lifeline:
    """Runs work beside the loop that it was started from."""

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lifeline", daemon=True)
        self._served: asyncio.AbstractEventLoop | None = None
        self._asked_at: float | None = None  # when the serving loop was asked whether it turns; None: it has answered

    def start(self) -> None:
        """Start the thread, from the loop that serves."""
        self._served = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """End the thread. What it does has ended before: whoever gave it work waits for it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of work done in the thread. A cancellation is passed on, and the end of the work waited for."""
        outcome: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(partial(_tell, outcome))

        self._loop.call_soon_threadsafe(begin)
        told = asyncio.wrap_future(outcome)
        try:
            return await asyncio.shield(told)
        except asyncio.CancelledError:
            self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            await asyncio.wait({told})
            if not told.cancelled():
                told.exception()  # seen: the cancellation is what the caller gets
            raise

    def still_for(self) -> float:
        """Seconds for which the serving loop has not answered whether it turns. Asked by work in the thread."""
        if self._asked_at is not None:
            return self._clock() - self._asked_at
        self._asked_at = self._clock()
        if self._served is not None:
            with suppress(RuntimeError):  # it is closed: the process is about to end
                self._served.call_soon_threadsafe(self._turns)
        return 0.0

    def _turns(self) -> None:
        self._asked_at = None


def _tell(outcome: Future[T], task: asyncio.Task[T]) -> None:
    if task.cancelled():
        outcome.cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


class SharedLedger:
    """A ledger whose driver belongs to the loop that made it, for work on either loop."""

    def __init__(self, driver: LedgerDriver) -> None:
        self._driver = driver
        self._home: asyncio.AbstractEventLoop | None = None
        self.capabilities = driver.capabilities

    def begin(self) -> None:
        """From now on this loop is its home."""
        self._home = asyncio.get_running_loop()

    async def poll(self) -> LedgerRecord:
        """As the driver's."""
        return await self._there(self._driver.poll())

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """As the driver's."""
        return await self._there(self._driver.create(record))

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """As the driver's."""
        return await self._there(self._driver.replace(old, new))

    async def close(self) -> None:
        """As the driver's."""
        await self._there(self._driver.close())

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        if self._home is None or self._home is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))

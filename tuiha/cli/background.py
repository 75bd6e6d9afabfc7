"""Something asynchronous that is opened, kept and closed beside a program that has a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType


class InBackground:
    """Opens in a thread at once; closes there, and waits for that, when the block ends. Gives the opening's future."""

    def __init__(self, opening: Callable[[], Awaitable[None]], closing: Callable[[], Awaitable[None]]) -> None:
        self._opening = opening
        self._closing = closing
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, name="tuiha-background")
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._runs = threading.Event()  # set once there is a loop

    def __enter__(self) -> Future[None]:
        self._thread.start()
        return self._opened

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runs.wait()
        with suppress(RuntimeError):  # the loop has ended already: it never opened
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _work(self) -> None:
        asyncio.run(self._keep())

    async def _keep(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._runs.set()
        opening, stopping = asyncio.ensure_future(self._opening()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
        try:
            await opening
        except asyncio.CancelledError:
            self._opened.cancel()
            stopping.cancel()
            return
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the opening
            self._opened.set_exception(error)
            stopping.cancel()
            return
        self._opened.set_result(None)
        await stopping
        await self._closing()


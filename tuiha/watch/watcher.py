"""The watcher: polls in a thread and loop of its own, apart from whatever draws the screen."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.model.facts import Event, Snapshot
from tuiha.watch.child.messages import KnownFigures
from tuiha.watch.factory import open_poller
from tuiha.watch.feed import Subscribers
from tuiha.watch.history import History
from tuiha.watch.poller import Poller
from tuiha.watch.remembered import remembered

EVENTS = 1000  # kept
STOP = 3.0  # seconds that the thread gets to end
_log = logging.getLogger(__name__)


class Watcher:
    """Offers a `Feed` of a live pool."""

    def __init__(
        self, pool: Pool, base: Path, make: Callable[[Pool, Path], Poller] = open_poller,
        history: History | None = None,
    ) -> None:
        """`history` is filled when there is one: for who draws from this watcher itself."""
        self._pool, self._base, self._make = pool, base, make
        self._latest: Snapshot | None = None
        self._events: tuple[Event, ...] = ()
        self._history = history
        self._subscribers = Subscribers()
        self._thread: threading.Thread | None = None
        self._remember: Callable[[], tuple[KnownFigures, ...]] = tuple
        self._stop: Callable[[], None] = _nothing
        self._wake: Callable[[], None] = _nothing

    def start(self) -> None:
        """Open the drivers and begin. Raises ConfigError when a token or a certificate cannot be read."""
        if self._thread is not None:
            raise RuntimeError("a watcher starts once")
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, args=(opened,), name="tuiha-watch", daemon=True)
        self._thread.start()
        opened.result()

    def stop(self) -> None:
        """End polling and close the drivers; returns when done, or after three seconds."""
        self._stop()
        if self._thread is not None:
            self._thread.join(STOP)

    @property
    def alive(self) -> bool:
        """Whether it polls; False also when a fault has ended it."""
        return self._thread is not None and self._thread.is_alive()

    def latest(self) -> Snapshot | None:
        """The newest snapshot; None before the first."""
        return self._latest

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have `call` called with each new snapshot, on the watcher's thread. Returns what ends it."""
        return self._subscribers.add(call)

    def events(self) -> tuple[Event, ...]:
        """What changed, newest first."""
        return self._events

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """The last 15 minutes of a figure, oldest first, evenly spaced; the pool's own under its name.

        Empty where none is kept: of a process that watches for another one, nobody would read it.
        """
        return () if self._history is None else self._history.read(node, metric)

    def poll_now(self) -> None:
        """Look again at once."""
        self._wake()

    def remembered(self) -> tuple[KnownFigures, ...]:
        """What the pool's servers know of the time before this watcher. Waits for them, for some seconds at most."""
        return self._remember()

    def _work(self, opened: Future[None]) -> None:
        try:
            asyncio.run(self._watch(opened))
        except asyncio.CancelledError:
            _log.debug("the watcher has stopped")
        except Exception as error:  # noqa: BLE001 - told to whoever waits, or logged
            if not opened.done():
                opened.set_exception(error)
                return
            _log.exception("the watcher has ended")

    async def _watch(self, opened: Future[None]) -> None:
        poller = self._make(self._pool, self._base)
        loop, task, wake = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

        def from_outside(call: Callable[[], object]) -> Callable[[], None]:
            def safely() -> None:
                with suppress(RuntimeError):  # the loop has ended: there is nothing to tell it
                    loop.call_soon_threadsafe(call)
            return safely

        def remember() -> tuple[KnownFigures, ...]:
            asked = remembered(poller.targets.servers, self._pool.pool)
            try:
                return asyncio.run_coroutine_threadsafe(asked, loop).result()
            except (RuntimeError, CancelledError):  # the loop has ended
                asked.close()
                return ()

        self._wake, self._remember = from_outside(wake.set), remember
        if task is not None:
            self._stop = from_outside(task.cancel)
        opened.set_result(None)
        await poller.run(self._publish, wake)

    def _publish(self, snapshot: Snapshot, found: tuple[Event, ...]) -> None:
        if self._history is not None and snapshot is not self._latest:
            self._history.record(snapshot)
        if found:
            self._events = (*reversed(found), *self._events)[:EVENTS]
        self._latest = snapshot
        self._subscribers.tell(snapshot)


def _nothing() -> None:
    """Before the start there is nothing to stop or to wake."""

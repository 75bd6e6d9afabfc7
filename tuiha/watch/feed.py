"""What a screen needs from a watcher, and nothing more: live polling and replay both offer it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from tuiha.model.facts import Event, Snapshot


class Feed(Protocol):
    """A source of snapshots. All methods may be called from the screen's thread and never block."""

    def latest(self) -> Snapshot | None:
        """The newest snapshot; None before the first."""

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have `call` called with each new snapshot, on the watcher's thread. Returns what ends it."""

    def events(self) -> tuple[Event, ...]:
        """What changed, newest first."""

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """The last 15 minutes of a figure, oldest first, evenly spaced; None where nothing was known.

        Metrics are the names of the numeric fields of the node's facts, for instance `users`.
        """

    def poll_now(self) -> None:
        """Look again at once."""


_log = logging.getLogger(__name__)


class Subscribers:
    """Calls everybody who asked for it, on the thread of whoever tells."""

    def __init__(self) -> None:
        self._calls: tuple[Callable[[Snapshot], None], ...] = ()
        self._lock = threading.Lock()

    def add(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have `call` called from now on. Returns what ends it."""
        with self._lock:
            self._calls = (*self._calls, call)

        def end() -> None:
            with self._lock:
                self._calls = tuple(c for c in self._calls if c is not call)

        return end

    def tell(self, snapshot: Snapshot) -> None:
        """Call everybody; a fault of one hurts nobody else."""
        for call in self._calls:
            try:
                call(snapshot)
            except Exception:  # noqa: BLE001 - a screen's fault must not end the watching
                _log.warning("a subscriber failed", exc_info=True)

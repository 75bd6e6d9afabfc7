"""Those who want each new snapshot: what a live watcher and a replay have in common."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tuiha.model.facts import Snapshot

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

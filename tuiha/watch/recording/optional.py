"""Recording beside watching: when the configuration says so, and without it when it cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

from tuiha.config.errors import ConfigError
from tuiha.config.settings import Pool
from tuiha.watch.feed import Feed
from tuiha.watch.recording.recorder import Recorder
from tuiha.watch.recording.setup import recorder_of

_log = logging.getLogger(__name__)


class Recording:
    """The recorder of a pool, or why there is none."""

    def __init__(self, pool: Pool, base: Path) -> None:
        self._pool, self._base = pool, base
        self._recorder: Recorder | None = None
        self._why: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded; None when all is well, or when nothing should be."""
        return self._why if self._recorder is None else self._recorder.trouble

    @property
    def lost(self) -> str | None:
        """Why what is seen is recorded nowhere; None also when another process records it."""
        return None if self._recorder is not None and self._recorder.elsewhere else self.trouble

    def start(self, feed: Feed) -> None:
        """Record what this feed has and brings, unless the configuration says otherwise."""
        if not self._pool.recording.enabled:
            return
        try:
            recorder = recorder_of(self._pool, self._base)
        except (ConfigError, OSError) as error:
            self._why = str(error)
            _log.warning("nothing is recorded: %s", error)
            return
        recorder.start(feed)
        self._recorder = recorder
        latest = feed.latest()
        if latest is not None:
            recorder.take(latest)

    def stop(self) -> None:
        """Write what has come, and end."""
        if self._recorder is not None:
            self._recorder.stop()

"""The recording beside a dashboard: written while it runs, and read when its user goes into the past."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.watch.feed import Feed
    from tuiha.watch.recording.recorder import Recorder
    from tuiha.watch.recording.replay import Replay

_log = logging.getLogger(__name__)


class Kept:
    """The recording of a pool. What reads and writes it is imported when it is first needed."""

    def __init__(self, pool: Pool, base: Path) -> None:
        self._pool, self._base = pool, base
        self._recorder: Recorder | None = None

    def start(self, feed: Feed) -> None:
        """Record from now on, unless the configuration says otherwise. A dashboard does without when it cannot be."""
        if not self._pool.recording.enabled:
            return
        from tuiha.config.errors import ConfigError
        from tuiha.watch.recording.setup import recorder_of

        try:
            recorder = recorder_of(self._pool, self._base)
        except (ConfigError, OSError) as error:
            _log.warning("nothing is recorded: %s", error)
            return
        recorder.start(feed)
        self._recorder = recorder

    def open(self) -> Replay:
        """Look at what was recorded. Raises ConfigError, with the reason why nothing is recorded if that is so."""
        from tuiha.config.errors import ConfigError, Problem
        from tuiha.watch.recording.replay import Replay
        from tuiha.watch.recording.setup import OFF, place_of

        try:
            return Replay(place_of(self._pool, self._base))
        except ConfigError:
            if not self._pool.recording.enabled:
                raise ConfigError(Problem(OFF)) from None
            if self._recorder is not None and self._recorder.trouble is not None:
                raise ConfigError(Problem(f"nothing is recorded: {self._recorder.trouble}")) from None
            raise

    def stop(self) -> None:
        """Write what has come, and end."""
        if self._recorder is not None:
            self._recorder.stop()

"""The recording beside a dashboard: written while it runs, and read when its user goes into the past."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.watch.apart.messages import Outline
    from tuiha.watch.feed import Feed
    from tuiha.watch.recording.replay import Replay


class Kept:
    """The recording of a pool that this process watches. What reads and writes it is imported when it is needed."""

    def __init__(self, pool: Pool, base: Path) -> None:
        from tuiha.watch.recording.optional import Recording

        self._pool, self._base = pool, base
        self._recording = Recording(pool, base)

    def start(self, feed: Feed) -> None:
        """Record from now on, unless the configuration says otherwise. A dashboard does without when it cannot be."""
        self._recording.start(feed)

    def open(self) -> Replay:
        """Look at what was recorded. Raises ConfigError, with the reason why nothing is recorded if that is so."""
        from tuiha.watch.apart.messages import outline_of

        return open_past(outline_of(self._pool), self._base, lambda: self._recording.trouble)

    def stop(self) -> None:
        """Write what has come, and end."""
        self._recording.stop()


def open_past(outline: Outline, base: Path, trouble: Callable[[], str | None]) -> Replay:
    """Look at a pool's recording. Raises ConfigError, with the reason why nothing is recorded if that is so."""
    from tuiha.config.errors import ConfigError, Problem
    from tuiha.watch.recording.replay import Replay
    from tuiha.watch.recording.setup import OFF, place

    try:
        return Replay(place(outline.pool, outline.recording, base))
    except ConfigError:
        why = trouble()
        if not outline.recorded:
            raise ConfigError(Problem(OFF)) from None
        if why is not None:
            raise ConfigError(Problem(f"nothing is recorded: {why}")) from None
        raise

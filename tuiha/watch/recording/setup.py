"""From settings to a recorder: where the recording of a pool lies, and how much of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config import places
from tuiha.watch.recording.recorder import Recorder
from tuiha.watch.recording.writer import Keep

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
import logging

from tuiha.config.errors import ConfigError
from tuiha.config.settings import Pool
from tuiha.watch.feed import Feed

OFF = "nothing is recorded: the configuration says recording.enabled: false"


def place_of(pool: Pool, base: Path) -> Path:
    """The file of a pool's recording; its folder is made when it is the state folder. Raises ConfigError."""
    return place(pool.pool, pool.recording.path, base)


def place(pool: str, path: Path | None, base: Path) -> Path:
    """The same for a pool by its name and the path that its configuration names. Raises ConfigError."""
    if path is not None:
        return base / path.expanduser()
    folder = places.state_folder() / "recordings"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{pool}.sqlite"


def recorder_of(pool: Pool, base: Path, path: Path | None = None) -> Recorder:
    """A recorder of a pool, into its own file or the one that is named. Raises ConfigError."""
    keep = Keep(pool.recording.keep, pool.recording.megabytes * 1_000_000)
    return Recorder(path or place_of(pool, base), pool.pool, keep)


_log = logging.getLogger(__name__)


class OptionalRecording:
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

"""From settings to a recorder: where the recording of a pool lies, and how much of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config import places
from tuiha.watch.recording.recorder import Recorder
from tuiha.watch.recording.writer import Keep

if TYPE_CHECKING:
    from tuiha.config.settings import Pool

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

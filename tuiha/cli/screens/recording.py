"""The recording beside a dashboard, read when its user goes into the past. The process that watches writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiha.watch.child.messages import Outline
    from tuiha.watch.recording.replay import Replay


def open_past(outline: Outline, base: Path, trouble: Callable[[], str | None]) -> Replay:
    """Look at a pool's recording. Raises ConfigError, with the reason why nothing is recorded if that is so."""
    from tuiha.config.errors import ConfigError, ConfigProblem
    from tuiha.watch.recording.replay import Replay
    from tuiha.watch.recording.setup import OFF, place

    try:
        return Replay(place(outline.pool, outline.recording, base))
    except ConfigError:
        why = trouble()
        if not outline.recorded:
            raise ConfigError(ConfigProblem(OFF)) from None
        if why is not None:
            raise ConfigError(ConfigProblem(f"nothing is recorded: {why}")) from None
        raise

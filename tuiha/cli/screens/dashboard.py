"""The dashboard of one pool that another process watches: what it shows, does and remembers, put together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.operations.operator import PoolOperator
from tuiha.tui.app import run
from tuiha.watch.child.feed import WatchingEnded

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.tui.looks import Looks
    from tuiha.watch.child.feed import Apart
    from tuiha.watch.child.messages import Outline
    from tuiha.watch.recording.replay import Replay


def show_pool(
    watched: Apart, path: Path, looks: Callable[[Outline], Looks], *, mode: str = "LOCKED",
    ready: Callable[[], None] = lambda: None, keep: Callable[[Sequence[str]], None] | None = None,
) -> int:
    """Show the pool that is configured in `path` until it is left; returns an exit code.

    `ready` is called when the terminal is the dashboard's, `keep` with what Home showed last. Raises ConfigError, and
    CommandError when the watching process ends before it has begun.
    """
    base = path.parent

    def started() -> None:
        ready()
        watched.start()

    try:
        outline = watched.outline()
        shown = looks(outline)
        operator = PoolOperator(outline, _settings_of(path), base, path)
        try:
            return run(watched, outline.pool, mode=mode, looks=shown, ready=started, operator=operator, keep=keep,
                       past=lambda: open_past(outline, base, lambda: watched.recording_trouble),
                       lost=lambda: watched.recording_lost)
        finally:
            operator.close()
    except WatchingEnded as error:
        raise exits.CommandError(str(error)) from None


def _settings_of(path: Path) -> Callable[[], Pool]:
    """The settings, read when they are first needed: with what reads them they are the half of a dashboard's memory."""

    @functools.cache
    def settings() -> Pool:
        from tuiha.config.load import load

        return load(path)

    return settings


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

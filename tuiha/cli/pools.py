"""Several pools at once: a configuration and a watcher for each; one that cannot be had does not hide the others."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.errors import ConfigError, Problem

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.model.facts import Event, Snapshot
    from tuiha.tui.pools.watching import Watched
    from tuiha.watch.watcher import Watcher


def paths_of(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The configuration files that are meant. Raises ConfigError."""
    from tuiha.config.find import find_all

    return tuple(path.absolute() for path in find_all(getattr(arguments, "configs", None) or ()))


class Nothing:
    """The feed of a pool that cannot be watched."""

    def latest(self) -> Snapshot | None:
        """There is none."""
        return None

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Nothing ever comes."""
        return lambda: None

    def events(self) -> tuple[Event, ...]:
        """None."""
        return ()

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """None."""
        return ()

    def poll_now(self) -> None:
        """Nothing to look at."""


class Opened:
    """One pool: its settings and its watcher, or why it has none."""

    def __init__(self, path: Path, started: Callable[[Opened], None] | None = None) -> None:
        """Load the configuration. `started` is called when watching has begun."""
        from tuiha.config.load import load
        from tuiha.watch.watcher import Watcher

        self.path = path
        self.settings: Pool | None = None
        self.watcher: Watcher | None = None
        self._error: ConfigError | None = None
        self._when_started = started
        self._started = False
        try:
            self.settings = load(path)
        except ConfigError as error:
            self._error = error
        else:
            self.watcher = Watcher(self.settings, path.parent)

    @property
    def name(self) -> str:
        """The pool's name; without a configuration the file's."""
        return self.settings.pool if self.settings is not None else self.path.stem

    def start(self) -> None:
        """Begin to watch, once. Raises ConfigError."""
        if self.watcher is None:
            raise self._error or ConfigError(Problem("it cannot be watched", file=self.path))
        if not self._started:
            self._started = True
            self.watcher.start()
            if self._when_started is not None:
                self._when_started(self)

    def watched(self) -> Watched:
        """As the wall and the list of pools want it."""
        from tuiha.tui.pools.watching import Watched

        return Watched(self.name, self.watcher or Nothing(), self.start)

    def stop(self) -> None:
        """End watching."""
        if self.watcher is not None and self._started:
            self.watcher.stop()


def chosen(pools: Sequence[Opened], names: Sequence[str]) -> list[Opened]:
    """The pools of these names, or all. Raises ConfigError for a name that no configuration has."""
    missing = [name for name in names if name not in {pool.name for pool in pools}]
    if missing:
        known = ", ".join(pool.name for pool in pools)
        raise ConfigError(Problem(f"there is no pool '{missing[0]}' among {known}",
                                  "name its configuration with --config FILE, once for each pool"))
    return [pool for pool in pools if not names or pool.name in names]

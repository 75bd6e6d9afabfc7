"""Several pools at once, each watched by a process of its own; one that cannot be had does not hide the others."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from tuiha.tui.views.wall.feeds import Watched
    from tuiha.watch.child.feed import Apart


def paths_of(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The configuration files that are meant. Raises ConfigError."""
    from tuiha.config.find import find_all

    return tuple(path.absolute() for path in find_all(getattr(arguments, "configs", None) or ()))


@dataclass(frozen=True, eq=False)
class Opened:
    """One pool: its configuration's file, and what watches it."""

    path: Path
    feed: Apart

    @property
    def name(self) -> str:
        """The pool's name; without a configuration the file's."""
        from tuiha.watch.child.feed import WatchingEnded

        try:
            return self.feed.outline().pool
        except (ConfigError, WatchingEnded):
            return self.path.stem

    def watched(self) -> Watched:
        """As the wall and the list of pools want it."""
        from tuiha.tui.views.wall.feeds import Watched

        return Watched(self.name, self.feed, self.feed.start, lambda: self.feed.day)


@contextmanager
def watching(paths: Sequence[Path], names: Sequence[str] = (), *, recorded: bool = True) -> Iterator[list[Opened]]:
    """Watch, until the end of the block, the pools of these names, or all. Raises ConfigError for an unknown name."""
    from tuiha.cli.screens.watcher import watch_apart

    pools = [Opened(path, watch_apart(path, recorded=recorded)) for path in paths]
    try:
        wanted = chosen(pools, names)
        for pool in pools:
            if pool not in wanted:
                pool.feed.stop()
        yield wanted
    finally:
        for pool in pools:
            pool.feed.stop()


def chosen(pools: Sequence[Opened], names: Sequence[str]) -> list[Opened]:
    """The pools of these names, or all. Raises ConfigError for a name that no configuration has."""
    missing = [name for name in names if name not in {pool.name for pool in pools}]
    if missing:
        known = ", ".join(pool.name for pool in pools)
        raise ConfigError(ConfigProblem(f"there is no pool '{missing[0]}' among {known}",
                                        "name its configuration with --config FILE, once for each pool"))
    return [pool for pool in pools if not names or pool.name in names]

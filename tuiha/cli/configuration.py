"""The configuration that a command works with."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuiha.cli import exits
from tuiha.cli.exits import CommandError
from tuiha.cli.output.streams import progress, say

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.watch.reader import Reader

T = TypeVar("T")


def config_of(arguments: argparse.Namespace) -> Path:
    """The one configuration that is meant. Raises CommandError for several, ConfigError when there is none."""
    from tuiha.config.find import find

    if len(set(getattr(arguments, "configs", ()))) > 1:
        raise CommandError(f"`tuiha {arguments.command}` works on one pool, and several configurations are named; "
                           "name one with --config", exits.USAGE)
    return find(arguments.config)


def opened(arguments: argparse.Namespace) -> tuple[Pool, Path]:
    """The pool, and the folder that its relative paths start from. Raises ConfigError."""
    from tuiha.config.load import load

    path = config_of(arguments)
    return load(path), path.parent


def reading(pool: Pool, base: Path, work: Callable[[Reader], Awaitable[T]]) -> T:
    """Read from the pool's active database; says on stderr when another had to do. Raises CommandError."""
    import asyncio

    from tuiha.watch.reader import ReaderUnreachable, reader

    async def read() -> T:
        async with reader(pool, base) as source:
            if not source.active:
                say(f"tuiha: the active database cannot be read; this is from {source.database} and may be older")
            return await work(source)

    try:
        with progress("waiting for the database"):
            return asyncio.run(read())
    except ReaderUnreachable as error:
        raise CommandError(f"no database of {pool.pool} can be read:\n{error}\n"
                           "`tuiha status` shows the whole pool; `tuiha check` says what to fix.",
                           exits.UNREACHABLE) from None

"""`tuiha dashboard`, and `tuiha` without a command: the configured pool on one screen, live."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from dataclasses import replace
from pathlib import Path

from tuiha.cli import exits
from tuiha.cli.first import FirstPicture
from tuiha.cli.looks import add_looks, looks_of

HELP = """Show the configured pool on one screen, live. Looking changes nothing: `q` leaves, the pool does not notice.

With several configurations (--config for each, or tuiha.yaml and pools/*.yaml in the configuration folder) it begins
with the list of pools: `enter` opens one, and `q` leads back to the list.

`w` arms for 15 minutes, for those whose configuration has an operator's token; then `r`, `f`, `d` and `e` plan an
operation, and nothing happens before the plan is confirmed by name. `?` shows the keys. The dashboard needs a
terminal; `tuiha status` prints the same facts without one.

exit codes: 0 left, 2 configuration or no terminal"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add how it looks."""
    add_looks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the dashboard until it is left."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise exits.CommandError("the dashboard needs a terminal; `tuiha status` does without", exits.USAGE)
    gc.disable()  # until the first frame: nothing that is imported is garbage
    from tuiha.cli.pools import paths_of

    paths = paths_of(arguments)
    if len(paths) > 1:
        from tuiha.cli.several import show_several

        return show_several(paths, looks_of(arguments))
    return _one(paths[0], arguments)


def _one(path: Path, arguments: argparse.Namespace) -> int:
    picture = FirstPicture(path)
    picture.paint(time.time())
    try:
        return _shown(path, arguments, picture)
    finally:
        picture.clear()


def _shown(path: Path, arguments: argparse.Namespace, picture: FirstPicture) -> int:
    from tuiha.cli.logfile import log_to_file
    from tuiha.config.load import load

    log_to_file()
    pool, base = load(path), path.parent
    from tuiha.cli.operator import PoolOperator
    from tuiha.cli.recording import Kept
    from tuiha.tui.app import run as show
    from tuiha.watch.watcher import Watcher

    looks = replace(looks_of(arguments, pool, path), pictured=picture.painted)
    watcher, operator, kept = Watcher(pool, base), PoolOperator(pool, base, path), Kept(pool, base)

    def ready() -> None:
        picture.painted = False  # the terminal is the dashboard's now
        watcher.start()
        kept.start(watcher)

    try:
        # What polls is imported and opened on the watcher's thread, behind the first frame; what acts on another.
        return show(watcher, pool.pool, looks=looks, ready=ready, operator=operator, past=kept.open,
                    keep=lambda lines: picture.keep(lines, time.time()))
    finally:
        operator.close()
        watcher.stop()
        kept.stop()

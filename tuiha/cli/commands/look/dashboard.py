"""`tuiha dashboard`, and `tuiha` without a command: the configured pool on one screen, live."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.output.streams import has_screen
from tuiha.cli.screens.first import FirstPicture
from tuiha.cli.screens.looks import add_looks, looks_of

if TYPE_CHECKING:
    from tuiha.tui.looks import Looks
    from tuiha.watch.child.messages import Outline

HELP = """Show the configured pool on one screen, live. Looking changes nothing: `q` leaves, the pool does not notice.

With several configurations (--config for each, or tuiha.yaml and pools/*.yaml in the configuration folder) it begins
with the list of pools: `enter` opens one, and `q` leads back to the list.

`w` unlocks changes for 15 minutes, if the configuration has an operator's token. Then `r`, `f`, `d` and `e` plan an
operation. Nothing happens before you confirm the plan by name. `?` shows the keys. The dashboard needs a terminal.
`tuiha status` prints the same facts without one, and so does this where TERM is dumb.

exit codes: 0 left, 2 configuration or no terminal"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add how it looks."""
    add_looks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the dashboard until it is left."""
    if not has_screen():
        return _as_text(arguments)
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise exits.CommandError("the dashboard needs a terminal; `tuiha status` does without", exits.USAGE)
    gc.disable()  # until the first frame: nothing that is imported is garbage
    from tuiha.cli.screens.pools import paths_of

    paths = paths_of(arguments)
    if len(paths) > 1:
        from tuiha.cli.screens.several import show_several

        return show_several(paths, looks_of(arguments))
    return _one(paths[0], arguments)


def _as_text(arguments: argparse.Namespace) -> int:
    """Where a terminal has no screen: what `tuiha status` prints, once."""
    from tuiha.cli.commands.look import status
    from tuiha.cli.output.streams import say

    say(f"TERM={os.environ.get('TERM', '')} has no screen to draw on; this is `tuiha status`. `tuiha status --watch` "
        "continues with one line for each change.")
    return status.run(argparse.Namespace(**{**vars(arguments), "json": False, "linear": False, "watch": False}))


def _one(path: Path, arguments: argparse.Namespace) -> int:
    picture = FirstPicture(path)
    picture.paint(time.time())
    try:
        return _shown(path, arguments, picture)
    finally:
        picture.clear()


def _shown(path: Path, arguments: argparse.Namespace, picture: FirstPicture) -> int:
    from tuiha.cli.screens.watcher import watch_apart

    watched = watch_apart(path)  # it polls while this process imports what draws
    try:
        from tuiha.cli.logfile import log_to_file

        log_to_file()
        from tuiha.cli.screens.dashboard import show_pool

        def looks(outline: Outline) -> Looks:
            return replace(looks_of(arguments, outline.keys, path), pictured=picture.painted)

        def ready() -> None:
            picture.painted = False  # the terminal is the dashboard's now

        return show_pool(watched, path, looks, ready=ready, keep=lambda lines: picture.keep(lines, time.time()))
    finally:
        watched.stop()

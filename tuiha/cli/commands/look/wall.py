"""`tuiha wall`: pools in large figures, for a screen on a wall."""

from __future__ import annotations

import argparse
import os
import sys

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.screens.looks import add_looks, looks_of

HELP = """Show pools in large figures, one after the other, for a screen that everybody sees. Nothing can be done from
it: `q` is its only key, no code that acts is loaded, and no operator's secret is read.

The pools are those of --config FILE (once for each), else of the configuration folder: tuiha.yaml and pools/*.yaml.

exit codes: 0 left, 2 configuration or no terminal"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add POOL, --cycle and how it looks."""
    parser.add_argument("pool", metavar="POOL", nargs="*", help="pools by name (all)")
    parser.add_argument("--cycle", metavar="S", type=whole(2, 3600), default=10,
                        help="seconds that each pool is shown (%(default)s)")
    add_looks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the wall until it is left."""
    in_browser = bool(os.environ.get("TEXTUAL_DRIVER"))  # `tuiha web` has started it
    if not in_browser and not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise exits.CommandError("the wall needs a terminal; `tuiha status --watch` does without", exits.USAGE)
    from tuiha.cli.logfile import log_to_file
    from tuiha.cli.screens.pools import paths_of, watching

    with watching(paths_of(arguments), arguments.pool, recorded=False) as pools:
        log_to_file()
        from tuiha.tui.views.wall.screen import Wall

        looks = looks_of(arguments)
        return Wall([pool.watched() for pool in pools], looks.palette(), cycle=arguments.cycle,
                    clock=looks.clock).show()

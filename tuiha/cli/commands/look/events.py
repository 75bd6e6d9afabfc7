"""`tuiha events`: what servers and operations recorded in the database."""

from __future__ import annotations

import argparse
import json

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.output.streams import put

HELP = """Print what happened in the pool, newest last, as pool servers and operations recorded it in the database.

What a watcher sees from outside (a node that does not answer) is in the dashboard and in `tuiha status`."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add --json and --limit."""
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.events/1)")
    parser.add_argument("--limit", metavar="N", type=whole(1, 100_000), default=50,
                        help="the newest N events (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print the events."""
    from tuiha.cli.configuration import opened, reading
    from tuiha.cli.output import documents
    from tuiha.cli.output.table import aligned, plain, stamp
    from tuiha.watch.reader import read_events

    pool, base = opened(arguments)
    rows = reading(pool, base, lambda source: read_events(source, arguments.limit))
    if arguments.json:
        put(json.dumps(documents.events(pool.pool, rows), indent=2))
    elif rows:
        put("\n".join(aligned([(stamp(r.at) or "", r.severity, plain(r.subject), plain(r.text))
                               for r in rows])))
    return exits.OK

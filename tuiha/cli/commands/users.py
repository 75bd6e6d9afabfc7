"""`tuiha users`: find users."""

from __future__ import annotations

import argparse
import json
from datetime import datetime

from tuiha.cli import exits
from tuiha.cli.numbers import whole
from tuiha.cli.out import put, say

HELP = """Find users: the server that monitors each, since when, until when it is locked there, devices, mail server,
last sync.

PATTERN is the beginning of a name; with * and ? it must match the whole name. Capitals, blanks around
it and the pool's own domain matter as little as at a log-in (users.names in the configuration)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the pattern, --json, --limit and --after."""
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", default="", help="the beginning of a name, or * and ?")
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.users/1)")
    parser.add_argument("--limit", metavar="N", type=whole(1, 100_000), default=100,
                        help="at most N users (default %(default)s)")
    parser.add_argument("--after", metavar="NAME", default="", help="go on after this user (the next page)")


def run(arguments: argparse.Namespace) -> int:
    """Print a page of users."""
    from tuiha.cli import documents
    from tuiha.cli.opening import opened, reading
    from tuiha.cli.table import aligned, cell, plain
    from tuiha.watch.reader import read_users

    pool, base = opened(arguments)
    limit: int = arguments.limit
    found = reading(pool, base, lambda source: read_users(source, arguments.pattern, arguments.after, limit + 1))
    rows, more = found[:limit], len(found) > limit
    after = rows[-1].name if more else None
    if arguments.json:
        put(json.dumps(documents.users(pool.pool, rows, after), indent=2))
        return exits.OK
    if rows:
        head = ("USER", "SERVER", "SINCE", "LOCKED UNTIL", "DEVICES", "MAIL", "LAST SYNC")
        put("\n".join(aligned([head, *((plain(r.name), cell(r.server), _time(r.since), _time(r.locked_until),
                                        str(r.devices), cell(r.mail_server), _time(r.last_sync)) for r in rows)],
                              (4,))))
    if after is not None:
        say(f"there are more; the next page: --after {after}")
    elif not rows:
        say("no user has such a name")
    return exits.OK


def _time(at: datetime | None) -> str:
    from tuiha.cli.table import UNKNOWN

    return UNKNOWN if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")

"""`tuiha up`: the embedded pool in the background."""

from __future__ import annotations

import argparse

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.commands.run.demo import add_guard
from tuiha.cli.output.streams import put, say

HELP = """Start an embedded pool in the background: real PostgreSQL, HAProxy, IMAP and pool servers on this machine,
loopback only, with simulated devices and mail. Prints its configuration's path when every part answers.
`tuiha status` and the dashboard find it automatically; `tuiha down` stops it."""

def configure(parser: argparse.ArgumentParser) -> None:
    """Add the pool's size."""
    parser.add_argument("--servers", type=whole(1, 16), default=4, metavar="N", help="pool servers (4)")
    parser.add_argument("--users", type=whole(1, 5000), default=200, metavar="N", help="users (200)")
    parser.add_argument("--ledger", choices=("file", "etcd"), default="file",
                        help="where the pool's record is: in a file, or in an etcd of its own (needs tuiha[etcd])")
    add_guard(parser)
    parser.add_argument("--no-load", action="store_true", help="without devices and mail")


def run(arguments: argparse.Namespace) -> int:
    """Start it; returns when it answers."""
    import asyncio

    from tuiha.lab.embedded import EmbeddedPool, RunningAlready, StartError

    pool = EmbeddedPool(arguments.servers, arguments.users, load=not arguments.no_load,
                        announce=True, background=True, say=say, ledger=arguments.ledger,
                        guards=int(arguments.guard))
    try:
        asyncio.run(pool.open())
    except RunningAlready as error:
        raise exits.CommandError(str(error), exits.REFUSED) from error
    except StartError as error:
        raise exits.CommandError(f"the embedded pool did not start: {error}") from error
    put(str(pool.config_path))
    return exits.OK

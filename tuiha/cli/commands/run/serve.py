"""`tuiha serve NAME`: a pool server."""

from __future__ import annotations

import argparse
import sys

from tuiha.cli import exits

HELP = """Run a pool server in the foreground until SIGTERM, then hand its users over and leave the pool. SIGHUP reads
the tokens of the control interface again; nobody is interrupted. Logs are JSON lines on stderr. A server that is not in
the configuration joins with --listen."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the server's name and address."""
    parser.add_argument("name", metavar="NAME", help="the server's name, as under `servers:`")
    parser.add_argument("--listen", metavar="HOST:PORT", help="listen here (and register as http://HOST:PORT)")


def run(arguments: argparse.Namespace) -> int:
    """Serve."""
    import asyncio

    from tuiha.cli.configuration import config_of
    from tuiha.config.load import load
    from tuiha.server.main import serve
    from tuiha.server.setup import CannotServe

    path = config_of(arguments)
    pool = load(path)
    try:
        asyncio.run(serve(pool, path.parent, arguments.name, arguments.listen, lambda: load(path)))
    except CannotServe as error:
        sys.stderr.write(f"tuiha serve: {error}\n")
        return exits.USAGE
    return exits.OK

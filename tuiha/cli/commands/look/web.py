"""`tuiha web`: the wall in a browser."""

from __future__ import annotations

import argparse
import importlib.util

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.output.streams import put

HELP = """Serve `tuiha wall` to browsers, on this machine's loopback address. A page cannot change anything: it is the
wall, without code that acts and without an operator's secret. At most 8 pages at once, each with its own polls of the
pools.

Other machines reach it through a proxy that encrypts and asks for a password. Name the proxy's address with
--public-url. If the proxy is on another host, give --host as well.

exit codes: 0 ended, 1 the port is taken, 2 configuration, or textual-serve is not installed"""

PORT = 8000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add POOL, where it listens, and how it looks."""
    parser.add_argument("pool", metavar="POOL", nargs="*", help="pools by name (all)")
    parser.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="where it listens (%(default)s)")
    parser.add_argument("--port", metavar="N", type=whole(1, 65535), default=PORT, help="the port (%(default)s)")
    parser.add_argument("--public-url", metavar="URL", help="where browsers reach it through a proxy, https://...")
    parser.add_argument("--cycle", metavar="S", type=whole(2, 3600), default=10,
                        help="seconds that each pool is shown (%(default)s)")
    parser.add_argument("--theme", metavar="NAME", help="the colours")


def run(arguments: argparse.Namespace) -> int:
    """Serve until ctrl+c or SIGTERM; prints the address."""
    if importlib.util.find_spec("textual_serve") is None:
        raise exits.CommandError("textual-serve is not installed; `pip install 'tuiha[web]'` brings it", exits.USAGE)
    _checked(arguments)
    from tuiha.cli.screens.pools import paths_of, watching
    from tuiha.tui.views.wall.web import WallServer

    paths = paths_of(arguments)
    with watching(paths, arguments.pool, recorded=False) as pools:  # until each has told its name
        names = [pool.name for pool in pools]
    words = [*(part for path in paths for part in ("--config", str(path))), "--cycle", str(arguments.cycle),
             "--theme", arguments.theme or "dark", *arguments.pool]
    server = WallServer(words, arguments.host, arguments.port, arguments.public_url,
                        f"tuiha: {', '.join(names)}")
    put(server.public_url)
    try:
        server.serve()
    except OSError as error:
        raise exits.CommandError(f"nothing can listen on {arguments.host} port {arguments.port}: {error.strerror}; "
                                 "choose another one with --port") from None
    return exits.OK


def _checked(arguments: argparse.Namespace) -> None:
    """What is shown does not leave this machine in plain text."""
    from urllib.parse import urlsplit

    from tuiha.config.tls import is_loopback

    url = arguments.public_url
    if url is not None and (urlsplit(url).scheme != "https" or not urlsplit(url).netloc):
        raise exits.CommandError(f"--public-url {url} is not https://HOST[:PORT]", exits.USAGE)
    if not is_loopback(arguments.host) and url is None:
        raise exits.CommandError(
            f"on {arguments.host} the pool could be read by everybody, in plain text. Listen on loopback, behind a "
            "proxy that encrypts and asks for a password. Name the proxy's address with --public-url", exits.USAGE)

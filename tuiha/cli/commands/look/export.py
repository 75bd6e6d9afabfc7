"""`tuiha export`: the whole pool for Prometheus, and alerts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.output.streams import put, say

if TYPE_CHECKING:
    from pathlib import Path

    from tuiha.config.settings import Pool

HELP = """Watch the pool without a screen, and serve the metrics at /metrics for Prometheus, until ctrl+c or SIGTERM.
Send the alerts of `alerts:` in the configuration: to a command, Alertmanager, PagerDuty. With --once, print the metrics
once. Each pool server has its own /metrics as well. These are of the whole pool, and include servers that are down.

exit codes: 0 ended, 2 configuration, or the port is in use"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add --listen and --once."""
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:9464",
                        help="where /metrics is served (default 127.0.0.1:9464); there is no password on it")
    parser.add_argument("--once", action="store_true", help="print the metrics of one look and end")


def run(arguments: argparse.Namespace) -> int:
    """Print once, or serve."""
    import asyncio

    from tuiha.cli.configuration import opened

    pool, base = opened(arguments)
    if not arguments.once:
        return asyncio.run(_serve(pool, base, arguments.listen))
    from tuiha.watch.export.exposition import exposition
    from tuiha.watch.once import look_once

    put(exposition(asyncio.run(look_once(pool, base))).rstrip("\n"))
    return exits.OK


async def _serve(pool: Pool, base: Path, listen: str) -> int:
    """Serve and alert until a signal says to end. Raises CommandError when the port cannot be had."""
    import asyncio
    import signal

    from tuiha.watch.export.exporter import NotServed, export

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        await export(pool, base, listen, ended, lambda text: say(f"tuiha: {text}"))
    except NotServed as error:
        raise exits.CommandError(str(error), exits.USAGE) from None
    return exits.OK

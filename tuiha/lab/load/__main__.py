"""`python -m tuiha.lab.load`: a load in a process of its own. The report, one JSON object, is the only thing on stdout.

SIGTERM and SIGINT stop the mailer, let the devices fetch the rest and verify; a second one ends at once.
Exit codes: 0 nothing wrong, 1 failures, losses, doubles or two monitors, 2 the load could not run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tuiha.lab.load", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the pool's configuration")
    parser.add_argument("--users", type=Path, required=True, help="lines of name, tabulator, password")
    parser.add_argument("--seconds", type=float, help="how long; without it until SIGTERM")
    parser.add_argument("--rate", type=float, default=5.0, help="messages a second in all (5)")
    parser.add_argument("--devices-per-user", type=float, default=1.5, help="on average (1.5)")
    parser.add_argument("--ramp", type=float, default=100.0, help="new devices a second (100)")
    parser.add_argument("--wait", type=float, default=25.0, help="of a long poll, seconds (25)")
    parser.add_argument("--grace", type=float, default=15.0, help="longest wait for the rest, seconds (15)")
    parser.add_argument("--ca", type=Path, help="devices use TLS, and trust this authority (PEM); else plain text")
    parser.add_argument("--planted", type=Path, help="file of messages that are delivered by somebody else")
    parser.add_argument("--stats", type=Path, help="file of live figures (load.json beside the configuration)")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> int:
    from tuiha.config.load import load
    from tuiha.lab.load.devices import DevicePace, read_users
    from tuiha.lab.load.figures import failed
    from tuiha.lab.load.run import LoadOptions, run
    from tuiha.lab.load.setup import setting

    pool = await asyncio.to_thread(load, arguments.config)
    users = read_users(await asyncio.to_thread(arguments.users.read_text))
    options = LoadOptions(
        stats=arguments.stats or arguments.config.parent / "load.json",
        seconds=arguments.seconds,
        rate=arguments.rate,
        devices_per_user=arguments.devices_per_user,
        grace=arguments.grace,
        pace=DevicePace(arguments.wait, arguments.ramp),
        planted=arguments.planted,
    )
    stop = asyncio.Event()
    signalled = False

    def told() -> None:
        nonlocal signalled
        if signalled:
            os._exit(1)  # told twice: whoever stops us does not want the verdict
        signalled = True
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    report = await run(setting(pool, arguments.config.parent, arguments.ca), users, options, stop)
    sys.stdout.write(json.dumps(report) + "\n")
    return int(failed(report))


def _more_files() -> None:
    """A device is a socket: raise the soft limit of open files as far as allowed."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> int:
    """Run a load as told by the arguments."""
    from tuiha.config.load import ConfigError
    from tuiha.lab.load.run import LoadError

    arguments = _arguments()
    _more_files()
    try:
        return asyncio.run(_run(arguments))
    except (ConfigError, LoadError, OSError, ValueError) as error:
        sys.stderr.write(f"load: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())

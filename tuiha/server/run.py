"""`tuiha serve NAME`: run one pool server in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import signal
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.server.logs import log_to_stderr
from tuiha.server.poolserver import PoolServer
from tuiha.server.settled import CannotServe, Identity, identity


async def serve(pool: Pool, base: Path, name: str, listen: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then hand the users over and leave.

    `base` is the configuration file's folder. Raises CannotServe or ConfigError when it cannot start.
    """
    await serve_as(pool, base, identity(pool, base, name, listen))


async def serve_as(pool: Pool, base: Path, me: Identity) -> None:
    """Serve with an identity, which says where to listen and which address others are told. Raises CannotServe."""
    log_to_stderr(me.name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = PoolServer(pool, base, me)
    try:
        await server.run(stop)
    except OSError as error:
        raise CannotServe(_cannot_listen(me, error)) from error


def _cannot_listen(me: Identity, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{me.name} cannot listen on {me.host}:{me.port}: the port is in use. "
            "Is this server running already? Else give it another port in the configuration"
        )
    if error.errno == errno.EACCES:
        return f"{me.name} may not listen on {me.host}:{me.port}: permission denied. Use a port above 1023"
    return f"{me.name} cannot listen on {me.host}:{me.port}: {error.strerror or type(error).__name__}"

"""`tuiha serve NAME`: run one pool server in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from tuiha.config.errors import ConfigError
from tuiha.config.settings import Pool
from tuiha.server.http.tokens import Tokens
from tuiha.server.logs import log_to_stderr
from tuiha.server.notify import ServiceManager
from tuiha.server.parts import PoolServer
from tuiha.server.setup import CannotServe, Identity, identity

_log = logging.getLogger("tuiha.server")


async def serve(
    pool: Pool, base: Path, name: str, listen: str | None = None, again: Callable[[], Pool] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then hand the users over and leave.

    `base` is the configuration file's folder. `again` reads the configuration anew: on SIGHUP the tokens of the control
    interface are taken from it. Raises CannotServe or ConfigError when it cannot start.
    """
    await serve_as(pool, base, identity(pool, base, name, listen), again)


async def serve_as(pool: Pool, base: Path, me: Identity, again: Callable[[], Pool] | None = None) -> None:
    """Serve with an identity, which says where to listen and which address others are told. Raises CannotServe."""
    log_to_stderr(me.name)
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    manager = ServiceManager()
    server = PoolServer(pool, base, me, manager)
    renewing = asyncio.create_task(_renew(server, manager, base, hangup, again or (lambda: pool)))
    try:
        await server.run(stop)
    except OSError as error:
        raise CannotServe(_cannot_listen(me, error)) from error
    finally:
        renewing.cancel()
        await asyncio.wait({renewing})


async def _renew(
    server: PoolServer, manager: ServiceManager, base: Path, hangup: asyncio.Event, again: Callable[[], Pool]
) -> None:
    """Read the tokens again whenever somebody says so; those that cannot be read stay as they are."""
    while True:
        await hangup.wait()
        hangup.clear()
        manager.reloading()
        try:
            server.tokens = await asyncio.to_thread(lambda: Tokens.read(again().control, base))
        except ConfigError as error:
            _log.error("the tokens stay as they were: %s", error)
        else:
            _log.info("the tokens were read again",
                      extra={"viewers": len(server.tokens.viewers), "operators": len(server.tokens.operators)})
        manager.ready()


def _cannot_listen(me: Identity, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{me.name} cannot listen on {me.host}:{me.port}: the port is in use. "
            "Is this server running already? Else give it another port in the configuration"
        )
    if error.errno == errno.EACCES:
        return f"{me.name} may not listen on {me.host}:{me.port}: permission denied. Use a port above 1023"
    return f"{me.name} cannot listen on {me.host}:{me.port}: {error.strerror or type(error).__name__}"

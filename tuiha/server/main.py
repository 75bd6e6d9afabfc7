"""`tuiha serve NAME`: run one pool server in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from aiohttp.http_exceptions import HttpProcessingError

from tuiha.config.errors import ConfigError
from tuiha.config.settings import Pool
from tuiha.server.http.audit import AuditLine, refusals
from tuiha.server.http.tokens import Tokens
from tuiha.server.notify import ServiceManager
from tuiha.server.parts import PoolServer
from tuiha.server.setup import CannotServe, ServerIdentity, identity

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record's time, level, logger and message, and what `extra` gave it. Newlines cannot forge a line."""

    def __init__(self, server: str) -> None:
        super().__init__()
        self._server = server

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "server": self._server,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({key: value for key, value in vars(record).items() if key not in _OWN})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        try:
            line = json.dumps(entry, default=str, allow_nan=False)
        except ValueError:  # a figure that is no number of JSON
            line = json.dumps({key: str(value) for key, value in entry.items()})
        return line.replace("\x7f", "\\u007f")


def _malformed(record: logging.LogRecord) -> bool:
    """A request that is no HTTP is its sender's fault: one line of the audit log, without its bytes or a traceback."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        peer = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
        if not refusals.may():
            return False
        vars(record).update(AuditLine(peer).fields())
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "a malformed request was refused", ()
        record.exc_info = record.exc_text = None
    return True


def log_to_stderr(server: str, level: int = logging.INFO) -> None:
    """Send all logs to stderr as JSON. aiohttp's access log stays off: it would name every user."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(server))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_malformed)


_log = logging.getLogger("tuiha.server")


async def serve(
    pool: Pool, base: Path, name: str, listen: str | None = None, again: Callable[[], Pool] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then hand the users over and leave.

    `base` is the configuration file's folder. `again` reads the configuration anew: on SIGHUP the tokens of the control
    interface are taken from it. Raises CannotServe or ConfigError when it cannot start.
    """
    await serve_as(pool, base, identity(pool, base, name, listen), again)


async def serve_as(pool: Pool, base: Path, me: ServerIdentity, again: Callable[[], Pool] | None = None) -> None:
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


def _cannot_listen(me: ServerIdentity, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{me.name} cannot listen on {me.host}:{me.port}: the port is in use. "
            "Is this server running already? Else give it another port in the configuration"
        )
    if error.errno == errno.EACCES:
        return f"{me.name} may not listen on {me.host}:{me.port}: permission denied. Use a port above 1023"
    return f"{me.name} cannot listen on {me.host}:{me.port}: {error.strerror or type(error).__name__}"

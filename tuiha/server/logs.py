"""Structured logs: one JSON object a line on stderr."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from aiohttp.http_exceptions import HttpProcessingError

from tuiha.server.http.audit import Line, refusals

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
        vars(record).update(Line(peer).fields())
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

"""The log of a program whose terminal is a screen: a file in the user's state folder, without a secret in it."""

from __future__ import annotations

import logging
import os
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tuiha.config.errors import ConfigError
from tuiha.config.places import state_folder
from tuiha.config.secrets import without_secrets

NAME = "dashboard.log"
MOST_BYTES = 1_000_000  # and as much again in the file before it


class LogFormatter(logging.Formatter):
    """Time (UTC), level, logger, message, and the traceback of what was unexpected; nothing that is secret."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s [%(process)d] %(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        return without_secrets(super().format(record))


class _PrivateFile(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # as its base, for which nobody wrote types
        Path(self.baseFilename).touch(0o600)
        return super()._open()


def log_to_file(name: str = NAME) -> Path | None:
    """Send all logs of this process to a file of the state folder; None, and no logs, when it cannot be written."""
    try:
        path = state_folder() / name
        handler: logging.Handler = _PrivateFile(path, maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8")
    except (OSError, ConfigError):
        handler, path = logging.NullHandler(), Path(os.devnull)
    handler.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a full disk must not write on the screen
    return None if isinstance(handler, logging.NullHandler) else path

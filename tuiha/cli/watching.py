"""The process that watches a pool for what draws it: `python -m tuiha.cli.watching FILE [unrecorded]`."""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.watch.apart.launch import launched

if TYPE_CHECKING:
    from tuiha.watch.apart.feed import Apart

UNRECORDED = "unrecorded"
FAULT = 1


def watch_apart(path: Path, *, recorded: bool = True) -> Apart:
    """Start watching that configuration's pool in a process of its own, which ends with this one.

    It records what it sees, unless `recorded` or the configuration says otherwise.
    """
    command = (sys.executable, "-m", "tuiha.cli.watching", str(path.absolute()), *(() if recorded else (UNRECORDED,)))
    process = launched(command)  # it has more to import than this one: it begins first
    from tuiha.config.errors import ConfigError
    from tuiha.config.places import state_folder
    from tuiha.watch.apart.feed import Apart

    try:
        log = str(state_folder() / _log_of(path))
    except ConfigError:  # there can be no log; looking does without
        log = ""
    return Apart(command, process, log=log)


def _log_of(path: Path) -> str:
    """In the state folder, one for each pool: two processes must not turn one log over."""
    return f"watching-{path.stem}.log"


def main(path: Path, *, recorded: bool = True) -> int:
    """Watch, and tell it on the standard streams, until they end; returns an exit code."""
    gc.disable()  # until the first look: nothing that is imported is garbage
    from tuiha.cli.logfile import log_to_file

    log_to_file(_log_of(path))
    news, told = os.dup(1), os.dup(0)
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # whatever prints or asks must not get between
        os.dup2(quiet, standard)
    try:
        from tuiha.watch.apart.process import watch

        return watch(path, news, told, recorded=recorded)
    except BrokenPipeError:
        return 0
    except Exception:
        logging.getLogger(__name__).exception("watching has ended")
        return FAULT


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), recorded=UNRECORDED not in sys.argv[2:]))

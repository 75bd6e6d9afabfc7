"""The process that watches a pool for what draws it: `python -m tuiha.cli.screens.watcher FILE [unrecorded]`."""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.watch.child.launch import FAULT, forked, launched

if TYPE_CHECKING:
    from tuiha.watch.child.feed import Apart

UNRECORDED = "unrecorded"
NAME = "tuiha-watching"  # what `top` and `ps -o comm` show; 15 bytes at most


def watch_apart(path: Path, *, recorded: bool = True) -> Apart:
    """Start watching that configuration's pool in a process of its own, which ends with this one.

    It records what it sees, unless `recorded` or the configuration says otherwise.
    """
    import asyncio  # noqa: F401 - all this is imported before the process begins: a copy has it, too

    from tuiha.cli import logfile  # noqa: F401
    from tuiha.config.errors import ConfigError
    from tuiha.config.places import state_folder
    from tuiha.watch.child.feed import Apart

    path = path.absolute()
    command = (sys.executable, "-m", "tuiha.cli.screens.watcher", str(path), *(() if recorded else (UNRECORDED,)))
    if threading.active_count() == 1:  # the copy is there at once; of several threads it would have but one
        process = forked(functools.partial(main, path, recorded=recorded))
    else:
        process = launched(command)
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
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # it would read every package installed here to find some
    from tuiha.cli.logfile import log_to_file

    log_to_file(_log_of(path))
    news, told = os.dup(1), os.dup(0)
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # whatever prints or asks must not get between
        os.dup2(quiet, standard)
    try:
        from tuiha.watch.child.main import watch

        return watch(path, news, told, recorded=recorded)
    except BrokenPipeError:
        return 0
    except Exception:
        logging.getLogger(__name__).exception("watching has ended")
        return FAULT


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), recorded=UNRECORDED not in sys.argv[2:]))

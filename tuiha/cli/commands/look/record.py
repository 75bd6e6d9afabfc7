"""`tuiha record`: keep what a pool looks like, without a screen."""

from __future__ import annotations

import argparse
from pathlib import Path

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.output.streams import put, say

HELP = """Record every snapshot of the pool into one file, until ctrl+c or SIGTERM. The dashboard does the same while it
runs; this is for a host that always watches. `tuiha replay` shows what was recorded.

Without FILE it is the file that the configuration names (recording.path), else one in the state folder. Only one
process records into a file; another one waits, and continues when the first has ended. Nothing secret is recorded.

exit codes: 0 ended, 1 nothing could be recorded, 2 configuration"""

EVERY = 60.0  # seconds between two looks at whether it still records


def configure(parser: argparse.ArgumentParser) -> None:
    """Add FILE and --seconds."""
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the recording; made when it is not there")
    parser.add_argument("--seconds", type=whole(1, 10_000_000), metavar="S", help="end after so many seconds")


def run(arguments: argparse.Namespace) -> int:
    """Record until told to end; prints the recording's path."""
    import signal
    import threading
    import time

    from tuiha.cli.configuration import opened
    from tuiha.watch.recording.setup import recorder_of
    from tuiha.watch.watcher import Watcher

    pool, base = opened(arguments)
    watcher = Watcher(pool, base)
    recorder = recorder_of(pool, base, arguments.file)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    watcher.start()
    recorder.start(watcher)
    put(str(recorder.path))
    until = time.monotonic() + (arguments.seconds or float("inf"))
    told: str | None = None
    try:
        while (left := until - time.monotonic()) > 0 and not ended.wait(min(left, 1.0 if told is None else EVERY)):
            if recorder.trouble is not None and recorder.trouble != told:
                say(f"tuiha: nothing is recorded: {recorder.trouble}; trying again")
            told = recorder.trouble
    finally:
        watcher.stop()
        recorder.stop()
    say(f"tuiha: {recorder.written:,} snapshots of {pool.pool} recorded")
    return exits.OK if recorder.written else exits.FAILED

"""`tuiha status`: one look at the pool."""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.output.streams import has_screen, progress, put

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.model.facts import Snapshot
    from tuiha.watch.watcher import Watcher

HELP = """Poll the whole pool once and report its state: problems first, each with the next command.

exit codes: 0 HEALTHY, 1 DEGRADED, DISPUTED, SPLIT or DOWN, 2 configuration, 3 nothing could be reached"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add --json or --linear, and --watch."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true",
                      help="print one JSON object (tuiha.status/2); with --watch one on each line")
    form.add_argument("--linear", action="store_true",
                      help="one sentence for each change, with its time: for screen readers and logs; --watch does so "
                           "without a terminal, and where TERM is dumb")
    parser.add_argument("--watch", action="store_true", help="continue until ctrl+c, once an interval")


def run(arguments: argparse.Namespace) -> int:
    """Print the status; the code says whether the pool is whole."""
    if not arguments.watch:
        gc.disable()  # one look and the process ends: collecting while importing costs a tenth of its time
    from tuiha.cli.configuration import opened

    pool, base = opened(arguments)
    if arguments.watch:
        from tuiha.watch.watcher import Watcher

        return _follow(Watcher(pool, base), pool, _form(arguments, pool.watch.runbooks))
    import asyncio

    from tuiha.watch.once import look_once

    with progress(f"waiting for answers, at most {pool.watch.timeout:g} s"):
        snapshot = asyncio.run(look_once(pool, base))
    form = _linear() if arguments.linear else _json(pool.watch.runbooks, 2) if arguments.json else _whole()
    for line in form(snapshot):
        put(line)
    return code(snapshot)


_Form = Callable[["Snapshot"], Sequence[str]]  # what a snapshot adds to what was printed before


def _form(arguments: argparse.Namespace, runbooks: str) -> _Form:
    """How a pool is followed: what repeats itself needs a screen."""
    if arguments.json:
        return _json(runbooks)
    return _whole("\n") if has_screen() and sys.stdout.isatty() and not arguments.linear else _linear()


def _json(runbooks: str, indent: int | None = None) -> _Form:
    from tuiha.cli.output.documents import status

    return lambda snapshot: [json.dumps(status(snapshot, runbooks), indent=indent)]


def _whole(end: str = "") -> _Form:
    from tuiha.cli.output.status import status_text

    return lambda snapshot: [status_text(snapshot) + end]


def _linear() -> _Form:
    from tuiha.cli.output.linear import PoolStory

    return PoolStory().lines


def code(snapshot: Snapshot) -> int:
    """The exit code that a snapshot means."""
    seen = [*(s.seen_at for s in snapshot.servers), *(d.seen_at for d in snapshot.databases),
            *(s.seen_at for s in snapshot.sprayers), *(m.seen_at for m in snapshot.mail)]
    if all(at is None for at in seen):
        return exits.UNREACHABLE
    return exits.OK if snapshot.verdict == "HEALTHY" else exits.DEGRADED


def _follow(watcher: Watcher, pool: Pool, form: _Form) -> int:
    """Print what every snapshot adds until ctrl+c; the code is that of the last one."""
    import queue

    coming: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
    watcher.subscribe(coming.put)
    watcher.start()
    last: Snapshot | None = None
    try:
        with progress(f"waiting for the first answers from {pool.pool}"):
            last = coming.get()
        while True:
            for line in form(last):
                put(line)
            last = coming.get()
    except KeyboardInterrupt:
        return exits.INTERRUPTED if last is None else code(last)
    finally:
        watcher.stop()

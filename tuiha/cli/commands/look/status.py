"""`tuiha status`: one look at the pool."""

from __future__ import annotations

import argparse
import gc
import json
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.output.streams import progress, put

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.model.facts import Snapshot
    from tuiha.watch.watcher import Watcher

HELP = """Look at the whole pool once and say how it is: problems first, each with the command that comes next.

exit codes: 0 HEALTHY, 1 DEGRADED, DISPUTED, SPLIT or DOWN, 2 configuration, 3 nothing could be reached"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add --json and --watch."""
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object (tuiha.status/1); with --watch one on each line")
    parser.add_argument("--watch", action="store_true", help="go on until ctrl+c, once an interval")


def run(arguments: argparse.Namespace) -> int:
    """Print the status; the code says whether the pool is whole."""
    if not arguments.watch:
        gc.disable()  # one look and the process ends: collecting while importing costs a tenth of its time
    from tuiha.cli.configuration import opened

    pool, base = opened(arguments)
    if arguments.watch:
        from tuiha.watch.watcher import Watcher

        return _follow(Watcher(pool, base), pool, as_json=arguments.json)
    import asyncio

    from tuiha.watch.once import look_once

    with progress(f"waiting for answers, at most {pool.watch.timeout:g} s"):
        snapshot = asyncio.run(look_once(pool, base))
    put(_text(snapshot, as_json=arguments.json, indent=2))
    return code(snapshot)


def _text(snapshot: Snapshot, *, as_json: bool, indent: int | None = None) -> str:
    if as_json:
        from tuiha.cli.output.documents import status

        return json.dumps(status(snapshot), indent=indent)
    from tuiha.cli.output.status import status_text

    return status_text(snapshot)


def code(snapshot: Snapshot) -> int:
    """The exit code that a snapshot means."""
    seen = [*(s.seen_at for s in snapshot.servers), *(d.seen_at for d in snapshot.databases),
            *(s.seen_at for s in snapshot.sprayers), *(m.seen_at for m in snapshot.mail)]
    if all(at is None for at in seen):
        return exits.UNREACHABLE
    return exits.OK if snapshot.verdict == "HEALTHY" else exits.DEGRADED


def _follow(watcher: Watcher, pool: Pool, *, as_json: bool) -> int:
    """Print every snapshot until ctrl+c; the code is that of the last one."""
    import queue

    coming: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
    watcher.subscribe(coming.put)
    watcher.start()
    last: Snapshot | None = None
    try:
        with progress(f"waiting for the first answers from {pool.pool}"):
            last = coming.get()
        while True:
            put(_text(last, as_json=as_json) + ("" if as_json else "\n"))
            last = coming.get()
    except KeyboardInterrupt:
        return exits.INTERRUPTED if last is None else code(last)
    finally:
        watcher.stop()

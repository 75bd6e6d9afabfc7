"""One look at a pool, for `tuiha status`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.model.facts import Snapshot, Verdict
from tuiha.watch.factory import open_poller, rules_of
from tuiha.watch.poller import Poller

CONFIRM = 0.2  # seconds before a split is looked at again
EXTRA = 0.5  # seconds on top of the polls' own deadline


async def look_once(pool: Pool, base: Path) -> Snapshot:
    """Poll everything once, in parallel, and conclude; one failed poll is enough to call a target down.

    Takes as long as the slowest target, at most `watch.timeout`. Since when a problem is there is told only where
    somebody else knows it. Raises ConfigError.
    """
    began = time.time()
    poller = open_poller(pool, base, replace(rules_of(pool), down_after=1))
    snapshot = await first_look(poller, pool.watch.timeout + EXTRA)
    problems = tuple(p if p.since is not None and p.since < began else replace(p, since=None)
                     for p in snapshot.problems)
    return replace(snapshot, problems=problems)


async def first_look(poller: Poller, settle: float) -> Snapshot:
    """Look, then at the servers that the look found; confirm a split by looking again. Closes the drivers."""
    try:
        async with asyncio.TaskGroup() as group:
            snapshot = await poller.round(group, settle)
            if not all(target.tried for target in poller.targets.every()):
                poller.restart()
                snapshot = await poller.round(group, settle, only_new=True)
            if snapshot.verdict == Verdict.SPLIT:
                await asyncio.sleep(CONFIRM)
                snapshot = await poller.round(group, settle)
    finally:
        await poller.close()
    return snapshot

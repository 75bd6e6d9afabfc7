"""Switchovers with one planted obstacle to the way back each: refused before, or ended protected.

    python -m tests.obstacles [--only WORDS]

Prints one line each. Ends with 1 when one ended unprotected, or was refused for another reason.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.obstacles.planted import OBSTACLES, Obstacle, Pair
from tests.operate.support import planned, run
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.reports import Standby
from tuiha.operate.database import KINDS
from tuiha.operate.reach.world import World, open_world


async def tried(pool: EmbeddedPool, world: World, obstacle: Obstacle) -> tuple[str, bool]:
    """What became of a switchover with an obstacle in its way back, and whether that is right."""
    pair = Pair(pool)
    await obstacle.plant(pair)
    try:
        plan = await planned(world, KINDS["switchover"]())
        stopped = {check.name for check in plan.stopped_by}
        if stopped:
            return f"refused by {', '.join(sorted(stopped))}", obstacle.check in stopped
        await run(world, KINDS["switchover"](), plan)
    finally:
        await pair.mend()
    assert world.drivers.ledger is not None
    record = await world.drivers.ledger.poll()
    await run(world, KINDS["switchover"](), await planned(world, KINDS["switchover"]()))  # and back
    return f"ended {record.standby} on {record.active}", record.standby is Standby.SYNC and obstacle.check is None


async def main(words: str) -> int:
    """All of them, in one pool."""
    wrong = 0
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        for obstacle in OBSTACLES:
            if words in obstacle.name:
                said, right = await tried(pool, world, obstacle)
                wrong += not right
                sys.stdout.write(f"{'ok   ' if right else 'WRONG'} {obstacle.name}: {said}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{wrong} of {len(OBSTACLES)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    sys.exit(asyncio.run(main(parser.parse_args().only)))

"""`python -m tests.benchmarks.guard`: how long nobody's write is acknowledged when a database dies and a guard acts.

Nobody is at the keys. Devices write through the sprayers; what is measured is what they see, as in
`tests.benchmarks.failover`: the longest time without an acknowledged write, from the kill on. Two faults by turns: the
primary is killed, and the guard fails over; the secondary is killed, and the guard lets the primary go on without it.
Between two runs the pool is protected again, and the guard is acknowledged.

Exit code 1 when a median is out of reach. About three minutes for five runs of each.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.benchmarks.writers import Crew, DeviceWriter
from tests.lab.test_guard import Scene, guarded
from tests.until import until
from tuiha.cli.output.table import aligned
from tuiha.model.reports import Standby

HEAD = ["what", "runs", "no write: median", "least", "most", "reach", "reached"]
REACH = {"primary": 3.0, "secondary": 3.5}  # seconds of the median
WRITERS = 4


def writers(scene: Scene) -> list[DeviceWriter]:
    """Devices of the first users, through both sprayers by turns."""
    users = [line.split("\t") for line in scene.pool.users_path.read_text().splitlines()]
    sprayers = [f"http://{sprayer.address}" for sprayer in scene.settings.sprayers]
    return [DeviceWriter(sprayers[number % 2:] + sprayers[:number % 2], user, password, f"writer{number}")
            for number, (user, password) in enumerate(users[:WRITERS])]


async def primary_killed(scene: Scene) -> None:
    """The guard fails over, and the former primary follows."""
    active = (await scene.ledger()).active
    await scene.pool.kill(active)
    await scene.settled({"db1": "db2", "db2": "db1"}[active], Standby.SYNC)


async def secondary_killed(scene: Scene) -> None:
    """The guard goes on without it; it is started again, and the guard protects."""
    active = (await scene.ledger()).active
    partner = {"db1": "db2", "db2": "db1"}[active]
    await scene.pool.kill(partner)
    await scene.settled(active, Standby.STALE)
    await scene.pool.start(partner)
    await scene.settled(active, Standby.SYNC)


FAULTS: dict[str, Callable[[Scene], Awaitable[None]]] = {"primary": primary_killed, "secondary": secondary_killed}


async def run(times: int) -> int:
    """Both faults by turns, and the table."""
    gaps: dict[str, list[float]] = {what: [] for what in FAULTS}
    async with guarded() as scene, Crew(writers(scene)) as crew:
        for number in range(1, times + 1):
            for what, fault in FAULTS.items():
                await crew.steady()
                await until(lambda: not any(state.alive for state in scene.operations()), "no operation runs")
                await scene.store.change(lambda notes: replace(notes, acts=()))
                since = time.monotonic()
                await fault(scene)
                await crew.steady()
                gaps[what].append(crew.tally.longest(since))
                sys.stderr.write(f"{what} killed, run {number}: {gaps[what][-1]:.2f} s without a write\n")
    rows, missed = [], False
    for what, seen in gaps.items():
        median = statistics.median(seen)
        missed |= median > REACH[what]
        figures = [f"{one:.2f} s" for one in (median, min(seen), max(seen))]
        rows.append([f"kill -9 of the {what}", str(len(seen)), *figures, f"{REACH[what]:g} s",
                     "yes" if median <= REACH[what] else "no"])
    sys.stdout.write("\n".join(aligned([HEAD, *rows])) + "\n")
    return int(missed)


def main() -> int:
    """Read the number of runs and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.guard", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="runs of each fault (5)")
    return asyncio.run(run(parser.parse_args().times))


if __name__ == "__main__":
    sys.exit(main())

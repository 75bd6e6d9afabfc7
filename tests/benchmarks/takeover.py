"""`python -m tests.benchmarks.takeover`: how long 1,000 users have no server when theirs dies, or falls silent.

1,600 users with a device each poll through the sprayers; 1,000 of them are monitored by one of three servers. That one
is killed (its port refuses), and later stopped (it is silent). Until the last of its users is bound to another server,
the database is asked fifty times a second. Reach: 2 s for the killed one, the heartbeat window and 2 s for the silent
one. `--checkout PATH` runs another version's servers: the control. Exit code 1 when out of reach. Four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from tests.benchmarks.mail_pool import HERE, pool_of
from tests.benchmarks.returning import superuser
from tests.until import until
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.load.process import LoadProcess

USERS, MANY, RAMP = 1600, 1000, 25.0
VICTIM = "s2"
REACH = 2.0
_PATIENCE = 120.0

_LEFT = "SELECT count(*) FROM binding WHERE server = $1 AND expires_at > clock_timestamp()"
# As a takeover does it: the next generation, so the server of before lets these users go.
_GATHER = """
WITH some AS (SELECT user_id FROM binding WHERE server <> $1 AND expires_at > clock_timestamp()
               LIMIT greatest(0, $2 - (SELECT count(*) FROM binding WHERE server = $1)))
UPDATE binding b SET server = $1, generation = generation + 1, since = clock_timestamp()
  FROM some WHERE b.user_id = some.user_id
"""


async def _measured(connection: asyncpg.Connection, hurt: Callable[[str], Awaitable[None]]) -> tuple[int, float]:
    """How many users the server had, and the seconds until all of them were elsewhere."""
    await connection.execute(_GATHER, VICTIM, MANY)
    await asyncio.sleep(5.0)
    users = await connection.fetchval(_LEFT, VICTIM)
    await hurt(VICTIM)
    began = time.monotonic()

    async def gone() -> bool:
        return not await connection.fetchval(_LEFT, VICTIM)

    await until(gone, seconds=_PATIENCE)
    return users, time.monotonic() - began


async def run(checkout: Path) -> tuple[list[tuple[str, int, float, float]], dict[str, int]]:
    """For each fault: its name, users, seconds and reach; and what the checker says."""
    async with pool_of(checkout, 3, USERS) as pool:
        window = load(pool.config_path).heartbeat.window
        running = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "6", "--ramp", f"{RAMP:g}")
        connection = await superuser(pool)
        try:
            await asyncio.sleep(USERS / RAMP + 10.0)
            killed = await _measured(connection, pool.kill)
            await pool.start(VICTIM)
            await asyncio.sleep(30.0)
            silent = await _measured(connection, pool.pause)
            await pool.resume(VICTIM)
            await asyncio.sleep(5.0)
            report = await running.stop()
        finally:
            await connection.close()
            await running.kill()
    return [("killed", *killed, REACH), ("silent", *silent, window + REACH)], report


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    found, report = asyncio.run(run(parser.parse_args().checkout.resolve()))
    rows = [[fault, f"{users:,}", f"{seconds:.1f} s", f"{reach:g} s"] for fault, users, seconds, reach in found]
    wrong = report["lost"] + report["doubled"] + report["monitored_twice"]
    sys.stdout.write("\n".join(aligned([["server", "users", "the last one elsewhere", "reach"], *rows],
                                       right=[1, 2, 3])) + "\n")
    sys.stdout.write(f"lost {report['lost']}, doubled {report['doubled']}, "
                     f"monitored twice {report['monitored_twice']}\n")
    return int(any(seconds > reach for _, _, seconds, reach in found) or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

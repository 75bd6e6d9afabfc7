"""`python -m tests.benchmarks.returning`: three of four servers die and are started. Users by server, over time.

160 users with a device each poll through the sprayers. Three servers are killed, and started 16 s later. Once a second
it is read from the database which server monitors how many users, and drawn as one line for each server. Reach: 60 s
after the start all have the same number within 15 %, and no server has more users than its capacity for longer than
20 s. Nobody gives an order. `--checkout PATH` runs another version's servers: the control. Exit code 1 when something
is out of reach. Three minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.benchmarks.herd import BLOCKS
from tests.benchmarks.mail_pool import HERE, pool_of
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.load.process import LoadProcess
from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout

USERS = 160
DEAD = ("s2", "s3", "s4")
AWAY = 16.0  # seconds until they are started
AFTER = 60.0  # seconds until users have to be even
EVEN = 0.15
OVER = 20.0  # seconds for which a server may have more users than its capacity

# Bindings that hold: a server that died has none.
_BY_SERVER = """
SELECT s.name, s.capacity, count(b.user_id)::int AS users
  FROM server s LEFT JOIN binding b ON b.server = s.name AND b.expires_at > clock_timestamp()
 GROUP BY s.name, s.capacity ORDER BY s.name
"""


@dataclass
class Course:
    """Users by server, second by second."""

    users: dict[str, list[int]] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)  # seconds with more users than the capacity, the longest run
    _run: dict[str, int] = field(default_factory=dict)

    def note(self, rows: Sequence[Mapping[str, int | str]]) -> None:
        """One second more."""
        for row in rows:
            name, users = str(row["name"]), int(row["users"])
            self.users.setdefault(name, []).append(users)
            self._run[name] = self._run.get(name, 0) + 1 if users > int(row["capacity"]) else 0
            self.over[name] = max(self.over.get(name, 0), self._run[name])

    def spread(self) -> float:
        """How far the last second's figures are from their mean, the farthest."""
        last = [users[-1] for users in self.users.values()]
        mean = statistics.mean(last)
        return max(abs(one - mean) for one in last) / mean if mean else 1.0


async def watch(connection: asyncpg.Connection, course: Course) -> None:
    """Look once a second until cancelled."""
    while True:
        course.note(await connection.fetch(_BY_SERVER))
        await asyncio.sleep(1.0)


async def run(checkout: Path) -> tuple[Course, dict[str, int]]:
    """One pool, hurt. What its users were, and what the checker says."""
    async with pool_of(checkout, 4, USERS) as pool:
        running = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "6", "--ramp", "25")
        connection = await superuser(pool)
        course = Course()
        try:
            await asyncio.sleep(USERS / 25 + 15.0)
            watching = asyncio.create_task(watch(connection, course))
            await asyncio.sleep(5.0)
            await asyncio.gather(*(pool.kill(name) for name in DEAD))
            await asyncio.sleep(AWAY)
            await asyncio.gather(*(pool.start(name) for name in DEAD))
            began = time.monotonic()
            await asyncio.sleep(AFTER - (time.monotonic() - began))
            watching.cancel()
            report = await running.stop()
        finally:
            await connection.close()
            await running.kill()
    return course, report


async def superuser(pool: LabControl) -> asyncpg.Connection:
    """A session on the first database that may do anything."""
    port = load(pool.config_path).database.nodes[0].address.rpartition(":")[2]
    return await asyncpg.connect(host="127.0.0.1", port=int(port), user="postgres", database="tuiha", ssl=False,
                                 password=Layout(pool.folder).read_secret("postgres"))


def drawn(course: Course) -> list[list[str]]:
    """A line for each server: a block a second, and the figures at its ends."""
    full = max(max(users) for users in course.users.values())
    return [[name, f"{users[0]}", "".join(BLOCKS[min(8, round(8 * one / max(1, full)))] for one in users),
             f"{users[-1]}", f"{course.over[name]} s"] for name, users in course.users.items()]


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    course, report = asyncio.run(run(parser.parse_args().checkout.resolve()))
    head = ["server", "users", "a block a second", "at the end", "over its capacity"]
    wrong = report["lost"] + report["doubled"] + report["monitored_twice"]
    sys.stdout.write("\n".join(aligned([head, *drawn(course)], right=[1, 3, 4])) + "\n")
    sys.stdout.write(f"farthest from even {course.spread():.0%} (reach {EVEN:.0%}); lost {report['lost']}, doubled "
                     f"{report['doubled']}, monitored twice {report['monitored_twice']}\n")
    return int(course.spread() > EVEN or max(course.over.values()) > OVER or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

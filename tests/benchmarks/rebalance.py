"""`python -m tests.benchmarks.rebalance`: a million users planned, and users really moved on an embedded pool.

The planned pool has 100 servers: one was just added, one is draining, and the weights have a heavy tail. The real one
has three servers and all its users on the first; they are bound without devices, so that moving them is what is
measured: once with their IMAP connections, as many as this machine's mail servers bear, and once ten thousand moves
without. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from tests.benchmarks.stage import Row
from tests.operate.pools import monitored_once
from tests.operate.support import run
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.operations.plans import ServerPart
from tuiha.operate.reach.world import open_world
from tuiha.operate.users.planner import ServerPlace, UserArrays, plan_moves
from tuiha.operate.users.rebalance import Rebalance

HEAD = ["what", "figure", "reach", "", ""]
_PLANNING = "--planning"
_LIMIT = 120.0


def big_pool(users: int, servers: int) -> tuple[list[ServerPlace], UserArrays]:
    """Servers and users: the last server is new and empty, the first is draining."""
    chance = random.Random(20261122)
    places = [
        ServerPlace(f"s{n}", 3 * users // servers, ServerPart.GIVES if n == 0 else ServerPart.TAKES)
        for n in range(servers)
    ]
    found = UserArrays()
    for number in range(1, users + 1):
        found.add(number, chance.randrange(servers - 1), min(100.0, chance.paretovariate(1.5)), chance.random() < 0.01)
    return places, found


def planned(users: int, servers: int) -> list[Row]:
    """Plan, in this process, which has done nothing else."""
    places, found = big_pool(users, servers)
    began = time.perf_counter()
    moves = plan_moves(places, found)
    took = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    worst = max(load.weight_after / load.target for load in moves.loads if load.target)
    left = sum(load.users_after for load in moves.loads if load.part is ServerPart.GIVES)
    return [
        Row(f"plan {users:,} users on {servers} servers", f"{took:.2f} s", "2 s", good=took <= 2.0,
            note=f"fullest {worst - 1:+.1%} of its share then, {left} left on the draining one"),
        Row("  memory of the whole process", f"{memory:.0f} MB", "500 MB", good=memory <= 500),
        Row("  moves", f"{moves.count:,}", f"{moves.minimum:,}", good=moves.count == moves.minimum,
            note=f"the minimum; {moves.forced:,} of them from the draining server"),
    ]


async def moved(users: int, mail: bool) -> list[Row]:
    """Move users for real, without a throttle; without `mail` their mailboxes are on no server that is configured."""
    async with EmbeddedPool(servers=3, users=users, load=False) as pool:
        settings = load(pool.config_path)
        await _crowd(settings, pool.folder, mail)
        async with open_world(settings, pool.folder) as world:
            before = await monitored_once(world, _LIMIT)
            kind = Rebalance()
            began = time.perf_counter()
            plan = await kind.plan(world, (), {"rate": "0"})
            planning = time.perf_counter() - began
            evidence = await run(world, kind, plan)
            took = time.perf_counter() - began - planning
            after = await monitored_once(world, _LIMIT)
    count = plan.details["moves_planned"]
    spread = ", ".join(f"{server} {number:,}" for server, number in sorted(after.items()))
    return [
        Row(f"plan {users:,} users, {'with' if mail else 'without'} mail", f"{planning:.2f} s", note=f"{dict(before)}"),
        Row(f"  move {count:,} of them, verified", f"{took:.1f} s", "30 s",
            good=took <= 30.0, note=evidence[1]),
        Row("  each monitored on one server", f"{after.total():,}", f"{users:,}", note=spread,
            good=after.total() == users),
    ]


async def _crowd(settings: Pool, folder: Path, mail: bool) -> None:
    """Bind all users to s1, in the database, as the pool's role."""
    node, role = settings.database.nodes[0], settings.database.roles.pool
    host, _, port = node.address.rpartition(":")
    connection = await asyncpg.connect(host=host, port=int(port), user=role.user, database=settings.database.name,
                                       password=resolve(role.password, folder), ssl=False)
    try:
        if not mail:
            await connection.execute("UPDATE app_user SET mail_cluster = 'none'")
        await connection.execute("INSERT INTO binding (user_id, server, generation, expires_at) "
                                 "SELECT id, 's1', 1, now() + interval '1 day' FROM app_user ON CONFLICT DO NOTHING")
    finally:
        await connection.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rebalance", description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000, help="planned")
    parser.add_argument("--servers", type=int, default=100, help="planned")
    parser.add_argument("--mail", type=int, default=1_500, help="users of the real pool with mail; 0: none")
    parser.add_argument("--bare", type=int, default=15_400, help="users of the real pool without mail; 0: none")
    parser.add_argument(_PLANNING, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.planning:
        return _print(planned(arguments.users, arguments.servers))
    own = [sys.executable, "-m", "tests.benchmarks.rebalance", _PLANNING, "--users", str(arguments.users), "--servers",
           str(arguments.servers)]
    failed = subprocess.run(own, check=False).returncode  # a process of its own, so that its memory is the plan's
    for users, mail in ((arguments.mail, True), (arguments.bare, False)):
        failed |= _print(asyncio.run(moved(users, mail))) if users else 0
    return failed


def _print(rows: list[Row]) -> int:
    cells = [[row.what, row.figure, row.reach, "" if row.good else "OUT OF REACH", row.note] for row in rows]
    sys.stdout.write("\n".join(aligned([HEAD, *cells], right=[1, 2])) + "\n")
    sys.stdout.flush()
    return int(not all(row.good for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.benchmarks.scale`: a pool of 1,000 servers and 1,000,000 users, on one machine.

The database pair is real and holds all of it; the servers are pretended (tests/benchmarks/crowd.py) and answer over
real HTTP. Measured: a poll of all of them, `tuiha status`, the dashboard, finding a user, planning a rebalance, and
how many servers' hearts the database bears, with the statements that real servers send. What is measured last takes
the whole machine, and says where a pool of that size bends. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.benchmarks.crowd import name_of
from tests.benchmarks.rebalance import HEAD
from tests.benchmarks.stage import Row
from tests.benchmarks.terminal import COLOURS, leave, running
from tests.tui.pty_terminal import Terminal
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.facts import Severity
from tuiha.watch.factory import open_poller

_POLL = 1.0  # seconds for one poll, wall
_CORE = 0.5  # of a core, for one poll a second
_USERS = """
INSERT INTO app_user (name, password_hash, mail_cluster)
SELECT 'user' || lpad(n::text, 7, '0'), 'none', 'none' FROM generate_series(1, $1) n
"""
# Every hundredth user is on the first server: it has far more than its share.
_BINDINGS = """
INSERT INTO binding (user_id, server, generation, expires_at)
SELECT id, 'p' || lpad((CASE WHEN id % 100 = 0 THEN 0 ELSE id % $1 END)::text, 4, '0'), 1, now() + interval '1 day'
  FROM app_user WHERE name LIKE 'user%'
"""
_SERVERS = """
INSERT INTO server (name, address, version, state, availability_index, capacity, users, epoch, started_at, heartbeat)
SELECT name, address, '0', 'UP', 70, 3000, 1000, 1, now(), clock_timestamp()
  FROM unnest($1::text[], $2::text[]) AS s (name, address)
"""


class Crowd:
    """The pretended servers' process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def addresses(self) -> list[str]:
        """What it says first."""
        return [str(address) for address in json.loads(await self._line())]

    async def beat(self, count: int, all_look: bool = False) -> dict[str, float]:
        """So many hearts from now on; the figures of those before."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"beating": count, "all_look": all_look}).encode() + b"\n")
        return dict(json.loads(await self._line()))

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()


@asynccontextmanager
async def crowd(pool: EmbeddedPool, count: int) -> AsyncIterator[Crowd]:
    """The pretended servers, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.crowd", str(pool.config_path), str(count),
        stdin=PIPE, stdout=PIPE, limit=1 << 20)
    try:
        yield Crowd(process)
    finally:
        process.terminate()
        await process.wait()


async def connect(settings: Pool, base: Path) -> asyncpg.Connection:
    """To the primary, as the pool's role."""
    node, role = settings.database.nodes[0], settings.database.roles.pool
    host, _, port = node.address.rpartition(":")
    return await asyncpg.connect(host=host, port=int(port), user=role.user, database=settings.database.name,
                                 password=resolve(role.password, base), ssl=False)


async def fill(connection: asyncpg.Connection, users: int, addresses: list[str]) -> Row:
    """Everything a pool of this size has in its database."""
    began = time.monotonic()
    await connection.execute(_SERVERS, [name_of(n) for n in range(len(addresses))], addresses)
    await connection.execute(_USERS, users)
    await connection.execute(_BINDINGS, len(addresses))
    size = await connection.fetchval("SELECT pg_database_size(current_database())")
    return Row(f"{users:,} users and {len(addresses):,} servers written", f"{time.monotonic() - began:.0f} s",
               note=f"{size / 1e6:,.0f} MB on each database")


@asynccontextmanager
async def alive(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """All heartbeats written by one statement a second: it is not the database that is measured meanwhile."""
    async def beat() -> None:
        while True:
            await connection.execute("UPDATE server SET heartbeat = clock_timestamp()")
            await asyncio.sleep(1.0)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(beat())
        try:
            yield
        finally:
            task.cancel()


async def polled(settings: Pool, base: Path, count: int, rounds: int = 15) -> list[Row]:
    """Rounds of the poller in this process, one a second, the first ones left out."""
    poller = open_poller(settings, base)
    walls, cores = [], []
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(rounds):
                began, cpu = time.monotonic(), time.process_time()
                snapshot = await poller.round(group, 5.0)
                wall = time.monotonic() - began
                await asyncio.sleep(max(0.0, 1.0 - wall))
                if number >= 3:
                    walls.append(wall)
                    cores.append((time.process_time() - cpu) / max(wall, 1.0))
    finally:
        await poller.close()
    answered = sum(server.alive is True and server.seen_at is not None for server in snapshot.servers)
    wall, core = statistics.median(walls), statistics.median(cores)
    bad = sum(problem.severity is Severity.BAD for problem in snapshot.problems)
    good = wall <= _POLL and answered == count
    return [
        Row(f"one poll of {answered:,} servers", f"{wall:.2f} s", f"{_POLL:g} s", good=good,
            note=f"median of {len(walls)}, worst {max(walls):.2f} s; {bad} bad problems"),
        Row("  processor", f"{core:.2f} cores", f"{_CORE:g}", good=core <= _CORE),
    ]


async def command(what: str, reach: float | None, *words: str) -> Row:
    """How long a command of the shell takes, and the memory it needs."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tuiha", *words, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    took = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    note = f"{len(out):,} bytes; no child so far took more than {memory:.0f} MB"
    if process.returncode not in (0, 1):
        note = f"exit code {process.returncode}: {err.decode()[-200:]}"
    good = process.returncode in (0, 1) and (reach is None or took <= reach)
    return Row(what, f"{took:.2f} s", "" if reach is None else f"{reach:g} s", good=good, note=note)


def dashboard(config: Path, users: int) -> list[Row]:
    """Home, and a user found among all as one types."""
    with tempfile.TemporaryDirectory() as state:
        arguments = ["-m", "tuiha", "--config", str(config)]
        with Terminal(arguments, 120, 40, environment={**COLOURS, "XDG_STATE_HOME": state}) as terminal:
            terminal.shows(name_of(1))
            terminal.read(8.0)
            home = running(terminal, 15.0)
            terminal.send("5")
            terminal.shows("user00")
            wanted = f"user{users - 3:07}"
            began = time.monotonic()
            terminal.send(f"/{wanted}")
            terminal.until(lambda seen: any(wanted in line and "p0" in line for line in seen.lines))
            found = time.monotonic() - began
            terminal.send("\x1b")
            terminal.read(1.0)
            leave(terminal)
    return [
        Row("Home, a key until it is drawn", f"{home['key_ms_median']} ms", "50 ms",
            note=f"p95 {home['key_ms_p95']} ms", good=float(str(home["key_ms_p95"])) <= 50),
        Row("  processor, with polling", f"{home['cpu_percent']} %", note=f"{home['resident_mb']} MB resident, "
            f"{home['bytes_per_second']} B/s"),
        Row(f"Users, one of {users:,} found", f"{1000 * found:.0f} ms",
            note="from the first of its 11 letters"),
    ]


async def hearts(crowd: Crowd, counts: list[int], seconds: float, all_look: bool = False) -> list[Row]:
    """What the database bears of servers' hearts; `all_look`: if each of them looked at all others with every beat."""
    rows = []
    for count in counts:
        await crowd.beat(count, all_look)
        await asyncio.sleep(3.0)
        await crowd.beat(count, all_look)
        began = time.monotonic()
        await asyncio.sleep(seconds)
        found = await crowd.beat(count, all_look)
        passed = time.monotonic() - began
        rows.append(Row(
            f"{count:,} hearts" + (", if all looked" if all_look else ""), f"{found['beats'] / passed:,.0f} a second",
            note=f"a beat takes {1000 * found['median']:,.0f} ms, p99 {1000 * found['p99']:,.0f} ms"))
    await crowd.beat(0)
    return rows


async def run(options: argparse.Namespace) -> int:
    """All of it, a line as soon as it is known."""
    rows = []
    async with EmbeddedPool(servers=1, users=5) as pool, crowd(pool, options.servers) as many:
        settings, base = load(pool.config_path), pool.folder
        addresses = await many.addresses()
        await pool.kill("s1")  # it would take over the users of servers that are only pretended
        connection, config = await connect(settings, base), ("--config", str(pool.config_path))
        try:
            rows += _print([await fill(connection, options.users, addresses)])
            async with alive(connection):
                rows += _print(await polled(settings, base, options.servers))
                rows += _print([
                    await command("tuiha status --json", None, *config, "status", "--json"),
                    await command(f"tuiha users user{options.users // 2:07}", None, *config, "users",
                                  f"user{options.users // 2:07}"),
                    await command("tuiha plan rebalance --json", None, *config, "plan", "rebalance", "--json"),
                ])
                rows += _print(await asyncio.to_thread(dashboard, pool.config_path, options.users))
        finally:
            await connection.close()
        steps = [n for n in (100, 200, 400, 700, 1000) if n <= options.servers]
        rows += _print(await hearts(many, steps, options.seconds))
        rows += _print(await hearts(many, steps[2:], options.seconds, all_look=True))
    return int(not all(row.good for row in rows))


def _print(rows: list[Row]) -> list[Row]:
    cells = [[row.what, row.figure, row.reach, "" if row.good else "OUT OF REACH", row.note] for row in rows]
    sys.stdout.write("\n".join(aligned([HEAD, *cells], right=[1, 2])) + "\n")
    sys.stdout.flush()
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="for which each number of hearts is measured (10)")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())

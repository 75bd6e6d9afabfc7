"""`python -m tests.benchmarks.overload`: a pool server is asked for up to 10 times what it can answer. Two minutes.

Every request is a poll that finds nothing and does not wait. Devices send them at random moments, whatever became of
the others, and give up after three seconds. Printed for each load: good answers a second and their share of the most,
refusals and requests that were given up, how long a good answer took, how late heartbeats were, and the share of a core
that asking took. The pool server has one core, all else has the other.

`--sprayed` asks through a sprayer, which refuses in place of the server. It shares the load's core.
`--checkout PATH` runs another version's servers: the control. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tests.benchmarks.mail_pool import HERE, pool_of
from tests.benchmarks.requests import Target, measure, pinned, targets
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout

FACTORS = (1, 2, 5, 10)
SECONDS = 10.0  # of each load
GIVEN_UP = 3.0  # seconds
MOST = 1500  # connections
SHARE, LATE = 0.7, 0.3  # reach: of the most answers; seconds that the 99th of 100 heartbeats may be late


@dataclass
class Tally:
    """What became of the requests of one load."""

    took: list[float] = field(default_factory=list)  # seconds, of good answers
    sent: int = 0
    refused: int = 0
    given_up: int = 0
    share: float = 0.0  # of a core that asking took


class Crowd:
    """Devices that ask at random moments, on connections that are kept."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._at = 0.0  # monotonic seconds: when the next one asks
        self._asking: dict[asyncio.StreamWriter, float] = {}  # and since when

    async def ask(self, rate: float, seconds: float) -> Tally:
        """So many requests a second, for so long."""
        tally, used = Tally(), time.process_time()
        self._at = began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            reaping = group.create_task(self._reap())
            devices = [group.create_task(self._device(rate, began + seconds, tally)) for _ in range(MOST)]
            await asyncio.wait(devices)
            reaping.cancel()
        tally.share = (time.process_time() - used) / (time.monotonic() - began)
        return tally

    async def _device(self, rate: float, until: float, tally: Tally) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            self._at += random.expovariate(rate)
            at = self._at
            if at > until:
                break
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            tally.sent += 1
            try:
                connection = connection or await asyncio.open_connection(self._target.host, self._target.port)
                await self._asked(*connection, tally)
            except (OSError, EOFError):
                tally.given_up += 1
                connection = None
        if connection is not None:
            connection[1].close()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally) -> None:
        began = self._asking[writer] = time.monotonic()
        try:
            writer.write(self._target.requests[tally.sent % len(self._target.requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        finally:
            del self._asking[writer]
        if head[9:12] == b"200":
            tally.took.append(time.monotonic() - began)
        else:
            tally.refused += 1

    async def _reap(self) -> None:
        """Devices give up."""
        while True:
            await asyncio.sleep(0.25)
            late = time.monotonic() - GIVEN_UP
            for writer in [one for one, since in self._asking.items() if since < late]:
                writer.transport.abort()


class Beats:
    """When the first server's heart beat, by the database's clock."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._at: list[float] = []

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            at = await self._connection.fetchval(
                "SELECT extract(epoch FROM heartbeat)::float8 FROM server WHERE name = 's1'")
            if not self._at or at != self._at[-1]:
                self._at.append(at)
            await asyncio.sleep(0.05)

    def late(self) -> float:
        """Seconds that 99 of 100 beats were late at most, since the last call."""
        gaps = sorted(max(0.0, b - a - 1.0) for a, b in zip(self._at, self._at[1:], strict=False))
        self._at = self._at[-1:]
        return gaps[min(len(gaps) - 1, round(0.99 * len(gaps)))] if gaps else float("inf")


async def _database(pool: LabControl) -> Any:
    address = load(pool.config_path).database.nodes[0].address
    return await asyncpg.connect(host="127.0.0.1", port=int(address.rpartition(":")[2]), user="postgres",
                                 database="tuiha", ssl=False, password=Layout(pool.folder).read_secret("postgres"))


async def run(checkout: Path, way: str = "direct") -> tuple[float, list[tuple[int, Tally, float]]]:
    """Answers a second that a few connections get, and what became of each load."""
    os.sched_setaffinity(0, {1})
    found: list[tuple[int, Tally, float]] = []
    async with pool_of(checkout, 1, 200) as pool:
        target = (await targets(pool))[way]
        await pinned(pool)
        database = await _database(pool)
        beats = Beats(database)
        watching = asyncio.create_task(beats.watch())
        try:
            await measure(target, 3.0)
            capacity = (await measure(target, 6.0)).rate
            crowd = Crowd(target)
            for factor in FACTORS:
                beats.late()
                found.append((factor, await crowd.ask(factor * capacity, SECONDS), beats.late()))
                good = len(found[-1][1].took) / SECONDS
                sys.stderr.write(f"{factor} times {capacity:.0f} a second: {good:.0f} good\n")
                await asyncio.sleep(3.0)
        finally:
            watching.cancel()
            await asyncio.wait({watching})
            await database.close()
    return capacity, found


def _rows(capacity: float, found: list[tuple[int, Tally, float]]) -> tuple[list[list[str]], bool]:
    best = max([capacity, *(len(tally.took) / SECONDS for _, tally, _ in found)])
    rows, good = [], True
    for factor, tally, late in found:
        rate, took = len(tally.took) / SECONDS, sorted(tally.took) or [float("inf")]
        good &= rate >= SHARE * best and late <= LATE
        rows.append([f"{factor}", f"{tally.sent / SECONDS:,.0f}", f"{rate:,.0f}", f"{rate / best:.2f}",
                     f"{tally.refused / SECONDS:,.0f}", f"{tally.given_up / SECONDS:,.0f}",
                     f"{1000 * took[len(took) // 2]:.0f} ms", f"{1000 * took[int(0.95 * len(took))]:.0f} ms",
                     f"{1000 * late:.0f} ms", f"{tally.share:.0%}"])
    return rows, good


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    parser.add_argument("--sprayed", action="store_true", help="through a sprayer")
    arguments = parser.parse_args()
    way = "sprayer" if arguments.sprayed else "direct"
    capacity, found = asyncio.run(run(arguments.checkout.resolve(), way))
    rows, good = _rows(capacity, found)
    head = ["times", "asked a second", "good", "of the most", "refused", "given up", "median", "p95",
            "beats late (p99)", "load's core"]
    sys.stdout.write("\n".join(aligned([head, *rows], right=list(range(1, len(head))))) + "\n")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())

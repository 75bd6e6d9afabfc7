"""Patroni with etcd on the same PostgreSQL binaries, under the same kind of writer, beside the pool's own figures."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg

from tests.benchmarks.writers import Crew, RowWriter
from tests.drivers.daemons import PASSWORD
from tests.drivers.patronipair import DEFAULT, QUICK, PatroniPair

WRITERS = 4
_TABLE = "CREATE TABLE written (writer int, number bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())"


@dataclass
class Gaps:
    """What writers saw of one kind of operation."""

    gaps: list[float] = field(default_factory=list)  # seconds
    failures: list[int] = field(default_factory=list)


@dataclass
class Compared:
    """What was measured, by its name, and how many acknowledged writes were lost in all."""

    seen: dict[str, Gaps] = field(default_factory=dict)
    lost: int = 0
    written: int = 0

    async def measure(self, what: str, crew: Crew, act: Callable[[], Awaitable[None]]) -> None:
        """Let the crew write, act, and note the longest gap until it writes again."""
        await crew.steady()
        since = time.monotonic()
        await act()
        await crew.steady()
        gaps = self.seen.setdefault(what, Gaps())
        gaps.gaps.append(crew.tally.longest(since))
        gaps.failures.append(crew.tally.failures(since))
        sys.stderr.write(f"{what} {len(gaps.gaps)}: {gaps.gaps[-1] * 1000:,.0f} ms without a write, "
                         f"{gaps.failures[-1]:,} writes failed\n")


async def measure_patroni(times: int) -> Compared:
    """Switchovers and failovers of a pair under Patroni, with its own timings and with the quickest."""
    compared = Compared()
    async with PatroniPair() as pair:
        await _play(pair, compared, times)
    return compared


async def _play(pair: PatroniPair, compared: Compared, times: int) -> None:
    numbers = itertools.count(1)
    ports = [node.port for node in pair.nodes.values()]
    leader = pair.nodes[await pair.leader()]
    admin = await asyncpg.connect(host="127.0.0.1", port=leader.port, user="postgres", password=PASSWORD,
                                  database="postgres", ssl=False)
    await admin.execute(_TABLE)
    await admin.close()
    writers = [RowWriter(ports, PASSWORD, number, lambda: next(numbers)) for number in range(WRITERS)]
    async with Crew(writers) as crew:
        for name, timing in (("", DEFAULT), (", quick timings", QUICK)):
            await pair.whole()
            await pair.tune(timing)
            await asyncio.sleep(DEFAULT["loop_wait"])  # until both have heard of it
            for _ in range(times):
                await pair.whole()
                await compared.measure(f"Patroni{name}: switchover", crew, pair.switchover)
            for _ in range(times):
                await pair.whole()
                await compared.measure(f"Patroni{name}: kill -9 of the primary", crew, lambda: _kill(pair))
            for _ in range(times):
                await pair.whole()
                lost = await pair.leader()
                await compared.measure(f"Patroni{name}: primary and its Patroni lost", crew, lambda: _lose(pair))
                pair.nodes[lost].start()
        await pair.whole()
    await _verify(pair, compared, writers)


async def _kill(pair: PatroniPair) -> None:
    pair.nodes[await pair.leader()].kill_postgres()


async def _lose(pair: PatroniPair) -> None:
    await asyncio.to_thread(pair.nodes[await pair.leader()].kill)


async def _verify(pair: PatroniPair, compared: Compared, writers: list[RowWriter]) -> None:
    """Count acknowledged rows that are not there."""
    leader = pair.nodes[await pair.leader()]
    admin = await asyncpg.connect(host="127.0.0.1", port=leader.port, user="postgres", password=PASSWORD,
                                  database="postgres", ssl=False)
    there = {row["number"] for row in await admin.fetch("SELECT number FROM written")}
    await admin.close()
    acknowledged = [number for writer in writers for number in writer.written]
    compared.written, compared.lost = len(acknowledged), sum(number not in there for number in acknowledged)

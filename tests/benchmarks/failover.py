"""`python -m tests.benchmarks.failover`: ten switchovers and ten failovers after kill -9, under load, as a table.

Every operation goes the operator's way: plan, confirm, a runner in a process of its own, until the pool is protected
again. Switchover: the time for which writes were held. Failover: from the confirmation to the last server's lease on
the new primary. Lost, doubled and failures are the checker's, over all the runs. Exit code 1 when something is out of
reach. About three minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.cli.table import aligned
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess
from tuiha.operate import api
from tuiha.operate.database.steps import stamped

HEAD = ["what", "runs", "median", "least", "most", "reach", "reached"]


@dataclass(frozen=True, slots=True)
class Run:
    """One operation."""

    outage: float  # seconds
    whole: float  # seconds from the confirmation to protected again
    requests: int  # that waited


class Bench:
    """A pool under load, and operations on it."""

    def __init__(self, pool: EmbeddedPool) -> None:
        self.pool = pool
        self.settings = load(pool.config_path)
        self.runs: dict[str, list[Run]] = {"switchover": [], "failover": []}

    async def operate(self, kind: str) -> Run:
        """Plan, confirm and follow to the end. Raises RuntimeError unless it is done and protected."""
        base = self.pool.folder
        plan = await api.make_plan(self.settings, base, kind)
        if plan.stopped_by:
            raise RuntimeError(f"{kind} is stopped by {plan.stopped_by}")
        confirmed = time.time()
        operation = await api.apply(self.settings, base, self.pool.config_path, plan, plan.confirm, "benchmark",
                                    who="benchmark")
        async for state in api.follow(self.settings, base, operation):
            last = state
        evidence = {step.planned.number: step.evidence for step in last.steps}
        if last.state != "done" or "protected" not in evidence[len(evidence)]:
            raise RuntimeError(f"{kind} {last.state}: {last.text}; {evidence}")
        return Run(_outage(kind, confirmed, last.outcome or {}, evidence), time.time() - confirmed,
                   int((last.outcome or {}).get("requests_delayed", 0)))

    async def play(self, kind: str, times: int) -> None:
        """Run an operation again and again, the primary killed before each failover."""
        for number in range(1, times + 1):
            await self.settle()
            if kind == "failover":
                await self.pool.kill(await self.active())
            run = await self.operate(kind)
            self.runs[kind].append(run)
            _say(f"{kind} {number}: {run.outage * 1000:.0f} ms, whole {run.whole:.1f} s, {run.requests} waited")

    async def active(self) -> str:
        """The active database."""
        from tuiha.drivers.opening import open_drivers

        drivers = open_drivers(self.settings, self.pool.folder)
        try:
            assert drivers.ledger is not None
            return (await drivers.ledger.poll()).active
        finally:
            await drivers.close()

    async def settle(self) -> None:
        """A few seconds of ordinary life between two operations."""
        await asyncio.sleep(2.0)


def _outage(kind: str, confirmed: float, outcome: Mapping[str, Any], evidence: Mapping[int, str]) -> float:
    """Seconds: of a switchover as it tells itself; of a failover counted from the confirmation."""
    if kind == "switchover":
        return float(outcome["outage_ms"]) / 1000
    served = next(stamped(text) for text in evidence.values() if "served at" in text)
    assert served is not None
    return served - confirmed


def rows(runs: Mapping[str, list[Run]]) -> list[list[str]]:
    """The table's lines."""
    figures = [
        ("switchover: writes held", [r.outage for r in runs["switchover"]], 0.150),
        ("switchover: until protected again", [r.whole for r in runs["switchover"]], None),
        ("failover after kill -9: from the confirmation", [r.outage for r in runs["failover"]], 1.0),
        ("failover: until protected again", [r.whole for r in runs["failover"]], None),
    ]
    return [_row(what, values, reach) for what, values, reach in figures if values]


def _row(what: str, values: list[float], reach: float | None) -> list[str]:
    median = statistics.median(values)
    cells = [f"{value * 1000:,.0f} ms" for value in (median, min(values), max(values))]
    verdict = "" if reach is None else "yes" if median <= reach else "no"
    return [what, str(len(values)), *cells, "" if reach is None else f"{reach * 1000:,.0f} ms", verdict]


async def run(servers: int, users: int, times: int) -> int:
    """Both series, the table, and the checker's verdict."""
    async with EmbeddedPool(servers, users) as pool:
        loading = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "20")
        try:
            bench = Bench(pool)
            await asyncio.sleep(5.0)
            await bench.play("switchover", times)
            planned = loading.figures() or {}
            await bench.play("failover", times)
            await bench.settle()
            report = await loading.stop()
        finally:
            await loading.kill()
    table = rows(bench.runs)
    sys.stdout.write("\n".join(aligned([HEAD, *table])) + "\n")
    failures = int(planned.get("failures", 0))
    sys.stdout.write(
        f"lost {report['lost']}, doubled {report['doubled']}, monitored twice {report['monitored_twice']}, failures "
        f"{failures} while switching over and {report['failures'] - failures} while the primary was killed, "
        f"{report['messages']:,} messages, {report['answers']:,} answers, {report['delayed']:,} told to ask again\n")
    wrong = report["lost"] + report["doubled"] + report["monitored_twice"] + failures
    return int(bool(wrong) or any(row[-1] == "no" for row in table))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.failover", description=__doc__)
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    return asyncio.run(run(arguments.servers, arguments.users, arguments.times))


if __name__ == "__main__":
    sys.exit(main())

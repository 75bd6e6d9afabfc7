"""`python -m tests.benchmarks.herd`: 2,000 devices come back at once to a pool that they nearly fill. Three minutes.

400 users with five devices each poll through the sprayers. Both sprayers are gone for half a second; twenty seconds
later the primary is stopped for fifteen, and woken. Printed: good answers a second before and after each, how long it
took until they were at least 0.7 of before for three seconds in a row, and which living servers were taken for dead.

`--checkout PATH` runs another version's servers: the control. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from tests.benchmarks.mail_pool import HERE, pool_of
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.load.process import LoadProcess
from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout

SERVERS, USERS, DEVICES = 4, 400, 5
POLL = 8.0  # seconds of a long poll: 2,000 of them are 250 answers a second
RAMP = 25.0  # devices a second: each user's first log-in at each server costs a tenth of a second of a processor
REGISTERED = 400.0  # seconds until all are there
SHARE = 0.7  # reach: of the answers before
WHOLE = 10.0  # reach: seconds until then
IN_A_ROW = 3  # seconds
AFTER = 60.0  # seconds that are looked at after the primary was woken
BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass
class Course:
    """What the load's figures said, second by second."""

    load: LoadProcess
    process: psutil.Process
    rows: list[tuple[float, int, int, int]] = field(default_factory=list)  # monotonic, good answers, delayed, failures
    shares: list[float] = field(default_factory=list)  # of one processor that the load took

    async def run(self) -> None:
        """Look until cancelled."""
        self.process.cpu_percent()
        while True:
            await asyncio.sleep(1.0)
            figures = self.load.figures()
            if figures is not None:
                self.rows.append((time.monotonic(), sum(figures["by_sprayer"].values()), figures["delayed"],
                                  figures["failures"]))
                self.shares.append(self.process.cpu_percent() / 100)

    def rates(self, begin: float, end: float) -> list[float]:
        """Good answers a second between two moments, one figure for each look."""
        pairs = zip(self.rows, self.rows[1:], strict=False)
        return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if begin <= a[0] and b[0] <= end]

    def whole_again(self, since: float, wanted: float) -> float | None:
        """Seconds from `since` until the rate stays at what is wanted; None when it never did."""
        pairs = [(a[0], (b[1] - a[1]) / (b[0] - a[0])) for a, b in zip(self.rows, self.rows[1:], strict=False)]
        later = [(at, rate) for at, rate in pairs if at >= since]
        for number, (at, _) in enumerate(later):
            run = later[number : number + IN_A_ROW]
            if len(run) == IN_A_ROW and all(rate >= wanted for _, rate in run):
                return at - since
        return None


@dataclass(frozen=True)
class Outcome:
    """Figures of a run."""

    before: float
    whole: float | None
    last: float
    plot: str
    delayed: int
    failures: int
    taken: Sequence[str]
    load_share: float
    report: dict[str, Any]

    @property
    def good(self) -> bool:
        """Whether all is in reach."""
        wrong = self.report["lost"] + self.report["doubled"] + self.report["monitored_twice"]
        return self.whole is not None and self.whole <= WHOLE and not self.taken and not wrong


async def taken_for_dead(pool: LabControl) -> list[str]:
    """Events that say of a server that it is gone: none was."""
    settings = load(pool.config_path)
    port = settings.database.nodes[0].address.rpartition(":")[2]
    connection = await asyncpg.connect(host="127.0.0.1", port=int(port), user="postgres", database="tuiha", ssl=False,
                                       password=Layout(pool.folder).read_secret("postgres"))
    try:
        rows = await connection.fetch("SELECT subject, text FROM event WHERE text LIKE '%gone:%' ORDER BY id")
        return [f"{row['subject']} {row['text']}" for row in rows]
    finally:
        await connection.close()


def plot(rates: Sequence[float], full: float) -> str:
    """A line of blocks, one for each second."""
    return "".join(BLOCKS[min(8, round(8 * rate / full))] if full else " " for rate in rates)


async def run(checkout: Path, users: int, sprayers: bool = True, database: bool = True) -> Outcome:
    """One pool, hurt."""
    async with pool_of(checkout, SERVERS, users) as pool:
        running = await LoadProcess.start(pool.config_path, pool.users_path, "--devices-per-user", str(DEVICES),
                                          "--rate", "6", "--ramp", f"{RAMP:g}", "--wait", f"{POLL:g}")
        course = Course(running, psutil.Process(running.process_id))
        watching = asyncio.create_task(course.run())
        try:
            await _registered(running, users * DEVICES)
            await asyncio.sleep(5.0)
            calm = time.monotonic()
            await asyncio.sleep(15.0)
            hurt = time.monotonic()
            before = statistics.mean(course.rates(calm, hurt))
            if sprayers:
                await asyncio.gather(pool.kill("spray1"), pool.kill("spray2"))
                await asyncio.sleep(0.5)
                await asyncio.gather(pool.start("spray1"), pool.start("spray2"))
                await asyncio.sleep(20.0)
            if database:
                await pool.pause("db1")
                await asyncio.sleep(15.0)
                await pool.resume("db1")
            woken = time.monotonic()
            await asyncio.sleep(AFTER)
            last = statistics.mean(course.rates(time.monotonic() - 15.0, time.monotonic()))
            figures = running.figures() or {}
            taken = await taken_for_dead(pool)
            report = await running.stop()
        finally:
            watching.cancel()
            await running.kill()
        return Outcome(before, course.whole_again(woken, SHARE * before), last,
                       plot(course.rates(hurt, woken + AFTER), before), figures["delayed"], figures["failures"], taken,
                       statistics.mean(course.shares), report)


async def _registered(running: LoadProcess, devices: int) -> None:
    async with asyncio.timeout(REGISTERED):
        while (there := (running.figures() or {}).get("registered", 0)) < devices:
            sys.stderr.write(f"\r{there:,} of {devices:,} devices registered")
            await asyncio.sleep(1.0)
    sys.stderr.write("\n")


def table(outcome: Outcome) -> list[list[str]]:
    """Lines for people."""
    whole = "never" if outcome.whole is None else f"{outcome.whole:.0f} s"
    report = outcome.report
    return [
        ["answers a second before", f"{outcome.before:.0f}", ""],
        ["in the last 15 s", f"{outcome.last:.0f}", ""],
        ["0.7 of before, after the primary was woken", whole, f"{WHOLE:g} s"],
        ["told to come later", f"{outcome.delayed:,}", ""],
        ["failed", f"{outcome.failures:,}", ""],
        ["living servers taken for dead", f"{len(outcome.taken)}", "0"],
        ["lost, doubled, monitored twice",
         f"{report['lost']}, {report['doubled']}, {report['monitored_twice']}", "0, 0, 0"],
        ["processor that the load took", f"{outcome.load_share:.0%}", ""],
    ]


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--no-sprayers", action="store_true", help="the sprayers stay")
    parser.add_argument("--no-database", action="store_true", help="the primary stays")
    arguments = parser.parse_args()
    outcome = asyncio.run(run(arguments.checkout.resolve(), arguments.users, not arguments.no_sprayers,
                              not arguments.no_database))
    lines = aligned([["figure", "found", "reach"], *table(outcome)], right=[1, 2])
    sys.stdout.write("\n".join([*lines, "", f"answers a second from the first hurt on: |{outcome.plot}|",
                                *outcome.taken[:10]]) + "\n")
    return int(not outcome.good)


if __name__ == "__main__":
    sys.exit(main())

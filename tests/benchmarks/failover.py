"""`python -m tests.benchmarks.failover`: ten switchovers and ten failovers after kill -9, under load, as a table.

Every operation goes the operator's way: plan, confirm, a runner in a process of its own, until the pool is protected
again. Switchover: the time for which writes were held, and how it is spent, step by step. Failover: from the
confirmation to the last server's lease on the new primary. Lost, doubled and failures are the checker's, over all runs.

After that, in the same run, Patroni with etcd on the same PostgreSQL binaries, where both are installed: switchovers by
its REST interface, kill -9 of the primary, and of the primary with its Patroni, each with its own timings and quick
ones. To compare, both have writers of the same kind, and the same is measured: the longest time in which no write was
acknowledged. The pool's writers are devices that write through the sprayers while its load goes on; Patroni's are
clients of PostgreSQL that look for the primary at both nodes at once, with nothing beside them on the machine.

Exit code 1 when something is out of reach. About three minutes, and fifteen with Patroni.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.peer import Compared, measure_patroni
from tests.benchmarks.writers import Crew, DeviceWriter
from tests.drivers.patronipair import missing
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess
from tuiha.model.operations.evidence import Done, StepId
from tuiha.model.operations.plans import Moment, OperationStatus
from tuiha.model.operations.statements import Statement
from tuiha.operate import api
from tuiha.operate.database.kinds import moment
from tuiha.operate.records.state import StepState

HEAD = ["what", "runs", "median", "least", "most", "reach", "reached"]
SEEN = ["seen by writers", "runs", "no write: median", "least", "most", "writes failed", "by Patroni / by the pool"]
SWITCHED, KILLED = "the pool: switchover", "the pool: kill -9 of the primary, confirmed at once"
RATIO = 10.0  # how much longer Patroni's switchover stops writes, at least
WRITERS = 4


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
        self.held: dict[str, list[float]] = {}  # step -> seconds of each switchover, from holding to the last lease
        self.compared = Compared()

    async def operate(self, kind: str) -> Run:
        """Plan, confirm and follow to the end. Raises RuntimeError unless it is done and protected."""
        base = self.pool.folder
        operator = api.Operator(self.settings, base, self.pool.config_path, "benchmark")
        plan = await operator.plan(kind)
        if plan.stopped_by:
            raise RuntimeError(f"{kind} is stopped by {plan.stopped_by}")
        confirmed = time.time()
        operation = await operator.apply(plan, plan.confirm, "benchmark")
        async for state in operator.follow(operation):
            last = state
        evidence = {step.planned.number: step.said for step in last.steps if step.said is not None}
        if last.state is not OperationStatus.DONE or evidence[len(last.steps)].code != Done.PROTECTED:
            raise RuntimeError(f"{kind} {last.state}: {last.text}; {[step.evidence for step in last.steps]}")
        if kind == "switchover":
            self._note(last.steps)
        return Run(_outage(kind, confirmed, last.outcome or {}, evidence), time.time() - confirmed,
                   int((last.outcome or {}).get("requests_delayed", 0)))

    def _note(self, steps: Sequence[StepState]) -> None:
        """Where the time goes for which writes are held; what lies between two steps is the runner's journal."""
        ids = [step.planned.id for step in steps]
        held = steps[ids.index(StepId.HOLD):ids.index(StepId.ATTACH) + 1]
        for step in held:
            self.held.setdefault(step.planned.id, []).append(step.seconds or 0.0)
        first, last = held[0].started_at, held[-1].started_at
        assert first is not None
        assert last is not None
        between = last + (held[-1].seconds or 0.0) - first - sum(step.seconds or 0.0 for step in held)
        self.held.setdefault("between steps", []).append(between)

    async def play(self, kind: str, times: int, crew: Crew) -> None:
        """Run an operation again and again, the primary killed before each failover."""
        what = {"switchover": SWITCHED, "failover": KILLED}[kind]
        for number in range(1, times + 1):
            await self.settle()
            await self.compared.measure(what, crew, lambda: self.once(kind))
            run = self.runs[kind][-1]
            _say(f"{kind} {number}: {run.outage * 1000:.0f} ms, whole {run.whole:.1f} s, {run.requests} waited")

    async def once(self, kind: str) -> None:
        """One operation, and for a failover what makes it necessary."""
        if kind == "failover":
            await self.pool.kill(await self.active())
        self.runs[kind].append(await self.operate(kind))

    def writers(self) -> list[DeviceWriter]:
        """Devices of the last users, through both sprayers by turns."""
        users = [line.split("\t") for line in self.pool.users_path.read_text().splitlines()]
        sprayers = [f"http://{sprayer.address}" for sprayer in self.settings.sprayers]
        return [DeviceWriter(sprayers[number % 2:] + sprayers[:number % 2], user, password, f"writer{number}")
                for number, (user, password) in enumerate(users[-WRITERS:])]

    async def active(self) -> str:
        """The active database."""
        from tuiha.drivers.factory import open_drivers

        drivers = open_drivers(self.settings, self.pool.folder)
        try:
            assert drivers.ledger is not None
            return (await drivers.ledger.poll()).active
        finally:
            await drivers.close()

    async def settle(self) -> None:
        """A few seconds of ordinary life between two operations."""
        await asyncio.sleep(2.0)


def _outage(kind: str, confirmed: float, outcome: Mapping[str, Any], evidence: Mapping[int, Statement]) -> float:
    """Seconds: of a switchover as it tells itself; of a failover counted from the confirmation."""
    if kind == "switchover":
        return float(outcome["outage_ms"]) / 1000
    served = moment(evidence, Moment.SERVED)
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


def seen(compared: Compared) -> list[list[str]]:
    """The lines of what writers saw; the ratio is of medians, to the pool's same kind of operation."""
    own = {what: statistics.median(gaps.gaps) for what, gaps in compared.seen.items()}
    lines = []
    for what, gaps in compared.seen.items():
        base = own.get(SWITCHED if "switchover" in what else KILLED)
        cells = [f"{value * 1000:,.0f} ms" for value in (own[what], min(gaps.gaps), max(gaps.gaps))]
        ratio = "" if base is None or what in (SWITCHED, KILLED) else f"{own[what] / base:.1f}"
        lines.append([what, str(len(gaps.gaps)), *cells, f"{sum(gaps.failures):,}", ratio])
    return lines


def out_of_ratio(compared: Compared) -> bool:
    """Whether Patroni's switchover stopped writes for less than ten times the pool's."""
    peers = [statistics.median(gaps.gaps) for what, gaps in compared.seen.items()
             if what.startswith("Patroni") and "switchover" in what]
    own = statistics.median(compared.seen[SWITCHED].gaps) if SWITCHED in compared.seen else 0.0
    return any(peer < RATIO * own for peer in peers)


async def compare(compared: Compared, times: int) -> int:
    """Patroni's part of the run, and the table of both; 1 when the ratio is out of reach."""
    why = missing()
    if why is not None:
        _say(f"Patroni is not measured: {why}")
    elif times:
        peer = await measure_patroni(times)
        compared.seen.update(peer.seen)
        sys.stdout.write(f"Patroni: {peer.written:,} writes acknowledged, {peer.lost} of them lost\n")
    sys.stdout.write("\n".join(aligned([SEEN, *seen(compared)])) + "\n")
    return int(out_of_ratio(compared))


async def run(options: argparse.Namespace) -> int:
    """Both series, the tables, the checker's verdict, and Patroni's series."""
    times = options.times
    async with EmbeddedPool(options.servers, options.users, ledger=options.ledger) as pool:
        loading = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", str(options.rate))
        try:
            bench = Bench(pool)
            await asyncio.sleep(5.0)
            async with Crew(bench.writers()) as crew:
                await bench.play("switchover", times, crew)
                planned = loading.figures() or {}
                await bench.play("failover", times, crew)
            await bench.settle()
            report = await loading.stop()
        finally:
            await loading.kill()
    table = rows(bench.runs)
    sys.stdout.write("\n".join(aligned([HEAD, *table])) + "\n")
    shares = [[step, *(f"{one * 1000:,.0f} ms" for one in (statistics.median(took), min(took), max(took)))]
              for step, took in bench.held.items()]
    sys.stdout.write("\n".join(aligned([["while writes are held", "median", "least", "most"], *shares])) + "\n")
    failures = int(planned.get("failures", 0))
    sys.stdout.write(
        f"lost {report['lost']}, doubled {report['doubled']}, monitored twice {report['monitored_twice']}, failures "
        f"{failures} while switching over and {report['failures'] - failures} while the primary was killed, "
        f"{report['messages']:,} messages, {report['answers']:,} answers, {report['delayed']:,} told to ask again\n")
    wrong = report["lost"] + report["doubled"] + report["monitored_twice"] + failures
    unequal = await compare(bench.compared, options.peers)
    return int(bool(wrong) or bool(unequal) or any(row[-1] == "no" for row in table))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.failover", description=__doc__)
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--rate", type=int, default=20, help="messages a second of the pool's load (20)")
    parser.add_argument("--peers", type=int, default=10, help="operations of each kind by Patroni (10; 0: without it)")
    parser.add_argument("--ledger", choices=("file", "etcd"), default="file", help="of the pool (file)")
    arguments = parser.parse_args()
    return asyncio.run(run(arguments))


if __name__ == "__main__":
    sys.exit(main())

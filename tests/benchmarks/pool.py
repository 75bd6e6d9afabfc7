"""`python -m tests.benchmarks.pool`: the figures of a whole pool, alive and hurt, as a table. About six minutes.

Columns: lost = devices' changes that had not come 40 s after the scene, doubled = changes that came again, failures =
requests without a good answer from either sprayer, delayed = answers of 503 with Retry-After, which devices obey.
Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.benchmarks import scenes, screen
from tests.benchmarks.stage import Row, Stage, until
from tuiha.cli.output.table import aligned, cell
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess

HEAD = ["what", "figure", "reach", "lost", "doubled", "failures", "delayed", ""]
_BAD = frozenset({"DEGRADED", "DISPUTED", "DOWN"})

SCENES: tuple[tuple[str, str, scenes.Play], ...] = (
    ("kill s2: users elsewhere", "12 s", scenes.server_gone("s2", "kill")),
    ("kill spray1: devices at spray2", "", scenes.sprayer_gone("spray1", "spray2", "kill")),
    ("add server: takes users", "", scenes.server_added),
    ("kill mail1: users through mail2", "5 s", scenes.mail_gone("mail1", "kill")),
    ("pause s3: users elsewhere", "12 s", scenes.server_gone("s3", "pause")),
    ("pause mail2: users through mail1", "5 s", scenes.mail_gone("mail2", "pause")),
    ("pause spray2: devices at spray1", "", scenes.sprayer_gone("spray2", "spray1", "pause")),
    ("kill db2: shown", "", scenes.database_gone("db2", "kill", _BAD)),
    ("pause db2: shown", "", scenes.database_gone("db2", "pause", _BAD)),
    ("kill db1: shown", "", scenes.database_gone("db1", "kill", _BAD)),
)


def at_rest(servers: int, users: int) -> list[Row]:
    """The dashboard, from typing to leaving."""
    seen = screen.demo(servers, users, 10.0)
    first = "not seen" if seen.first is None else f"{seen.first:.1f} s"
    return [
        Row("demo to the first full screen", first, "5 s", good=seen.first is not None and seen.first <= 5.0),
        Row("Home at 80x24 under load", f"{seen.bytes_per_second:,.0f} B/s", "1,000 B/s",
            good=seen.bytes_per_second <= 1000),
        Row("dashboard's resident memory", f"{seen.memory / 1e6:.0f} MB"),
        Row("leaving: everything gone", f"{seen.leaving:.1f} s"),
    ]


async def alive(stage: Stage) -> AsyncIterator[Row]:
    """The pool with nothing hurt."""

    async def warm() -> bool:
        figures = stage.figures()
        return bool(figures) and figures["registered"] == figures["devices"]

    await until(warm, 60.0)
    before = stage.figures()
    await asyncio.sleep(30.0)
    after = stage.figures()
    looks = [await stage.status() for _ in range(3)]
    took = statistics.median(seconds for _, seconds in looks)
    status = looks[-1][0]
    yield Row("tuiha status", f"{took:.2f} s", "0.5 s", note=f"{status['verdict']}, {status['protection']}",
              good=took <= 0.5 and status["verdict"] == "HEALTHY")
    spread = await stage.spread()
    mean = sum(spread.values()) / len(spread)
    widest = max(abs(users - mean) for users in spread.values()) / mean
    yield Row("spread: farthest from the mean", f"{widest:.1%}", "15 %", good=widest <= 0.15,
              note=", ".join(f"{server} {users}" for server, users in spread.items()))
    counted = await stage.monitored()
    once = sum(count == 1 for count in counted.values())
    yield Row("users on exactly one server", f"{once}", f"{sum(spread.values())}", note="as the servers say",
              good=once == len(counted) == sum(spread.values()))
    answers = after["answers"] - before["answers"]
    share = (after["direct"] - before["direct"]) / answers
    yield Row("routed direct, once learned", f"{share:.1%}", "", lost=await stage.drained(),
              doubled=after["doubled"], failures=after["failures"], delayed=after["delayed"],
              note=f"of {answers} answers in 30 s", good=not (after["doubled"] or after["failures"]))


async def hurt(servers: int, users: int, only: str) -> AsyncIterator[Row]:
    """A pool under load through all scenes, and the checker's verdict on the whole."""
    async with EmbeddedPool(servers, users, load=False) as pool, aiohttp.ClientSession() as session:
        most, others = _split(pool.users_path)
        arguments = ["--wait", f"{scenes.POLL:g}"]
        running = await LoadProcess.start(pool.config_path, most, *arguments)
        stage = Stage(pool, running, others, arguments, session)
        try:
            async for row in alive(stage):
                yield row
            for what, reach, play in SCENES:
                if only in what:
                    _say(f"{what} ...")
                    yield await scenes.scene(stage, what, reach, play)
            report = await running.stop()
        finally:
            await running.kill()
            await stage.close()
    wrong = report["monitored_twice"] + report["unrecorded"] + report["history_gaps"]
    yield Row("the whole run", f"{report['seconds']:.0f} s", "", report["lost"], report["doubled"],
              report["failures"], report["delayed"], good=not (report["lost"] + report["doubled"] + wrong),
              note=f"{report['messages']:,} messages, {report['changes']:,} changes, {report['maybe']} maybe, "
                   f"monitored twice {report['monitored_twice']}, unrecorded {report['unrecorded']}, "
                   f"gaps {report['history_gaps']}, {report['reasons']}")


def _split(users: Path) -> tuple[Path, Path]:
    """The users of the load in two files: four fifths who are there from the beginning, and the rest."""
    lines = users.read_text().splitlines(keepends=True)
    parts = (users.with_name("users-first.txt"), users.with_name("users-later.txt"))
    for path, some in zip(parts, (lines[: len(lines) * 4 // 5], lines[len(lines) * 4 // 5 :]), strict=True):
        path.touch(mode=0o600)
        path.write_text("".join(some))
    return parts


async def _measure(servers: int, users: int, only: str, rows: list[Row]) -> None:
    async for row in hurt(servers, users, only):
        rows.append(row)
        _say("  ".join(part for part in _cells(row) if part))


def _cells(row: Row) -> list[str]:
    counts = [row.lost, row.doubled, row.failures, row.delayed]
    return [row.what, row.figure, row.reach, *(cell(count) for count in counts),
            ("" if row.good else "OUT OF REACH  ") + row.note]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pool", description=__doc__)
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--only", default="", help="scenes with this text in their name")
    parser.add_argument("--no-screen", action="store_true", help="without the dashboard")
    arguments = parser.parse_args()
    rows = [] if arguments.no_screen else at_rest(arguments.servers, 200)
    asyncio.run(_measure(arguments.servers, arguments.users, arguments.only, rows))
    sys.stdout.write("\n".join(aligned([HEAD, *map(_cells, rows)], right=[1, 2, 3, 4, 5, 6])) + "\n")
    return int(not all(row.good for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())

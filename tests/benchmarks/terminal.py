"""What the dashboard costs, in a real pseudo-terminal of 80x24: `python -m tests.benchmarks.terminal [--pool]`.

First over a made-up feed that takes no time itself: 20 nodes under load and idle, and 1,000 nodes; then with a pool of
which every part takes connections and never answers. With --pool also on a running embedded pool, polls included,
beside pg_activity and hatop where they are installed. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.tui.pty_terminal import TOP, Terminal

KEYS = 100
PATIENCE = 10.0  # seconds that a key gets
COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
REMOTE = {**COLOURS, "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
Figures = dict[str, float]


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in family(int(child)))]


def megabytes(pid: int) -> tuple[float, float]:
    """Memory of a process that is in RAM: resident, and its proportional share of what others use as well."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in text.splitlines() if line[0] in "RP"}
    return found["Rss"], found["Pss"]


def memory(pid: int) -> Figures:
    """Megabytes of the process that draws, and of all of its processes together."""
    each = [megabytes(one) for one in family(pid)]
    found = {"resident_mb": round(each[0][0], 1)}
    if len(each) > 1:
        found |= {"resident_mb_of_both": round(sum(resident for resident, _ in each), 1)}
    return found | {"proportional_mb_of_all": round(sum(share for _, share in each), 1)}


def cpu_seconds(pid: int) -> float:
    """Processor time so far, of a process and those that it started."""

    def of(one: int) -> float:
        fields = Path(f"/proc/{one}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return sum(map(of, family(pid)))


@dataclass(frozen=True)
class Keys:
    """Two keys of which each takes back what the other does, and what of the screen says that one has done it."""

    pair: tuple[str, str]
    shown: Callable[[Terminal], object] = lambda terminal: terminal.received


def cursor(terminal: Terminal) -> object:
    """The row that the dashboard's cursor is on."""
    rows = terminal.screen.buffer
    return next((y for y in range(terminal.screen.lines) if rows[y][0].data == "▸"), None)


# Not whatever comes next: that can be a new look at the pool, of which the key after it may undo what was not seen.
MOVES = Keys(("j", "k"), cursor)


def key_latencies(terminal: Terminal, keys: Keys) -> list[float]:
    """Milliseconds from a key until what it does is seen; none when keys bring nothing."""
    taken: list[float] = []
    for number in range(KEYS):
        terminal.read(0.03)
        before, started = keys.shown(terminal), time.perf_counter()
        terminal.send(keys.pair[number % 2])
        while keys.shown(terminal) == before and time.perf_counter() - started < PATIENCE:
            terminal.read_once(1.0)
        if keys.shown(terminal) == before and not taken:
            return []
        taken.append(1000 * (time.perf_counter() - started))
    return sorted(taken)


def running(terminal: Terminal, seconds: float, keys: Keys | None = MOVES) -> Figures:
    """The figures of a program that is up: bytes and processor time a second, keys, memory."""
    cpu, started = cpu_seconds(terminal.pid), time.monotonic()
    received = terminal.read(seconds)
    passed = time.monotonic() - started
    cpu = cpu_seconds(terminal.pid) - cpu
    found = {
        "bytes_per_second": round(received / passed, 1), "cpu_percent": round(100 * cpu / passed, 2),
        **memory(terminal.pid),
    }
    taken = [] if keys is None else key_latencies(terminal, keys)
    if taken:
        found |= {
            "key_ms_median": round(statistics.median(taken), 2), "key_ms_p95": round(taken[int(0.95 * len(taken))], 2),
            "key_ms_max": round(taken[-1], 2),
        }
    return found


def leave(terminal: Terminal) -> float:
    """Milliseconds from `q` to the end."""
    started = time.monotonic()
    terminal.send("q")
    terminal.wait()
    return round(1000 * (time.monotonic() - started), 1)


def measure(
    sample: str, pace: str, seconds: float, *options: str, environment: Mapping[str, str] = COLOURS
) -> Figures:
    """One run of the dashboard over a made-up feed."""
    with Terminal(["-m", "tests.tui.play", sample, pace, *options], environment=environment) as terminal:
        terminal.shows("HEALTHY")
        first, first_bytes = 1000 * (time.monotonic() - terminal.started), terminal.received
        terminal.read(2.5)
        found = running(terminal, seconds, MOVES if pace == "load" else None)
        first_frame = {"first_frame_ms": round(first, 1), "first_frame_bytes": first_bytes}
        return {**first_frame, **found, "quit_ms": leave(terminal)}


def hanging(seconds: float) -> Figures:
    """A pool of which every part takes connections and never answers: how long a key waits at the worst."""
    from tests.benchmarks.terminal_pool import black_hole

    with tempfile.TemporaryDirectory() as folder, black_hole(Path(folder)) as configuration:
        environment = {**COLOURS, "XDG_STATE_HOME": folder}
        with Terminal(["-m", "tuiha", "--config", str(configuration)], environment=environment) as terminal:
            terminal.shows("q quit")
            terminal.read(5.0)
            return running(terminal, seconds)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pool", action="store_true", help="also on an embedded pool, beside other programs")
    arguments = parser.parse_args()
    seconds: float = arguments.seconds
    compileall.compile_dir(TOP / "tuiha", quiet=1)  # as it is where it was installed
    result: dict[str, object] = {
        "schema": 2, "size": "80x24", "load_average": os.getloadavg()[0], "processors": os.cpu_count(),
        "twenty_nodes": {
            "load": measure("twenty", "load", seconds), "idle": measure("twenty", "idle", seconds),
            "idle_no_clock": measure("twenty", "idle", seconds, "no-clock"),
            "load_ansi": measure("twenty", "load", seconds, environment=REMOTE),
        },
        "thousand_nodes": {"load": measure("thousand", "load", seconds)},
        "every_backend_hangs": hanging(seconds),
    }
    if arguments.pool:
        from tests.benchmarks.terminal_pool import beside_others

        result["embedded_pool"] = beside_others(seconds)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

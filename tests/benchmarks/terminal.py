"""What the dashboard costs, in a real pseudo-terminal of 80x24: `python -m tests.benchmarks.terminal [--seconds N]`.

Twenty nodes over a made-up feed that takes no time itself. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from tests.tui.pty_terminal import Terminal

KEYS = 100


def resident_megabytes(pid: int) -> float:
    """Memory of a process that is in RAM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def key_latencies(terminal: Terminal) -> list[float]:
    """Milliseconds from a key to the first bytes of the changed screen."""
    taken = []
    for number in range(KEYS):
        terminal.read(0.03)
        before, started = terminal.received, time.perf_counter()
        terminal.send("j" if number % 2 == 0 else "k")
        while terminal.received == before:
            terminal.read_once(1.0)
        taken.append(1000 * (time.perf_counter() - started))
    return sorted(taken)


def measure(pace: str, seconds: float) -> dict[str, float]:
    """One run of the dashboard."""
    with Terminal(["-m", "tests.tui.play", "twenty", pace]) as terminal:
        terminal.shows("HEALTHY")
        first = 1000 * (time.monotonic() - terminal.started)
        first_bytes = terminal.received
        terminal.read(2.5)
        cpu, started = cpu_seconds(terminal.pid), time.monotonic()
        received = terminal.read(seconds)
        passed = time.monotonic() - started
        cpu = cpu_seconds(terminal.pid) - cpu
        keys = key_latencies(terminal) if pace == "load" else [0.0] * 20
        memory = resident_megabytes(terminal.pid)
        started = time.monotonic()
        terminal.send("q")
        terminal.wait()
        return {
            "first_frame_ms": round(first, 1), "first_frame_bytes": first_bytes,
            "bytes_per_second": round(received / passed, 1), "cpu_percent": round(100 * cpu / passed, 2),
            "key_ms_median": round(statistics.median(keys), 2),
            "key_ms_p95": round(keys[int(0.95 * len(keys))], 2),
            "resident_mb": memory, "quit_ms": round(1000 * (time.monotonic() - started), 1),
        }


def main() -> None:
    """Measure under load and idle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    result = {"schema": 1, "size": "80x24", "nodes": 20,
              "load": measure("load", seconds), "idle": measure("idle", seconds)}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

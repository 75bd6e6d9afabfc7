"""Where a dashboard's memory goes: `python -m tests.benchmarks.memory`. Resident memory after each import.

Each line is a process of its own that imports what is named, and everything above it; then what a process has that
watches, and one that draws. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

WALKS = {
    "the screen": ("asyncio", "textual.app", "tuiha.tui.app", "tuiha.cli.operations.operator",
                   "tuiha.watch.child.feed"),
    "what watches": ("asyncio", "ssl", "pydantic", "tuiha.config.settings", "asyncpg", "tuiha.watch.watcher",
                     "tuiha.drivers.factory", "tuiha.watch.recording.setup"),
}
_CODE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
found = {line.split(":")[0]: int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line[0] in "RP"}
print(found["Rss"], found["Pss"])
"""


def after(*modules: str) -> tuple[float, float]:
    """Megabytes, resident and proportional, of a fresh interpreter that has imported these."""
    done = subprocess.run([sys.executable, "-c", _CODE, *modules], capture_output=True, text=True, check=True)
    resident, share = done.stdout.split()
    return round(int(resident) / 1024, 1), round(int(share) / 1024, 1)


def main() -> None:
    """Measure, and print."""
    found: dict[str, object] = {"schema": 1, "load_average": os.getloadavg()[0], "interpreter": after()}
    for walk, modules in WALKS.items():
        found[walk] = {name: after(*modules[: place + 1]) for place, name in enumerate(modules)}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

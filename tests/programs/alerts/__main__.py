"""Breaks an embedded pool under a real Prometheus and a real Alertmanager: which alerts reach a person, and when.

python -m tests.programs.alerts [FAULT...]; exit codes: 0 each fault raised its alert in time and no other, 1 not,
2 Prometheus or Alertmanager is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.programs.alerts.faults import FAULTS, Fault
from tests.programs.alerts.watching import Watching, missing, watching
from tests.until import until
from tuiha.lab.embedded import EmbeddedPool

LIMIT = 30.0  # seconds for the alert to reach the person
AFTER = 15.0  # seconds more in which no other alert may come


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault raised."""

    fault: Fault
    came: dict[tuple[str, str], float]  # the alert, and after how many seconds it came first

    @property
    def seconds(self) -> float | None:
        """Until the last of the alerts that it had to raise; None when one did not come, or none had to."""
        found = [self.came.get(one) for one in self.fault.alerts]
        return None if not found or None in found else max(one for one in found if one is not None)

    @property
    def others(self) -> list[str]:
        """Alerts that it should not have raised."""
        return [f"{name} {subject}".strip() for name, subject in self.came if (name, subject) not in self.fault.alerts]

    @property
    def good(self) -> bool:
        """Whether all came in time, and no other."""
        late = bool(self.fault.alerts) and (self.seconds is None or self.seconds > LIMIT)
        return not late and not self.others


async def outcome(fault: Fault, pool: EmbeddedPool, watched: Watching) -> Outcome:
    """Make a fault, wait for what comes, and undo it."""
    await until(watched.firing, "no alert is left of before", met=lambda found: not found, seconds=180.0, pause=0.5)
    await watched.start_alertmanager()
    watched.told.clear()
    began = time.monotonic()
    await fault.make(pool, watched)
    try:
        await asyncio.sleep(began + LIMIT + AFTER - time.monotonic())
    finally:
        await fault.undo(pool, watched)
    came: dict[tuple[str, str], float] = {}
    for at, name, subject in watched.told:
        came.setdefault((name, subject), at - began)
    return Outcome(fault, came)


def row(one: Outcome) -> str:
    """A line of the table."""
    wanted = ", ".join(f"{name} {subject}".strip() for name, subject in sorted(one.fault.alerts)) or "none"
    took = "" if one.seconds is None else f"{one.seconds:.1f} s"
    cells = (one.fault.name, wanted, took, ", ".join(one.others) or "none", "ok" if one.good else "NO")
    return f"| {' | '.join(cells)} |"


async def run(names: list[str]) -> int:
    """All faults, or those that are named."""
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    sys.stdout.write("| fault | alert | reached the person after | others | |\n|---|---|---|---|---|\n")
    good = True
    with tempfile.TemporaryDirectory(prefix="tuiha-alerts-") as folder:
        async with EmbeddedPool(servers=2, users=20, load=False) as pool, \
                watching(Path(folder), pool.config_path) as watched:
            for fault in chosen:
                found = await outcome(fault, pool, watched)
                good = good and found.good
                sys.stdout.write(row(found) + "\n")
                sys.stdout.flush()
    return 0 if good else 1


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.alerts", description=__doc__)
    parser.add_argument("faults", metavar="FAULT", nargs="*", help=f"of: {'; '.join(f.name for f in FAULTS)}")
    arguments = parser.parse_args()
    why = missing()
    if why is not None:
        sys.stderr.write(f"This cannot be run here: {why}.\n")
        return 2
    return asyncio.run(run(arguments.faults))


if __name__ == "__main__":
    sys.exit(main())

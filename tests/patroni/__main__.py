"""Drills of a pool under Patroni, etcd and all, as `tuiha drill` has them for the embedded pool: load, fault, verdict.

python -m tests.patroni [--list] [SCENARIO...]; exit codes: 0 everything held, 1 something did not, 2 usage or missing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.drivers.patronipair import missing
from tests.patroni.parts import staged
from tests.patroni.scenarios import SCENARIOS
from tuiha.cli.commands.run.drill import listing, report
from tuiha.cli.output.streams import put, say
from tuiha.lab.drill.run import drill


def main() -> int:
    """Run the drills that are named, or all."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    parser = argparse.ArgumentParser(prog="python -m tests.patroni", description=__doc__)
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", choices=[[], *known], help="names; none: all")
    parser.add_argument("--list", action="store_true", help="list the scenarios and what each does")
    arguments = parser.parse_args()
    if arguments.list:
        put("\n".join(listing(SCENARIOS)))
        return 0
    why = missing()
    if why is not None:
        say(f"This cannot be run here: {why}.")
        return 2
    verdicts = []
    for name in arguments.scenarios or known:
        verdicts.append(asyncio.run(drill(known[name], say, staged)))
        say("  everything held" if verdicts[-1].ok else f"  FAILED: {'; '.join(verdicts[-1].broken)}")
    put("\n".join(report(verdicts)))
    return 0 if all(verdict.ok for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())

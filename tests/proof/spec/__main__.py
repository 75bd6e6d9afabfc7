"""The specification, checked: `python -m tests.proof.spec [--all] [--traces N] [--only TEXT]`.

Prints each model with its states, each rule that is left out with what that breaks, and how many recorded runs of the
simulation are behaviours of the specification. Exit code 1 when something is not as it must be.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.proof.spec.ablations import ABLATIONS, LIVE_ABLATIONS
from tests.proof.spec.checking import LIVE, MODELS, MORE, check, lacking
from tests.proof.spec.traces import MUTANTS, judged, record


def main() -> int:
    """Run everything, and print a line for each."""
    parser = argparse.ArgumentParser(description="The protocol's specification, checked by TLC.")
    parser.add_argument("--traces", type=int, default=20, help="runs of the simulation that are compared (20)")
    parser.add_argument("--all", action="store_true", help="larger models too: minutes to hours")
    parser.add_argument("--only", default="", help="models and ablations whose name has this text")
    arguments = parser.parse_args()
    if why := lacking():
        sys.stdout.write(f"{why}\n")
        return 2
    fine = True
    for name, model in {**MODELS, "liveness": LIVE, **(MORE if arguments.all else {})}.items():
        if arguments.only in name:
            began = time.monotonic()
            result = check(model)
            _say(f"{name}: {result.broken or 'holds'}, {result.distinct:,} states, {time.monotonic() - began:.0f} s")
            fine = fine and result.broken is None and result.whole
    for name, one in {**ABLATIONS, **LIVE_ABLATIONS}.items():
        if arguments.only in name:
            began = time.monotonic()
            result = check(one.model)
            _say(f"without {name}: {result.broken or 'NOTHING BROKEN'}, {result.distinct:,} states, "
                 f"{result.steps} steps, {time.monotonic() - began:.0f} s")
            fine = fine and result.broken in one.breaks
    if arguments.traces and arguments.only in "traces":
        for mutant in (None, *MUTANTS):
            began = time.monotonic()
            traces = [record(seed, mutant) for seed in range(arguments.traces)]
            told = judged(traces)
            _say(f"{mutant or 'the code as it is'}: {told.accepted} of {len(traces)} runs accepted, "
                 f"{sum(map(len, traces)):,} events, {time.monotonic() - began:.0f} s; rejected at {told.rejected}")
            fine = fine and (told.accepted == len(traces)) is (mutant is None)
    return int(not fine)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())

"""The simulation of the real coordinator, from the command line.

python -m tests.proof.operations --all                       every await of every scenario, SEEDS seeds each
python -m tests.proof.operations --most 50                   50 awaits of each
python -m tests.proof.operations --journals --most 40        killed, and the journal harmed in every way
python -m tests.proof.operations --without "the catch-up"    a guard left out: some run must break a rule
python -m tests.proof.operations --scenario NAME --seed 7 --at 120    one run again, told step by step
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.proof.operations import journals
from tests.proof.operations.campaign import Tally, search, sweep
from tests.proof.operations.controls import LEFT_OUT
from tests.proof.operations.scenarios import SCENARIOS
from tests.proof.operations.stage import simulate

_EVERY = 100_000  # more awaits than any run has
_COLUMNS = ("answers", "promotions", "resume", "undo", "anew", "exams")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _line(name: str, *values: object) -> None:
    _print(f"{name:27}" + "".join(f"{value:>11}" for value in values))


def _campaign(names: list[str], seeds: range, most: int, jobs: int) -> int:
    began, total = time.monotonic(), Tally("all")
    _line("scenario", "seeds", "awaits", "runs", "deaths", *_COLUMNS, "broken")
    with ProcessPoolExecutor(jobs, initializer=logging.disable, initargs=(logging.WARNING,)) as processes:
        running = {name: [processes.submit(sweep, name, seed, most) for seed in seeds] for name in names}
        for name, results in running.items():
            tally = Tally(name)
            for result in results:
                tally.merge(result.result())
            _row(tally)
            total.merge(tally)
    _row(total)
    for text in total.broken:
        _print(text)
    _print(f"{time.monotonic() - began:.0f} s")
    return int(bool(total.broken))


def _row(tally: Tally) -> None:
    _line(tally.scenario, tally.seeds, tally.places, tally.runs, tally.deaths,
          *(tally.happened[column] for column in _COLUMNS), len(tally.broken))


def _control(name: str, most: int) -> int:
    began = time.monotonic()
    for runs, (seed, at, verdict) in enumerate(search(LEFT_OUT[name], most), 1):
        if verdict.broken:
            _print(f"without {name}: {verdict.broken[0]} (run {runs}, seed {seed}, killed at {at}; "
                   f"{time.monotonic() - began:.1f} s)")
            return 0
    _print(f"without {name}: {most} runs, and no rule was broken")
    return 1


def _journals(seeds: range, most: int) -> int:
    broken = []
    for name in journals.SWEPT:
        for seed in seeds:
            tally = journals.sweep(name, seed, most, every=True)
            _line(name, seed, tally.runs, *(tally.happened[what] for what in ("harmed", "resume", "undo", "reclaimed")),
                  len(tally.broken))
            broken += tally.broken
    for text in broken:
        _print(text)
    return int(bool(broken))


def _again(scenario: str, seed: int, at: list[int]) -> int:
    verdict = simulate(SCENARIOS[scenario], seed, *at)
    for text in (*verdict.story, f"awaits {verdict.awaits}, deaths {verdict.kills}", *verdict.broken):
        _print(text)
    return int(bool(verdict.broken))


def main() -> int:
    """Run what is asked for; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.operations", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the coordinator is killed at every await")
    parser.add_argument("--most", type=int, default=20, help="else at so many awaits of each run, evenly spread")
    parser.add_argument("--seeds", type=int, default=2, help="of each scenario")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--scenario", choices=list(SCENARIOS), help="only this one")
    parser.add_argument("--journals", action="store_true", help="journals are cut, damaged and lost as well")
    parser.add_argument("--without", choices=[*LEFT_OUT, "each"], help="a guard that is left out, or each in turn")
    parser.add_argument("--seed", type=int, help="one run again")
    parser.add_argument("--at", type=int, nargs="*", default=[], help="the awaits at which it is killed")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    if asked.seed is not None:
        return _again(asked.scenario or "switchover", asked.seed, asked.at)
    if asked.without:
        names = list(LEFT_OUT) if asked.without == "each" else [asked.without]
        return max(_control(name, 1000) for name in names)
    if asked.journals:
        return _journals(range(asked.start, asked.start + asked.seeds), asked.most)
    names = [asked.scenario] if asked.scenario else list(SCENARIOS)
    seeds = range(asked.start, asked.start + asked.seeds)
    return _campaign(names, seeds, _EVERY if asked.all else asked.most, asked.jobs)


if __name__ == "__main__":
    raise SystemExit(main())

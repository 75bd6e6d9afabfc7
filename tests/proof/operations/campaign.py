"""Many runs: each scenario, with several seeds, its coordinator killed at each of its awaits in turn."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.proof.operations.controls import LeftOut
from tests.proof.operations.jury import Verdict
from tests.proof.operations.scenarios import SCENARIOS
from tests.proof.operations.stage import simulate

_AGAIN = 0.3  # of the runs, so many kill the coordinator once more
_SOON = 150  # awaits after the first death


@dataclass
class Tally:
    """What the runs of one scenario showed."""

    scenario: str
    seeds: int = 0
    places: int = 0  # awaits at which the coordinator was killed first
    runs: int = 0
    deaths: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)  # with the words that repeat the run

    def add(self, seed: int, at: tuple[int, ...], verdict: Verdict) -> None:
        """One more run."""
        self.runs += 1
        self.deaths += verdict.kills
        self.happened += verdict.happened
        if verdict.broken:
            again = f'--scenario "{self.scenario}" --seed {seed} --at {" ".join(map(str, at)) or 0}'
            self.broken.append(f"{again}: {'; '.join(verdict.broken[:3])}")

    def merge(self, other: Tally) -> None:
        """Both together."""
        self.seeds += other.seeds
        self.places += other.places
        self.runs += other.runs
        self.deaths += other.deaths
        self.happened += other.happened
        self.broken += other.broken


def deaths(seed: int, place: int) -> tuple[int, ...]:
    """Where the coordinator is killed when it is killed first at this await: there, and perhaps once more."""
    chance = random.Random(f"{seed} {place}")
    return (place, place + chance.randint(1, _SOON)) if chance.random() < _AGAIN else (place,)


def sweep(scenario: str, seed: int, most: int) -> Tally:
    """One run that nobody kills, then one for each of its awaits; of more than `most`, as many, evenly spread."""
    tally = Tally(scenario, seeds=1)
    first = simulate(SCENARIOS[scenario], seed)
    tally.add(seed, (), first)
    for place in places(first.awaits, most):
        at = deaths(seed, place)
        tally.add(seed, at, simulate(SCENARIOS[scenario], seed, *at))
        tally.places += 1
    return tally


def places(awaits: int, most: int) -> list[int]:
    """The awaits from 1 on, or `most` of them, evenly spread."""
    if awaits <= most:
        return list(range(1, awaits + 1))
    return sorted({1 + round(number * (awaits - 1) / max(1, most - 1)) for number in range(most)})


def search(left_out: LeftOut, most: int) -> Iterator[tuple[int, int, Verdict]]:
    """Runs with a guard left out: seed, the await at which the coordinator is killed (0: nowhere), what it showed."""
    runs, scenario = 0, SCENARIOS[left_out.scenario]
    for seed in itertools.count(left_out.first):
        unharmed = simulate(scenario, seed, control=left_out.control)
        yield seed, 0, unharmed
        deaths = left_out.deaths(unharmed, seed)
        for at in deaths:
            yield seed, at, simulate(scenario, seed, at, control=left_out.control)
        runs += 1 + len(deaths)
        if runs >= most:
            return

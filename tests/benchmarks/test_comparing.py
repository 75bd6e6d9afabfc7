"""What the comparison makes of what writers saw."""

from __future__ import annotations

import pytest

from tests.benchmarks.failover import KILLED, SWITCHED, out_of_ratio, seen
from tests.benchmarks.peer import Compared, Gaps
from tests.benchmarks.writers import Crew, Failed, Tally


def test_the_longest_gap_counts_from_the_moment_given() -> None:
    tally = Tally(acknowledged=[1.0, 2.0, 9.0, 10.0, 10.5], failed=[8.0, 9.9])
    assert tally.longest(8.5) == 1.0
    assert tally.longest(3.0) == 6.0
    assert tally.longest(11.0) == 0.0
    assert tally.failures(9.0) == 1


def test_ratios_are_of_medians_to_the_same_kind_of_operation() -> None:
    compared = Compared({
        SWITCHED: Gaps([0.1, 0.2, 0.4], [0, 0, 1]), KILLED: Gaps([1.0], [7]),
        "Patroni: switchover": Gaps([2.0, 3.0, 8.0], [1, 2, 3]), "Patroni: kill -9 of the primary": Gaps([9.0], [4])})
    lines = {line[0]: line[1:] for line in seen(compared)}
    assert lines["Patroni: switchover"] == ["3", "3,000 ms", "2,000 ms", "8,000 ms", "6", "15.0"]
    assert lines["Patroni: kill -9 of the primary"][-1] == "9.0"
    assert lines[SWITCHED][-1] == ""
    assert not out_of_ratio(compared)
    compared.seen[SWITCHED].gaps = [0.301]
    assert out_of_ratio(compared)


async def test_a_crew_counts_what_is_acknowledged_and_what_fails() -> None:
    class Every:
        count = 0

        async def write(self) -> None:
            self.count += 1
            if self.count % 3 == 0:
                raise Failed("every third")

        async def close(self) -> None:
            self.count = -1

    writer = Every()
    async with Crew([writer]) as crew:
        await crew.steady(10)
    assert crew.tally.reasons["every third"] == len(crew.tally.failed) > 0
    assert writer.count == -1


async def test_a_writer_that_dies_is_told_and_not_taken_for_silence() -> None:
    class Broken:
        async def write(self) -> None:
            raise ValueError("a fault of the writer")

        async def close(self) -> None:
            return

    async with Crew([Broken()]) as crew:
        with pytest.raises(ValueError, match="a fault of the writer"):
            await crew.steady()

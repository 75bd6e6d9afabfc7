"""A day of polls, one a minute: `python -m tests.benchmarks.day` has one a second."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.day import check, day


async def test_a_day_of_polls_leaves_no_more_behind_than_an_hour(tmp_path: Path) -> None:
    check(await day(24 * 60, tmp_path / "day.sqlite"))

"""A day of polls, one a minute: `python -m tests.benchmarks.day` has one a second."""

from __future__ import annotations

import asyncio
import sys


async def test_a_day_of_polls_leaves_no_more_behind_than_an_hour() -> None:
    # In a process of its own: here, the tests before would count as what the day has kept.
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.benchmarks.day", "--polls", "1440",
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    told, failed = await process.communicate()
    assert process.returncode == 0, failed.decode()
    assert b'"polls": 1440' in told

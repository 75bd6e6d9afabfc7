"""The rules for how long a lease may hold, and the clock that they are counted by."""

from __future__ import annotations

import time

import pytest

from tuiha.pooldb.leases import boottime, lease_end, oldest_renewal


def test_a_lease_ends_by_a_clock_that_may_be_slower() -> None:
    assert lease_end(100.0, 5.0, 0.2) == pytest.approx(105.25)


def test_a_renewal_is_judged_by_one_clock() -> None:
    assert oldest_renewal(5.0, 0.2) == pytest.approx(5.2)


def test_the_clock_of_leases_counts_a_suspended_host() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= boottime() <= time.clock_gettime(time.CLOCK_BOOTTIME)

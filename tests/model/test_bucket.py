from __future__ import annotations

from random import Random

import pytest

from tuiha.model.bucket import Bucket


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket = Bucket(rate=10.0, burst=3)
    assert [bucket.reserve(100.0) for _ in range(5)] == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])


def test_a_quiet_time_fills_the_bucket_to_its_burst_and_not_further() -> None:
    bucket = Bucket(rate=10.0, burst=2)
    for _ in range(4):
        bucket.reserve(0.0)
    assert [bucket.reserve(1000.0) for _ in range(3)] == pytest.approx([0.0, 0.0, 0.1])


def test_never_more_than_burst_and_rate_allow_in_any_window() -> None:
    random, bucket, now = Random(7), Bucket(rate=20.0, burst=5), 0.0
    times = []
    for _ in range(2000):
        now += random.expovariate(40.0)
        times.append(now + bucket.reserve(now))
    assert times == sorted(times)  # who comes first goes first
    for first in range(0, len(times), 7):
        for last in range(first, min(first + 200, len(times))):
            assert last - first + 1 <= 5 + 20.0 * (times[last] - times[first]) + 1e-6


def test_a_token_that_was_not_used_is_there_for_the_next() -> None:
    bucket = Bucket(rate=1.0, burst=1)
    assert bucket.reserve(0.0) == 0.0
    assert bucket.reserve(0.0) == 1.0
    bucket.give_back()
    assert bucket.reserve(0.0) == 1.0


def test_a_clock_that_steps_back_gives_no_tokens() -> None:
    bucket = Bucket(rate=1.0, burst=1)
    bucket.reserve(100.0)
    assert bucket.reserve(50.0) == 1.0
    assert bucket.reserve(100.0) == 2.0


def test_a_token_is_taken_only_if_it_is_there() -> None:
    bucket = Bucket(rate=0.5, burst=1)
    assert [bucket.wait(0.0), bucket.wait(0.0), bucket.wait(1.0)] == [0.0, 2.0, 1.0]
    assert bucket.wait(2.0) == 0.0, "those that were not there took nothing"


def test_the_rate_may_change() -> None:
    bucket = Bucket(rate=20.0, burst=20.0, left=1.0)
    assert [bucket.left(0.0), bucket.left(0.5)] == [1.0, 11.0]
    bucket.rate = bucket.burst = 5.0
    assert bucket.left(0.6) == 5.0
    bucket.take(8)
    assert bucket.left(1.6) == 2.0

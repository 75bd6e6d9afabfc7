"""The pace of moves."""

from __future__ import annotations

import pytest

from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.users.throttle import MovePace, Throttle, pace_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_usual_pace() -> None:
    assert pace_of({}) == MovePace(20.0, 5)
    assert MovePace(20.0, 5).seconds(1200) == 60
    assert pace_of({"rate": "0"}).rate == 0
    assert pace_of({"rate": "0"}).in_flight > 5
    assert pace_of({"rate": "0", "in-flight": "7"}) == MovePace(0, 7)


@pytest.mark.parametrize("options", [{"rate": "fast"}, {"rate": "-1"}, {"in-flight": "0"}, {"rate": "nan"}])
def test_a_pace_that_makes_no_sense(options: dict[str, str]) -> None:
    with pytest.raises(OperationRefused, match="write a number"):
        pace_of(options)


def test_no_more_than_the_rate_however_often_it_is_asked() -> None:
    clock = Clock()
    throttle = Throttle(MovePace(20.0, 5), clock)
    started = 0
    for _ in range(1000):  # ten seconds in steps of 10 ms
        clock.now += 0.01
        if allowed := throttle.allowance():
            throttle.start(allowed)
            started += allowed
    assert 198 <= started <= 202
    clock.now += 3600
    assert throttle.allowance() <= 20  # a pause is not made up for


def test_halving_and_coming_back() -> None:
    throttle = Throttle(MovePace(20.0, 8), Clock())
    throttle.judge(2, 0.01)
    assert (throttle.rate, throttle.in_flight, throttle.halved) == (10.0, 4, True)
    throttle.judge(50, 3.0)  # the database is slow
    assert (throttle.rate, throttle.in_flight) == (5.0, 2)
    for _ in range(40):
        throttle.judge(-30, None)
    assert (throttle.rate, throttle.in_flight) == (1.0, 1)  # slow, but never still
    for _ in range(60):
        throttle.judge(80, 0.01)
    assert (throttle.rate, throttle.in_flight, throttle.halved) == (20.0, 8, False)


def test_without_a_rate_there_is_no_throttle() -> None:
    throttle = Throttle(MovePace(0.0, 200), Clock())
    throttle.judge(-50, 9.0)
    assert (throttle.allowance(), throttle.rate, throttle.in_flight, throttle.halved) == (200, 0.0, 200, False)

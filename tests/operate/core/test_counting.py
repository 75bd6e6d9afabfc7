"""What an operation cost devices, from counters before and after."""

from __future__ import annotations

import pytest

from tuiha.model.operations.plans import Uncounted
from tuiha.operate.run.cost import Cost, cost

BEGAN = 1000.0


def at(delayed: float, failed: float, started: float = 10.0) -> dict[str, float]:
    return {"delayed": delayed, "failed": failed, "started_at": started}


def test_the_difference_counts() -> None:
    before, after = {"s1": at(5, 2), "s2": at(0, 0)}, {"s1": at(9, 2), "s2": at(3, 1)}
    assert cost(before, after, BEGAN) == Cost(delayed=7, failed=1)
    assert cost(before, after, BEGAN).figures() == {"requests_delayed": 7, "requests_failed": 1}


def test_a_server_that_joined_meanwhile_counts_from_its_start() -> None:
    assert cost({"s1": at(5, 2)}, {"s1": at(5, 2), "s2": at(4, 3, started=1001.0)}, BEGAN) == Cost(4, 3)


@pytest.mark.parametrize(("before", "after", "why"), [
    ({"s1": at(1, 1), "s2": at(1, 1)}, {"s1": at(1, 1)}, Uncounted.SILENT_AFTER),
    ({"s1": at(1, 1)}, {"s1": at(1, 1), "s2": at(9, 9)}, Uncounted.SILENT_BEFORE),
    ({"s1": at(1, 1), "s2": at(7, 7)}, {"s1": at(1, 1), "s2": at(0, 0, started=1001.0)}, Uncounted.RESTARTED),
])
def test_what_cannot_be_known_is_not_guessed_and_has_a_reason(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]], why: Uncounted
) -> None:
    found = cost(before, after, BEGAN)
    assert (found.delayed, found.failed, found.unknown) == (None, None, {"s2": why})
    assert found.figures()["requests_unknown_on"] == ["s2"]
    assert found.figures()["requests_unknown_why"] == {"s2": str(why)}


def test_without_counters_at_the_beginning_nothing_is_known() -> None:
    assert cost({}, {"s1": at(1, 1, started=1001.0)}, BEGAN) == Cost(None, None)

"""The real coordinator on a pretended pool, killed at its awaits: no rule is broken, and without a guard one is."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.proof.operations import journals
from tests.proof.operations.campaign import Tally, places, search, sweep
from tests.proof.operations.controls import LEFT_OUT
from tests.proof.operations.journals import HARMS, Harmed, journal_believed
from tests.proof.operations.scenarios import SCENARIOS
from tests.proof.operations.stage import simulate

MOST = 4  # awaits of each scenario; `python -m tests.proof.operations --all` takes every one
HARMED = 12  # awaits of a scenario after which its journal is harmed; `--journals` takes more
CONTROL_RUNS = 60  # at most; the first run that breaks a rule ends a control


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Lost leases are what this is about; nobody reads their log."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def tallies() -> dict[str, Tally]:
    return {name: sweep(name, 0, MOST) for name in SCENARIOS}


@pytest.fixture(scope="module")
def harmed() -> list[Harmed]:
    return [journals.sweep(name, 0, HARMED) for name in ("switchover", "failover")]


def test_no_rule_is_broken_wherever_the_coordinator_dies(tallies: dict[str, Tally]) -> None:
    assert {name: tally.broken for name, tally in tallies.items() if tally.broken} == {}


def test_the_runs_show_what_they_are_for(tallies: dict[str, Tally]) -> None:
    assert all(tally.deaths >= MOST for tally in tallies.values())
    every = Tally("all")
    for tally in tallies.values():
        every.merge(tally)
    assert min(every.happened[what] for what in ("resume", "undo", "anew", "exams")) > 0
    assert every.happened["promotions"] > every.runs / 3
    assert every.happened["answers"] > 20 * every.runs


@pytest.mark.parametrize("name", LEFT_OUT)
def test_without_this_guard_some_run_breaks_a_rule(name: str) -> None:
    # A control that does not run shows nothing.
    assert any(verdict.sorts - {"unexpected"} for _, _, verdict in search(LEFT_OUT[name], CONTROL_RUNS))


def test_no_rule_is_broken_whatever_is_left_of_the_journal(harmed: list[Harmed]) -> None:
    assert [text for tally in harmed for text in tally.broken] == []


def test_journals_were_harmed_and_operations_went_on(harmed: list[Harmed]) -> None:
    happened = sum((tally.happened for tally in harmed), Counter[str]())
    assert happened["harmed"] >= 8
    assert min(happened[what] for what in ("resume", "undo", "reclaimed")) > 0


def test_with_the_old_rule_that_the_journal_is_believed_a_pool_is_split() -> None:
    """Killed after the promotion, its journal cut in the middle of that record; somebody takes it back."""
    verdict = simulate(SCENARIOS["switchover"], 0, 160, harm=HARMS["torn 1"], control=journal_believed)
    assert "two databases" in verdict.sorts
    verdict = simulate(SCENARIOS["switchover"], 0, 160, harm=HARMS["torn 1"])
    assert (verdict.broken, verdict.happened["harmed"]) == ([], 1)


def test_the_same_run_again() -> None:
    first, again = (simulate(SCENARIOS["failover, a server deaf"], 0, 60) for _ in range(2))
    assert first == again
    assert first.kills == 1


def test_a_primary_that_dies_under_protect_does_not_keep_the_pool() -> None:
    """Protect cannot end without its primary: it is left as it stands, and the failover has the pool."""
    verdict = simulate(SCENARIOS["protect, then failover"], 1, 58)
    assert verdict.broken == []


def test_the_awaits_are_spread_evenly() -> None:
    assert places(3, 10) == [1, 2, 3]
    assert places(100, 4) == [1, 34, 67, 100]

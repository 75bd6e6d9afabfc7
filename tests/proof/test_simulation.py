"""The pool server's code in hundreds of seeded failovers; with a guard left out some of them must be unsafe."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.proof.parties import Outcome
from tests.proof.simulation import CONTROLS, simulate

RUNS = 250
CONTROL_RUNS = 600  # at most; the first unsafe run ends a control


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of lost leases are what this is about; nobody reads their log."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [simulate(seed) for seed in range(RUNS)]


def test_no_run_is_unsafe(outcomes: list[Outcome]) -> None:
    unsafe = {seed: outcome for seed, outcome in enumerate(outcomes) if not outcome.safe}
    assert unsafe == {}


def test_every_server_ends_on_the_active_database(outcomes: list[Outcome]) -> None:
    for seed, outcome in enumerate(outcomes):
        stranded = {name: why for name, why in outcome.stranded.items() if name not in outcome.fallen}
        assert stranded == {}, f"seed {seed}"


def test_no_fault_of_a_database_ends_a_server(outcomes: list[Outcome]) -> None:
    assert {seed: outcome.fallen for seed, outcome in enumerate(outcomes) if outcome.fallen} == {}


def test_the_runs_show_what_they_are_for(outcomes: list[Outcome]) -> None:
    happened = sum((outcome.happened for outcome in outcomes), Counter[str]())
    assert happened["failover"] > RUNS / 2
    assert happened["refused"] > 0, "a degrade was never first"
    assert happened["OutcomeUnknown"] > RUNS / 10, "the second look never threw an answer away"
    assert min(happened["released from db1"], happened["released from db2"]) > 10 * RUNS


@pytest.mark.parametrize("control", CONTROLS)
def test_without_this_guard_some_run_is_unsafe(control: str) -> None:
    assert any(not simulate(seed, control).safe for seed in range(CONTROL_RUNS))


def test_a_seed_gives_the_same_run_again() -> None:
    for seed in range(5):
        assert repr(simulate(seed)) == repr(simulate(seed))

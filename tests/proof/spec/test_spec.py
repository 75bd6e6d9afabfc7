"""The specification holds, each of its rules is needed, and the code's runs are behaviours of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.proof.spec.ablations import ABLATIONS, LIVE_ABLATIONS
from tests.proof.spec.checking import INVARIANTS, LIVE, MODELS, RULES, check, lacking
from tests.proof.spec.recording import Event
from tests.proof.spec.traces import MUTANTS, judged, record

why = lacking()
needs_tlc = pytest.mark.skipif(why is not None, reason=why or "")
RUNS = 10


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@needs_tlc
@pytest.mark.parametrize("name", MODELS)
def test_the_specification_is_safe_in_every_state_it_can_reach(name: str) -> None:
    result = check(MODELS[name])
    assert result.broken is None, result.output
    assert result.whole
    assert result.distinct > 10_000, "so few states: an action is never possible"


@needs_tlc
def test_with_nobody_at_the_keys_the_pool_serves_again_after_one_fault() -> None:
    result = check(LIVE)
    assert result.broken is None, result.output
    assert result.whole


@needs_tlc
@pytest.mark.parametrize("name", [*ABLATIONS, *LIVE_ABLATIONS])
def test_without_this_rule_the_specification_does_not_hold(name: str) -> None:
    one = {**ABLATIONS, **LIVE_ABLATIONS}[name]
    assert check(one.model).broken in one.breaks


def test_every_rule_is_left_out_once() -> None:
    assert {rule for one in ABLATIONS.values() for rule in one.model.left_out} == set(RULES)
    broken = {name for one in ABLATIONS.values() for name in one.breaks}
    assert broken <= set(INVARIANTS)


@pytest.fixture(scope="module")
def runs() -> list[list[Event]]:
    return [record(seed) for seed in range(RUNS)]


def test_runs_show_what_they_are_compared_for(runs: list[list[Event]]) -> None:
    seen = {event.what for run in runs for event in run}
    assert {"sent", "confirmed", "answered", "begins", "executed", "released", "gone", "cut", "promoted", "recorded",
            "moves", "degrade", "alone", "breaks"} <= seen


@needs_tlc
def test_what_the_code_does_is_a_behaviour_of_the_specification(runs: list[list[Event]]) -> None:
    told = judged(runs)
    assert (told.accepted, told.rejected) == (RUNS, {})


@needs_tlc
@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_the_code_does_with_a_fault_in_it_is_none(mutant: str) -> None:
    assert judged([record(seed, mutant) for seed in range(RUNS)]).rejected

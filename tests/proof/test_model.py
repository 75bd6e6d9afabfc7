"""The protocol is safe in all states it can reach, and every rule of it is needed."""

from __future__ import annotations

import pytest

from tests.proof.model import (
    ABLATIONS,
    BRIEF,
    IN_CI,
    NEVER_SPLIT,
    WITH_HOLES,
    WRITER_AND_READER,
    Property,
    dive,
    search,
)
from tests.proof.rules import Protocol
from tests.proof.state import Degrade, Failover, Ledger, Protect, State, union


@pytest.mark.parametrize("name", IN_CI)
def test_the_protocol_is_safe_in_every_state_it_can_reach(name: str) -> None:
    result = search(IN_CI[name])
    assert result.broken is None, "\n".join(result.trace)
    assert result.whole
    assert result.states > 100_000, "so few states: a rule has lost its steps"


def test_never_split_where_commits_stop_waiting_for_the_secondary() -> None:
    result = search(WITH_HOLES, NEVER_SPLIT, most=150_000)  # all of them: python -m tests.proof.model
    assert result.broken is None, result.trace


def a_guard_never_protects(state: State) -> bool:
    return state.ledger is not Ledger.WHOLE


def db1_is_never_protected_again(state: State) -> bool:
    """db1 was alone, has a row that was acknowledged meanwhile, and db2 has it: the ledger says SYNC again."""
    return not (state.protect is Protect.SET and state.acknowledged and state.received)


@pytest.mark.parametrize("untrue", [a_guard_never_protects, db1_is_never_protected_again])
def test_with_a_guard_the_model_gets_where_it_is_interesting(untrue: Property) -> None:
    assert dive(BRIEF, untrue).broken == untrue.__name__


@pytest.mark.parametrize("name", ABLATIONS)
def test_without_this_rule_the_protocol_is_not_safe(name: str) -> None:
    ablation = ABLATIONS[name]
    result = dive(ablation.protocol, ablation.breaks)  # the shortest way: python -m tests.proof.model
    assert result.broken == ablation.breaks.__name__
    assert "coordinator: promotes db2, which has replayed all it received" in result.trace


def test_a_counterexample_can_be_walked_step_by_step() -> None:
    ablation = ABLATIONS["no lease wait"]
    assert search(ablation.protocol, (ablation.breaks,)).trace == (
        "coordinator: writes its intent to failover into the ledger",
        "coordinator: makes db2 stop receiving: t0",
        "coordinator: promotes db2, which has replayed all it received",
        "s2 has a lease and sends a read",
        "s2's statement is executed by the database",
        "s2's database shows that it lived when it answered",
        "s2 looks again, has its lease, and answers the device",
    )


def db1_never_answers(state: State) -> bool:
    return not state.acknowledged


def db2_never_answers(state: State) -> bool:
    return not (state.ledger is Ledger.CHANGED and state.acknowledged & ~state.visible)


def nobody_stays_behind(state: State) -> bool:
    """A promotion always waits until every server has given its lease up."""
    return state.failover is not Failover.PROMOTED or all(server.gave_up for server in state.servers)


def nothing_is_ever_behind(state: State) -> bool:
    """No row on db1 misses on the promoted db2."""
    return state.failover is not Failover.PROMOTED or not union(state.log) & ~state.secondary


def db1_never_goes_on_alone(state: State) -> bool:
    return not (state.degrade is Degrade.DONE and state.acknowledged and not state.received)


@pytest.mark.parametrize(
    "untrue",
    [db1_never_answers, db2_never_answers, nobody_stays_behind, nothing_is_ever_behind, db1_never_goes_on_alone],
)
def test_the_model_gets_where_it_is_interesting(untrue: Property) -> None:
    result = dive(Protocol(WRITER_AND_READER), untrue)
    assert result.broken == untrue.__name__


def test_a_search_says_when_it_stopped_early() -> None:
    result = search(Protocol(WRITER_AND_READER), most=1000)
    assert (result.whole, result.broken) == (False, None)

"""What can be done about an operation, for every state that it can be in."""

from __future__ import annotations

from itertools import product

import pytest

from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.plans import OperationStatus
from tuiha.model.operations.ways import KEYS, Against, OperationStanding, against, open_ways, possible

S = OperationStatus
HALF_WAY = (S.INTERRUPTED, S.FAILED, S.UNKNOWN)
OVER, PAST, NO_WAY_BACK = Against.OVER, Against.PAST, Against.NO_WAY_BACK


@pytest.mark.parametrize(("found", "resume", "undo", "cancel"), [
    # It runs: before its point of no return, without one, past it, after a step that has no way back.
    (OperationStanding(S.RUNNING, returns=False), Against.RUNS, None, None),
    (OperationStanding(S.RUNNING), Against.RUNS, None, None),
    (OperationStanding(S.RUNNING, returns=False, past=True, undoable=False), Against.RUNS, PAST, PAST),
    (OperationStanding(S.RUNNING, returns=False, undoable=False), Against.RUNS, NO_WAY_BACK, NO_WAY_BACK),
    (OperationStanding(S.RUNNING, undoable=False), Against.RUNS, NO_WAY_BACK, None),
    # It stands half-way.
    *((OperationStanding(status, returns=False), None, None, Against.BEFORE) for status in HALF_WAY),
    *((OperationStanding(status, returns=False, began=False), None, None, None) for status in HALF_WAY),
    *((OperationStanding(status), None, None, None) for status in HALF_WAY),
    *((OperationStanding(status, undoable=False), None, NO_WAY_BACK, None) for status in HALF_WAY),
    *((OperationStanding(status, returns=False, past=True, undoable=False), None, PAST, None) for status in HALF_WAY),
    # It is over.
    (OperationStanding(S.DONE), OVER, Against.DONE, OVER),
    (OperationStanding(S.DONE, returns=False, past=True, undoable=False), OVER, Against.DONE, OVER),
    (OperationStanding(S.UNDONE, changed=False), OVER, OVER, OVER),
    (OperationStanding(S.FAILED, changed=False), OVER, OVER, OVER),
    (OperationStanding(S.FAILED, changed=True, left=True), OVER, OVER, OVER),
    (OperationStanding(S.CANCELLED, changed=False), OVER, OVER, OVER),
    # It was cancelled, and something of it is left.
    (OperationStanding(S.CANCELLED), None, None, OVER),
    (OperationStanding(S.CANCELLED, undoable=False), None, NO_WAY_BACK, OVER),
    (OperationStanding(S.CANCELLED, returns=False, past=True, undoable=False), None, PAST, OVER),
])
def test_the_table(
    found: OperationStanding, resume: Against | None, undo: Against | None, cancel: Against | None
) -> None:
    told = {IntentWay.RESUME: resume, IntentWay.UNDO: undo, IntentWay.CANCEL: cancel}
    assert {way: against(way, found) for way in IntentWay} == told
    assert open_ways(found) == tuple(way for way in IntentWay if told[way] is None)


def every() -> list[OperationStanding]:
    """All states that there are; what is past its point of no return has one, and cannot be taken back."""
    found = [
        OperationStanding(status, *flags) for status in OperationStatus for flags in product((False, True), repeat=7)
    ]
    return [one for one in found if not one.past or (one.began and not one.returns and not one.undoable)]


def test_there_is_a_way_out_of_every_state_that_has_the_pool() -> None:
    for found in every():
        if not found.settled and not found.elsewhere:
            assert IntentWay.RESUME in open_ways(found) or found.running, found


def test_what_is_settled_is_never_cancelled_and_only_a_cancelled_one_goes_on() -> None:
    for found in every():
        if found.settled:
            assert against(IntentWay.CANCEL, found) is OVER, found
        if found.settled and open_ways(found):
            assert found.status is S.CANCELLED, found
            assert found.changed, found


def test_elsewhere_nothing_can_be_done_and_the_better_reason_counts() -> None:
    for found in every():
        if found.elsewhere:
            assert not open_ways(found), found
    assert against(IntentWay.UNDO, OperationStanding(S.DONE, elsewhere=True)) is Against.DONE
    assert against(IntentWay.RESUME, OperationStanding(S.UNKNOWN, elsewhere=True)) is Against.ELSEWHERE


def test_what_a_later_version_says_is_unknown_here() -> None:
    assert OperationStatus("pausing") is S.UNKNOWN


def test_half_way_is_no_place_to_stay_while_roles_are_half_changed() -> None:
    ways = (IntentWay.RESUME, IntentWay.CANCEL)
    assert possible(ways, "STEADY") == possible(ways, "LEADERLESS") == ways
    assert possible(ways, "PROMOTING") == possible((IntentWay.CANCEL,), "PROMOTING") == (IntentWay.RESUME,)


def test_every_way_has_a_key() -> None:
    assert set(KEYS) == set(IntentWay)
    assert len(set(KEYS.values())) == len(IntentWay)

"""What can be done about an operation, for every state that it can be in."""

from __future__ import annotations

from itertools import product

import pytest

from tuiha.model.operations.intent import Way
from tuiha.model.operations.plans import OperationStatus
from tuiha.model.operations.ways import KEYS, Against, Standing, against, open_ways, possible

S = OperationStatus
HALF_WAY = (S.INTERRUPTED, S.FAILED, S.UNKNOWN)
OVER, PAST, NO_WAY_BACK = Against.OVER, Against.PAST, Against.NO_WAY_BACK


@pytest.mark.parametrize(("found", "resume", "undo", "cancel"), [
    # It runs: before its point of no return, without one, past it, after a step that has no way back.
    (Standing(S.RUNNING, returns=False), Against.RUNS, None, None),
    (Standing(S.RUNNING), Against.RUNS, None, None),
    (Standing(S.RUNNING, returns=False, past=True, undoable=False), Against.RUNS, PAST, PAST),
    (Standing(S.RUNNING, returns=False, undoable=False), Against.RUNS, NO_WAY_BACK, NO_WAY_BACK),
    (Standing(S.RUNNING, undoable=False), Against.RUNS, NO_WAY_BACK, None),
    # It stands half-way.
    *((Standing(status, returns=False), None, None, Against.BEFORE) for status in HALF_WAY),
    *((Standing(status, returns=False, began=False), None, None, None) for status in HALF_WAY),
    *((Standing(status), None, None, None) for status in HALF_WAY),
    *((Standing(status, undoable=False), None, NO_WAY_BACK, None) for status in HALF_WAY),
    *((Standing(status, returns=False, past=True, undoable=False), None, PAST, None) for status in HALF_WAY),
    # It is over.
    (Standing(S.DONE), OVER, Against.DONE, OVER),
    (Standing(S.DONE, returns=False, past=True, undoable=False), OVER, Against.DONE, OVER),
    (Standing(S.UNDONE, changed=False), OVER, OVER, OVER),
    (Standing(S.FAILED, changed=False), OVER, OVER, OVER),
    (Standing(S.FAILED, changed=True, left=True), OVER, OVER, OVER),
    (Standing(S.CANCELLED, changed=False), OVER, OVER, OVER),
    # It was cancelled, and something of it is left.
    (Standing(S.CANCELLED), None, None, OVER),
    (Standing(S.CANCELLED, undoable=False), None, NO_WAY_BACK, OVER),
    (Standing(S.CANCELLED, returns=False, past=True, undoable=False), None, PAST, OVER),
])
def test_the_table(found: Standing, resume: Against | None, undo: Against | None, cancel: Against | None) -> None:
    told = {Way.RESUME: resume, Way.UNDO: undo, Way.CANCEL: cancel}
    assert {way: against(way, found) for way in Way} == told
    assert open_ways(found) == tuple(way for way in Way if told[way] is None)


def every() -> list[Standing]:
    """All states that there are; what is past its point of no return has one, and cannot be taken back."""
    found = [Standing(status, *flags) for status in OperationStatus for flags in product((False, True), repeat=7)]
    return [one for one in found if not one.past or (one.began and not one.returns and not one.undoable)]


def test_there_is_a_way_out_of_every_state_that_has_the_pool() -> None:
    for found in every():
        if not found.settled and not found.elsewhere:
            assert Way.RESUME in open_ways(found) or found.running, found


def test_what_is_settled_is_never_cancelled_and_only_a_cancelled_one_goes_on() -> None:
    for found in every():
        if found.settled:
            assert against(Way.CANCEL, found) is OVER, found
        if found.settled and open_ways(found):
            assert found.status is S.CANCELLED, found
            assert found.changed, found


def test_elsewhere_nothing_can_be_done_and_the_better_reason_counts() -> None:
    for found in every():
        if found.elsewhere:
            assert not open_ways(found), found
    assert against(Way.UNDO, Standing(S.DONE, elsewhere=True)) is Against.DONE
    assert against(Way.RESUME, Standing(S.UNKNOWN, elsewhere=True)) is Against.ELSEWHERE


def test_what_a_later_version_says_is_unknown_here() -> None:
    assert OperationStatus("pausing") is S.UNKNOWN


def test_half_way_is_no_place_to_stay_while_roles_are_half_changed() -> None:
    ways = (Way.RESUME, Way.CANCEL)
    assert possible(ways, "STEADY") == possible(ways, "LEADERLESS") == ways
    assert possible(ways, "PROMOTING") == possible((Way.CANCEL,), "PROMOTING") == (Way.RESUME,)


def test_every_way_has_a_key() -> None:
    assert set(KEYS) == set(Way)
    assert len(set(KEYS.values())) == len(Way)

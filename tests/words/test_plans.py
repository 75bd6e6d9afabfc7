"""What a plan means in a few words, the names of steps, and what became different."""

from __future__ import annotations

import pytest

from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.outage import Interruption, interruption, moments_of
from tuiha.model.operations.plans import Moment
from tuiha.model.operations.statements import plain
from tuiha.words.plans import changed, no_return, outage, way_back
from tuiha.words.results import cost, meanwhile, requests, told, users
from tuiha.words.step_names import NAMES, step_name

LONGEST = 24  # cells of a name: two columns of steps stand side by side in 80
AT = 1_795_144_327.0  # 03:12:07 UTC of some day
SWITCHOVER = [StepId.ANNOUNCE, StepId.PREPARE, StepId.HOLD, StepId.PROMOTE, StepId.ATTACH]
FAILOVER = [StepId.ANNOUNCE, StepId.CUT, StepId.PROMOTE, StepId.ATTACH, StepId.REJOIN_IF_THERE]


@pytest.mark.parametrize("step", list(StepId))
def test_every_step_has_a_short_name(step: StepId) -> None:
    assert step in NAMES
    figures = {"old": "db1", "new": "db2", "step": StepId.PROMOTE(old="db1", new="db2")}
    name = step_name(step(**figures))
    assert 0 < len(name) <= LONGEST
    assert "{" not in name


def test_a_step_of_another_version_is_called_by_its_sentence() -> None:
    assert step_name(plain("polish the mirrors")) == "polish the mirrors"


def test_what_users_notice_of_a_plan() -> None:
    assert outage(SWITCHOVER) == "requests wait from step 3 to step 5; none fails"
    assert outage(FAILOVER) == "nobody is served until step 4 is done; step 4 ends it"
    assert outage([StepId.TAKE_NOBODY, StepId.HAND_OVER]).startswith("none;")
    assert outage([StepId.PROTECT]) == "none"


@pytest.mark.parametrize(("steps", "point", "said"), [
    ((True, True, False), 3, "possible until step 2 is done; from step 3 on only forward"),
    ((False,), 1, "not possible: step 1 is the point of no return"),
    ((True, True), None, "possible at every step"),
    ((True, False), None, "possible until step 2 begins"),
    ((False, True), None, "not possible"),
])
def test_how_far_it_can_be_undone(steps: tuple[bool, ...], point: int | None, said: str) -> None:
    assert way_back(steps, point) == said


def test_the_point_of_no_return_is_named() -> None:
    assert no_return(["held", "db2 promoted"], 2) == "step 2 of 2: db2 promoted"
    assert no_return(["held"], None) == "none: every step can be undone"


def test_a_failover_has_two_outages() -> None:
    """Nothing could be written from the last lease on, long before anybody began to fail over."""
    moments = {Moment.BEGUN: AT - 2.0, Moment.RENEWED: AT - 24.0, Moment.SERVED: AT - 1.57}
    found = interruption(FAILOVER, moments)
    assert found is not None
    assert found.unserved == pytest.approx(22.43)
    assert found.held == pytest.approx(0.43)
    assert dict(cost(found)) == {"Not served": "22s, from 03:11:43Z (the last lease) to 03:12:05Z",
                                 "Writes held": "430 ms by the operation"}


def test_a_switchover_holds_from_its_own_step_on() -> None:
    moments = {Moment.BEGUN: AT - 9.0, Moment.HELD: AT - 1.0}
    assert interruption(SWITCHOVER, moments) == Interruption(None, AT - 1.0, None)
    assert meanwhile(Interruption(None, AT - 1.0, None), AT) == "requests wait since 03:12:06Z: 1.0s"
    assert interruption(SWITCHOVER, {Moment.BEGUN: AT - 9.0}) == Interruption()
    assert meanwhile(Interruption(), AT) == ""


def test_what_holds_no_request_has_no_outage() -> None:
    assert interruption([StepId.TAKE_MANY, StepId.VERIFY_MONITORS], {}) is None


def test_moments_are_the_first_of_their_name() -> None:
    said = (None, plain("x"), StepId.CUT(renewed_at=5.0), StepId.ATTACH(renewed_at=7.0, served_at=9))
    assert moments_of(said) == {Moment.RENEWED: 5.0, Moment.SERVED: 9.0}


@pytest.mark.parametrize(("outcome", "said"), [
    ({"requests_delayed": 31, "requests_failed": 0}, "31 requests delayed, 0 failed"),
    ({"requests_delayed": None, "requests_failed": None},
     "delayed and failed: not known; the servers' counters were not read before the operation"),
    ({"requests_delayed": None, "requests_failed": None, "requests_unknown_on": ["s1", "s3"]},
     "delayed and failed: not known; s1, s3 did not answer, or restarted meanwhile"),
    ({"requests_delayed": None, "requests_failed": None, "requests_unknown_on": ["s1", "s3"],
      "requests_unknown_why": {"s1": "restarted", "s3": "silent-after"}},
     "delayed and failed: not known; s1 restarted meanwhile; s3 did not answer after the operation"),
    ({}, ""),
])
def test_requests_that_nobody_could_count_say_why(outcome: dict[str, object], said: str) -> None:
    assert requests(outcome) == said


def test_what_became_of_users() -> None:
    assert users({"users": 6}) == "6 users"
    assert users({"moves": "8 users moved", "moves_planned": 8}) == "8 users moved"
    assert users({"moves": None, "moves_planned": 8}) == "8 moves planned; how many were made is not known"
    assert users({}) == ""


def test_what_changed_is_said_of_nodes_together() -> None:
    before = {"servers": {"s1": "no answer", "s2": {"database": "db1"}, "s3": "no answer"}, "ledger": {"epoch": 1}}
    after = {"servers": {"s1": {"database": "db1"}, "s2": {"database": "db2"}, "s3": {"database": "db1"}},
             "ledger": {"epoch": 2}}
    assert changed(before, after) == ("s1, s3 answer again", "ledger epoch: 1 ▸ 2", "s2 uses db2")
    assert changed(after, before)[0] == "s1, s3 no longer answer"
    assert changed({"free": None}, {"free": [1, 2]}) == ("free: not known ▸ 1, 2",)
    assert changed(after, after) == ()


def test_what_changed_of_servers_that_users_move_between_is_said_in_words() -> None:
    before = {"servers": {"s1": {"part": "gives"}, "s2": {"part": "apart"}, "s3": {"part": "takes"}}}
    after = {"servers": {"s1": {"part": "takes"}, "s2": {"part": "takes"}, "s3": {"part": "keeps"}}}
    assert changed(before, after) == ("s1, s2 can take users now", "s3 is overloaded now, and can take no users")
    assert changed({"servers": {}}, {"servers": {"s4": {"part": "takes"}}}) == ("s4 answers again",)


FIGURES = {"outage_ms": 2000.0, "unserved_ms": 21_000.0, "requests_delayed": 31, "requests_failed": 0}


def test_a_result_says_each_figure_once_and_in_words() -> None:
    known = Interruption(AT - 22.0, AT - 2.0, AT)
    said = told({**FIGURES, "moves_planned": 3, "moves": "3 users moved", "protected": True}, known)
    assert [label for label, _ in said] == ["Not served", "Writes held", "Requests", "Users"]
    assert dict(told(FIGURES, None)) == {
        "Not served": "21s", "Writes held": "2.0s by the operation", "Requests": "31 requests delayed, 0 failed"}


def test_a_figure_that_this_version_does_not_know_is_no_python() -> None:
    strange = {"kept_back": ["s1", "s3"], "each": {"s1": 2, "s2": None}, "good": True, "bad": None,
               "number": 1795997113}
    assert dict(told(strange, None)) == {"Kept back": "s1, s3", "Each": "s1 2, s2", "Good": "yes",
                                         "Number": "1,795,997,113"}

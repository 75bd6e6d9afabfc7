"""The checker of histories: by hand, against brute force, and against faults that were put in."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Hashable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs.linearizable import verdict
from tests.proof.growing import GROWING, Action, Added, History, Shown, gathered, histories
from tests.proof.linearizability import Answer, Object, Operation, judge
from tuiha.lab.drill.observation.history import history
from tuiha.lab.drill.observation.records import Ack, DrillRecording, Read, Unacknowledged

S = TypeVar("S", bound=Hashable)
A = TypeVar("A")

Write = tuple[str, int]  # ("write" or "read", value)
REGISTER: Object[int, Write] = Object(
    0, lambda state, action: action[1] if action[0] == "write" else (state if state == action[1] else None),
    lambda action: action[0] == "read")


def w(value: int, invoked: float, answered: float = math.inf) -> Operation[Write]:
    return Operation(("write", value), invoked, answered)


def r(value: int, invoked: float, answered: float) -> Operation[Write]:
    return Operation(("read", value), invoked, answered)


@pytest.mark.parametrize("good", [
    [],
    [r(0, 1, 2)],
    [w(1, 1, 2), r(1, 3, 4)],
    [w(1, 1, 4), r(0, 2, 3), r(1, 5, 6)],  # the read comes first
    [w(1, 1, 4), r(1, 2, 3)],  # or the write does
    [w(1, 1, 4), r(1, 2, 3), w(2, 1, 9), r(2, 5, 6)],
    [w(1, 1), r(0, 2, 3), r(1, 4, 5)],  # without an answer: done later
    [w(1, 1), r(0, 2, 3), r(0, 4, 5)],  # or never
    [w(1, 1, 2), r(1, 2, 3)],  # at the same moment: they overlap
    [w(1, 1, 2), w(2, 2, 3), r(1, 3, 3)],
    [w(0, 1, 5), w(1, 1, 2), r(0, 3, 4)],  # a write that changes nothing now is needed later
])
def test_a_history_that_an_order_explains(good: list[Operation[Write]]) -> None:
    found = judge(good, REGISTER)
    assert found.answer is Answer.LINEARIZABLE
    assert explains(found.order, REGISTER)


@pytest.mark.parametrize("bad", [
    [r(1, 1, 2)],  # nobody wrote it
    [w(1, 1, 2), r(0, 3, 4)],  # stale
    [w(1, 1, 9), r(1, 2, 3), r(0, 4, 5)],  # seen, and not seen later
    [w(1, 5), r(1, 2, 3)],  # shown before it was asked for
    [w(1, 1, 2), w(2, 3, 4), r(1, 5, 6)],  # an older value
    [w(1, 1, 9), w(2, 1, 9), r(1, 2, 3), r(2, 4, 5), r(1, 6, 7)],  # back and forth
])
def test_a_history_that_no_order_explains(bad: list[Operation[Write]]) -> None:
    found = judge(bad, REGISTER)
    assert found.answer is Answer.NOT
    assert found.stuck, "it does not say where it is stuck"


def explains(order: Sequence[Operation[A]], thing: Object[S, A]) -> bool:
    """Whether the answers fit in this order, and none comes before an operation that was over when it began."""
    state: S | None = thing.first
    latest = -math.inf
    for one in order:
        if one.answered < latest:
            return False
        latest = max(latest, one.invoked)
        state = thing.step(state, one.action)  # type: ignore[arg-type]
        if state is None:
            return False
    return True


def by_force(operations: Sequence[Operation[A]], thing: Object[S, A]) -> bool:
    """Every order of every choice of the operations without an answer."""
    closed = [one for one in operations if not one.open]
    unanswered = [one for one in operations if one.open]
    return any(
        explains(order, thing)
        for count in range(len(unanswered) + 1)
        for some in itertools.combinations(unanswered, count)
        for order in itertools.permutations([*closed, *some])
    )


moments = st.integers(0, 8)


@st.composite
def of_a_register(draw: st.DrawFn) -> Operation[Write]:
    action = (draw(st.sampled_from(["write", "read"])), draw(st.integers(0, 2)))
    invoked = draw(moments)
    unanswered = draw(st.integers(0, 3)) == 0
    return Operation(action, invoked, math.inf if unanswered else invoked + draw(moments))


@st.composite
def of_a_set(draw: st.DrawFn) -> Operation[Action]:
    devices = st.sampled_from("ab")
    action: Action = draw(st.one_of(st.builds(Added, devices), st.builds(Shown, st.frozensets(devices))))
    invoked = draw(moments)
    unanswered = isinstance(action, Added) and draw(st.booleans())
    return Operation(action, invoked, math.inf if unanswered else invoked + draw(moments))


@settings(max_examples=400, deadline=None)
@given(st.lists(of_a_register(), max_size=6))
def test_the_search_finds_what_brute_force_finds(operations: list[Operation[Write]]) -> None:
    found = judge(operations, REGISTER)
    assert (found.answer is Answer.LINEARIZABLE) is by_force(operations, REGISTER)
    assert explains(found.order, REGISTER)


@settings(max_examples=400, deadline=None)
@given(st.lists(of_a_set(), max_size=6))
def test_a_gathered_history_has_the_answer_of_the_whole_one(operations: list[Operation[Action]]) -> None:
    whole = by_force(operations, GROWING)
    assert (judge(operations, GROWING).answer is Answer.LINEARIZABLE) is whole
    assert (judge(gathered(operations), GROWING).answer is Answer.LINEARIZABLE) is whole


def drilled(seed: int, writes: int = 300) -> list[Operation[Action]]:
    """A history of three lanes of writes and three of reads on one set; some writes are lost on their way or later."""
    chance = random.Random(seed)
    happened: list[tuple[float, int, Operation[Action]]] = []
    numbers = itertools.count()
    for lane in range(3):
        at = chance.random()
        for number in range(writes // 3):
            device = f"{lane}-{number}"
            while True:
                invoked, at = at, at + chance.uniform(0.01, 0.3)
                heard, done = chance.random() < 0.8, chance.random() < 0.9
                effect = chance.uniform(invoked, at) if heard else chance.uniform(invoked, at + 3.0)
                if heard or done:
                    answered = at if heard else math.inf
                    happened.append((effect, next(numbers), Operation(Added(device), invoked, answered, f"s{lane}")))
                else:
                    happened.append((math.inf, next(numbers), Operation(Added(device), invoked, by=f"s{lane}")))
                if heard:
                    break
    end = max(one.answered for _, _, one in happened if not one.open)
    for lane in range(3):
        at = chance.random()
        while at < end:
            invoked, at = at, at + chance.uniform(0.01, 0.3)
            happened.append((chance.uniform(invoked, at), next(numbers),
                             Operation(Shown(frozenset()), invoked, at, f"s{lane}")))
    state: set[str] = set()
    operations: list[Operation[Action]] = []
    for effect, _, one in sorted(happened, key=lambda each: each[:2]):
        if isinstance(one.action, Added):
            if effect < math.inf:
                state.add(one.action.device)
            operations.append(one)
        else:
            operations.append(Operation(Shown(frozenset(state)), one.invoked, one.answered, one.by))
    return operations


@pytest.mark.parametrize("seed", range(10))
def test_a_history_as_long_as_a_drills_is_judged(seed: int) -> None:
    operations = drilled(seed)
    assert any(one.open for one in operations)
    assert judge(gathered(operations), GROWING).answer is Answer.LINEARIZABLE


def stale(operations: Sequence[Operation[Action]], chance: random.Random) -> list[Operation[Action]]:
    """One read shows less: the device that was acknowledged last before the read began."""
    reads = [one for one in operations if isinstance(one.action, Shown)]
    while True:
        read = chance.choice(reads)
        due = max((one for one in operations if isinstance(one.action, Added) and one.answered < read.invoked),
                  key=lambda one: one.answered, default=None)
        if due is not None and isinstance(read.action, Shown) and isinstance(due.action, Added):
            shown: Action = Shown(read.action.devices - {due.action.device})
            less = Operation(shown, read.invoked, read.answered, read.by)
            return [less if one is read else one for one in operations]


def lost(operations: Sequence[Operation[Action]], chance: random.Random) -> list[Operation[Action]]:
    """From some moment on no read shows one device that was acknowledged."""
    acknowledged = [one for one in operations if isinstance(one.action, Added) and not one.open]
    gone = chance.choice(acknowledged[: len(acknowledged) // 2])
    assert isinstance(gone.action, Added)
    device = gone.action.device

    def shown(one: Operation[Action]) -> Operation[Action]:
        if isinstance(one.action, Added) or one.invoked <= gone.answered:
            return one
        return Operation(Shown(one.action.devices - {device}), one.invoked, one.answered, one.by)

    return [shown(one) for one in operations]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fault", [stale, lost])
def test_a_stale_read_and_a_lost_write_are_found(fault, seed: int) -> None:  # type: ignore[no-untyped-def]
    found = judge(gathered(fault(drilled(seed), random.Random(seed))), GROWING)
    assert found.answer is Answer.NOT


def test_two_reads_that_see_two_writes_in_different_orders_are_found() -> None:
    """No single device shows it: each read lacks only what was not yet acknowledged."""
    operations: list[Operation[Action]] = [
        Operation(Added("a"), 0, 9), Operation(Added("b"), 0, 9),
        Operation(Shown(frozenset("a")), 1, 2), Operation(Shown(frozenset("b")), 3, 4),
    ]
    assert judge(gathered(operations), GROWING).answer is Answer.NOT


def test_a_search_says_when_it_reached_its_bound() -> None:
    many: list[Operation[Action]] = [Operation(Added(str(number)), 0, 9) for number in range(12)]
    many.append(Operation(Shown(frozenset({"never added"})), 1, 9))
    assert judge(many, GROWING).answer is Answer.NOT
    assert judge(many, GROWING, most=1000).answer is Answer.UNDECIDED
    assert judge(many, GROWING, longest=-1.0).answer is Answer.UNDECIDED
    assert verdict(History("x", {"anna": many}), most=100)[0] is Answer.UNDECIDED


def recording() -> DrillRecording:
    return DrillRecording(
        acks=[Ack("s1", "anna", "a", 1.0, 2.0), Ack("s2", "anna", "b", 3.0, 6.0)],
        attempts=[Unacknowledged("s2", "anna", "b", 2.0), Unacknowledged("s3", "anna", "c", 4.0)],
        reads=[Read("s1", "anna", frozenset({"a", "b"}), 2.5, 2.8)],
    )


def test_a_drills_history_is_read_as_it_was_written() -> None:
    lines = list(history("primary-killed", recording(), {"anna": frozenset({"a", "b"})}, (9.0, 9.1)))
    read = next(histories(lines))
    assert (read.scenario, read.size) == ("primary-killed", 6)
    assert sum(one.open for one in read.users["anna"]) == 2
    answer, told = verdict(read)
    assert answer is Answer.LINEARIZABLE, told


def test_a_write_that_is_not_in_the_database_at_the_end_is_lost() -> None:
    lines = list(history("primary-killed", recording(), {"anna": frozenset({"a"})}, (9.0, 9.1)))
    answer, told = verdict(next(histories(lines)))
    assert answer is Answer.NOT
    assert any("database reads" in line and "lacks b" in line for line in told)


def test_several_drills_in_one_file() -> None:
    lines = [*history("one", recording(), {}, (9.0, 9.1)), *history("two", DrillRecording(), {}, (9.0, 9.1))]
    assert [(one.scenario, one.size) for one in histories(lines)] == [("one", 5), ("two", 0)]


def test_a_file_that_no_drill_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="before the first scenario"):
        list(histories(['{"user": "anna"}']))
    with pytest.raises(ValueError, match="before it was invoked"):
        list(histories(['{"scenario": "x"}',
                        '{"user": "anna", "server": "s1", "invoked": 2, "answered": 1, "reads": []}']))

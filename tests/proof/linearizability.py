"""Is a history linearizable? A search as Wing and Gong published it, with Lowe's memory of what was seen.

A history is a list of operations on one object, each with the times when it was invoked and when it was answered. It
is linearizable when one order of all of them explains every answer: one after the other, and none before an operation
that had been answered before it was invoked. An operation without an answer may come anywhere after its invocation, or
nowhere. Objects are independent: a history of many users is judged user by user.

The search takes one operation after the other off the history: any that was invoked before the first answer among
those left. When none of them fits, it takes the last one back. It never goes on from the same set of operations and
the same state twice. A read that fits is taken without a look at others: whatever order there is, it could come first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
A = TypeVar("A")

MOST = 2_000_000  # configurations that a search remembers: some 500 MB
LONGEST = 120.0  # seconds of one search
_OFTEN = 1024  # configurations between two looks at the clock


@dataclass(frozen=True, slots=True)
class Operation(Generic[A]):
    """One operation on the object. `answered` is infinite when nobody heard of its end."""

    action: A
    invoked: float
    answered: float = math.inf
    by: str = ""

    @property
    def open(self) -> bool:
        """Whether it may have been done at any later time, or never."""
        return self.answered == math.inf


@dataclass(frozen=True, slots=True)
class Object(Generic[S, A]):
    """What the object should do: its first state, and the state after an action; None when its answer does not fit."""

    first: S
    step: Callable[[S, A], S | None]
    reads: Callable[[A], bool]  # whether an action changes no state at all


class Answer(Enum):
    """What a search found."""

    LINEARIZABLE = "linearizable"
    NOT = "NOT linearizable"
    UNDECIDED = "undecided: the bound was reached"


@dataclass(frozen=True, slots=True)
class Judgement(Generic[A]):
    """The answer, and how it was found."""

    answer: Answer
    configurations: int
    order: tuple[Operation[A], ...] = ()  # that explains the history; else the longest that was found
    stuck: tuple[Operation[A], ...] = ()  # after the longest order, each of these does not fit


class _Chain(Generic[A]):
    """Invocations and answers in the order of time, as a chain from which an operation is taken, and put back."""

    def __init__(self, operations: Sequence[Operation[A]]) -> None:
        events = [(one.invoked, 0, index) for index, one in enumerate(operations)]
        events += [(one.answered, 1, index) for index, one in enumerate(operations) if not one.open]
        events.sort()  # at the same time invocations come first: such operations overlap
        self._index = [index for _, _, index in events]
        self._ends = [bool(kind) for _, kind, _ in events]
        self._after = [*range(1, len(events) + 1), 0]  # the last place is the chain's head and end
        self._before = [len(events), *range(len(events))]
        self._places: list[list[int]] = [[] for _ in operations]
        for place, index in enumerate(self._index):
            self._places[index].append(place)

    def candidates(self) -> Iterator[int]:
        """Operations that may be next: those invoked before the first answer."""
        place = self._after[-1]
        while place < len(self._index) and not self._ends[place]:
            yield self._index[place]
            place = self._after[place]

    def take(self, index: int) -> None:
        for place in self._places[index]:
            self._after[self._before[place]] = self._after[place]
            self._before[self._after[place]] = self._before[place]

    def put_back(self, index: int) -> None:
        for place in reversed(self._places[index]):
            self._after[self._before[place]] = place
            self._before[self._after[place]] = place


def judge(
    operations: Sequence[Operation[A]], thing: Object[S, A], most: int = MOST, longest: float = LONGEST
) -> Judgement[A]:
    """Look for an order that explains the history, within the bounds."""
    chain = _Chain(operations)
    left = sum(not one.open for one in operations)
    state, taken = thing.first, 0
    seen: set[tuple[int, S]] = set()
    way: list[tuple[int, S]] = []  # operations that were taken, each with the state before it
    choices = [iter(_fitting(operations, thing, chain, state))]
    best: tuple[Operation[A], ...] = ()
    stuck: tuple[Operation[A], ...] = tuple(operations[index] for index in chain.candidates())
    until = time.monotonic() + longest
    while left:
        index, after = next(choices[-1], (-1, state))
        if index < 0:
            choices.pop()
            if not way:
                return Judgement(Answer.NOT, len(seen), best, stuck)
            index, state = way.pop()
            chain.put_back(index)
            taken ^= 1 << index
            left += not operations[index].open
            continue
        if (taken | 1 << index, after) in seen:
            continue
        seen.add((taken | 1 << index, after))
        if len(seen) > most or (len(seen) % _OFTEN == 0 and time.monotonic() > until):
            return Judgement(Answer.UNDECIDED, len(seen), best, stuck)
        way.append((index, state))
        chain.take(index)
        taken, state = taken | 1 << index, after
        left -= not operations[index].open
        choices.append(iter(_fitting(operations, thing, chain, state)))
        if len(way) > len(best):
            best = tuple(operations[number] for number, _ in way)
            stuck = tuple(operations[number] for number in chain.candidates())
    return Judgement(Answer.LINEARIZABLE, len(seen), tuple(operations[number] for number, _ in way))


def _fitting(
    operations: Sequence[Operation[A]], thing: Object[S, A], chain: _Chain[A], state: S
) -> list[tuple[int, S]]:
    """Operations that may be next and fit, with the state after each; those without an answer last."""
    closed: list[tuple[int, S]] = []
    unanswered: list[tuple[int, S]] = []
    for index in chain.candidates():
        after = thing.step(state, operations[index].action)
        if after is None:
            continue
        if operations[index].open:
            if after != state:  # else it may as well never be done
                unanswered.append((index, after))
        elif thing.reads(operations[index].action):
            return [(index, after)]
        else:
            closed.append((index, after))
    return closed + unanswered

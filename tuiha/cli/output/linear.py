"""The linear form: one sentence for each change, with its time in front; nothing is painted over or said twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from tuiha.model.codes import EventKind, ProblemCode
from tuiha.model.events import events
from tuiha.model.facts import Event, NodeKind, Problem, Snapshot
from tuiha.model.problems.operation import Running, running
from tuiha.words import linear, problems

# What a problem of the same node says already, and better.
_SAID_BY_PROBLEMS = frozenset({EventKind.STATE, EventKind.REPLICATION, EventKind.WITHOUT_MAIL,
                               EventKind.WITH_MAIL_AGAIN})
_SAID_BY_THE_CHANGE = frozenset({EventKind.ROLE, EventKind.REPLICATION})  # of the active database
_OPERATIONS = frozenset({ProblemCode.OPERATION_RUNNING, ProblemCode.OPERATION_INTERRUPTED,
                         ProblemCode.OPERATION_HALF_WAY, ProblemCode.OPERATION_UNKNOWN})
_Key = tuple[NodeKind, str, ProblemCode]


def stamped(at: float, text: str) -> str:
    """A sentence with its time in UTC in front."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ} {text}"


class PoolStory:
    """Tells how a pool is, once, and then only what changes."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self._last: Snapshot | None = None

    def lines(self, snapshot: Snapshot) -> list[str]:
        """What this snapshot adds to what was said before."""
        told = _first(snapshot) if self._last is None else _changes(self._last, snapshot)
        self._last = snapshot
        return [stamped(snapshot.at, text) for text in told]


def _first(snapshot: Snapshot) -> Iterator[str]:
    yield linear.standing(snapshot)
    yield from _operation(None, running(snapshot))
    yield from map(linear.began, _problems(snapshot).values())


def _changes(old: Snapshot, new: Snapshot) -> Iterator[str]:
    found = events(old, new)
    yield from (linear.event(event) for event in found if event.kind is EventKind.VERDICT)
    yield from _operation(running(old), running(new))
    before, after = _problems(old), _problems(new)
    yield from (linear.began(problem) for key, problem in after.items() if _anew(before.get(key), problem))
    yield from (linear.over(problem) for key, problem in before.items() if key not in after)
    named = {subject for _, subject, _ in (*before, *after)}
    moved = any(event.kind is EventKind.ACTIVE_DATABASE for event in found)
    yield from (linear.event(event) for event in found
                if _worth_saying(event, named) and not (moved and event.kind in _SAID_BY_THE_CHANGE))


def _problems(snapshot: Snapshot) -> Mapping[_Key, Problem]:
    """Problems by what they are about; the operation that has the pool is told by its steps."""
    return {(problem.kind, problem.subject, problem.code): problem for problem in snapshot.problems
            if problem.code not in _OPERATIONS}


def _anew(before: Problem | None, after: Problem) -> bool:
    """Whether a problem is new, or is another one by its state; figures that change are not repeated."""
    return before is None or before.severity is not after.severity or problems.state(before) != problems.state(after)


def _worth_saying(event: Event, named: set[str]) -> bool:
    return event.kind is not EventKind.VERDICT and not (event.kind in _SAID_BY_PROBLEMS and event.subject in named)


def _operation(old: Running | None, new: Running | None) -> Iterator[str]:
    """The operation that has the pool: when it begins, at each step, and when it ends."""
    if old is not None and (new is None or new.id != old.id):
        yield linear.released(old)
    if new is not None and (old is None or _place(new) != _place(old)):
        yield linear.operation(new)


def _place(found: Running) -> tuple[object, ...]:
    return found.id, found.condition, found.step, found.intent.undoing

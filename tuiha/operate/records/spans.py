"""The spans of an operation, from its journal: nothing is measured a second time, and no step waits for a trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tuiha.model.operations.outage import interruption, moments_of
from tuiha.model.operations.plans import StepStatus
from tuiha.model.operations.trace import HELD, OPERATION, SpanFacts, span_id, step_part, trace_id
from tuiha.operate.records.state import SETTLED, OperationState, Record

_STEPS = frozenset({"step", "undo"})
_GOOD = frozenset({StepStatus.DONE, StepStatus.UNDONE})


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at a step, forwards or backwards."""

    number: int
    undo: bool
    count: int
    begin: float
    end: float
    state: str
    evidence: str


def spans(state: OperationState, records: Iterable[Record]) -> tuple[SpanFacts, ...]:
    """The operation's span first, then those below it; none when it never began or has not ended."""
    if state.started_at is None or state.ended_at is None:
        return ()
    trace, root = trace_id(state.id), span_id(state.id, OPERATION)
    told: dict[str, str | int | float | bool] = {
        "tuiha.operation": state.id, "tuiha.pool": state.plan.pool, "tuiha.kind": state.kind,
        "tuiha.target": " ".join(state.plan.target), "tuiha.who": state.who, "tuiha.reason": state.reason,
        "tuiha.host": state.host, "tuiha.state": str(state.state)}
    whole = SpanFacts(f"{state.kind} {' '.join(state.plan.target)}".rstrip(), trace, root, None, state.started_at,
                      state.ended_at, told, "" if state.state in SETTLED else state.text)
    return (whole, *_held(state, trace, root), *_steps(state, records, trace, root))


def begun(records: Iterable[Record]) -> dict[tuple[int, bool], int]:
    """How often each step was begun, forwards and backwards (True)."""
    found: dict[tuple[int, bool], int] = {}
    for record in records:
        if record.get("record") in _STEPS and record["state"] == StepStatus.RUNNING:
            key = int(record["step"]), record["record"] == "undo"
            found[key] = found.get(key, 0) + 1
    return found


def _steps(state: OperationState, records: Iterable[Record], trace: int, root: int) -> Iterator[SpanFacts]:
    planned = {step.planned.number: step.planned for step in state.steps}
    for one in _attempts(records):
        step = planned.get(one.number)
        if step is None:
            continue
        attributes: dict[str, str | int | float | bool] = {
            "tuiha.step": one.number, "tuiha.step.id": str(step.id), "tuiha.target": step.target,
            "tuiha.limit_seconds": step.limit_seconds, "tuiha.point_of_no_return": step.point_of_no_return,
            "tuiha.undo": one.undo, "tuiha.state": one.state, "tuiha.evidence": one.evidence}
        name = f"{'undo: ' if one.undo else ''}{step.target} {step.does}"
        yield SpanFacts(name, trace, span_id(state.id, step_part(one.number, one.undo, one.count)), root, one.begin,
                        one.end, attributes, "" if one.state in _GOOD else one.evidence or one.state)


def _attempts(records: Iterable[Record]) -> Iterator[_Attempt]:
    """Each attempt that came to an end; one that its runner did not survive has none."""
    open_: dict[tuple[int, bool], float] = {}
    counts: dict[tuple[int, bool], int] = {}
    for record in records:
        if record.get("record") not in _STEPS:
            continue
        key = int(record["step"]), record["record"] == "undo"
        if record["state"] == StepStatus.RUNNING:
            open_[key] = float(record["at"])
            counts[key] = counts.get(key, 0) + 1
        elif key in open_:
            yield _Attempt(*key, counts[key], open_.pop(key), float(record["at"]), str(record["state"]),
                           str(record.get("evidence") or ""))


def _held(state: OperationState, trace: int, root: int) -> Iterator[SpanFacts]:
    """The time for which the operation kept requests from the database."""
    found = interruption((step.planned.id for step in state.steps), moments_of(step.said for step in state.steps))
    if found is None or found.held_at is None or found.served_at is None or found.served_at < found.held_at:
        return
    attributes: dict[str, str | int | float | bool] = {"tuiha.held_seconds": found.held or 0.0}
    if found.unserved is not None:
        attributes["tuiha.unserved_seconds"] = found.unserved
    yield SpanFacts("requests held", trace, span_id(state.id, HELD), root, found.held_at, found.served_at, attributes)

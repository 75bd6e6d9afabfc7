"""JSON documents of plans and operations; docs/operations.md describes them. Unknown values are null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuiha.cli.output.documents import Document, moment

if TYPE_CHECKING:
    from tuiha.model.operations.statements import Statement
    from tuiha.operate.plans.plan import Plan
    from tuiha.operate.records.state import OperationState, StepState

PLAN = "tuiha.plan/1"
OPERATION = "tuiha.operation/1"
OPERATIONS = "tuiha.operations/1"

_FIGURES = ("outage_ms", "requests_delayed", "requests_failed")


def plan(plan: Plan) -> Document:
    """The document of `tuiha plan --json`."""
    return {
        "schema": PLAN,
        "id": plan.id,
        "pool": plan.pool,
        "kind": plan.kind,
        "target": list(plan.target),
        "confirm": plan.confirm,
        "checks": [check.document() for check in plan.checks],
        "steps": [step.document() for step in plan.steps],
        "loses": plan.loses,
        "loss": plan.loss.document(),
        "point_of_no_return": plan.point_of_no_return,
        "made": moment(plan.made_at),
        "expires": moment(plan.expires_at),
        "facts": dict(plan.facts),
        "details": dict(plan.details),
    }


def operation(state: OperationState) -> Document:
    """The document of `tuiha apply --json` and of one operation."""
    outcome: dict[str, Any] = dict(state.outcome or {})
    return {
        "schema": OPERATION,
        **_head(state),
        "text": state.text,
        "says": _says(state.said),
        "past_point_of_no_return": state.past_no_return,
        **{name: outcome.pop(name, None) for name in _FIGURES},
        "steps": [_step(step) for step in state.steps],
        "outcome": outcome,
    }


def operations(pool: str, states: Sequence[OperationState]) -> Document:
    """The document of `tuiha operations --json`."""
    return {"schema": OPERATIONS, "pool": pool, "operations": [_head(state) for state in states]}


def _head(state: OperationState) -> Document:
    return {
        "operation": state.id,
        "kind": state.kind,
        "target": list(state.plan.target),
        "result": str(state.status),
        "settled": state.settled,
        "nothing_changed": state.settled and not state.changed,
        "step": None if state.current is None else state.current.planned.number,
        "who": state.who,
        "host": state.host or None,
        "journal_here": state.alive is not None,
        "reason": state.reason,
        "overrides": list(state.overrides),
        "started": moment(state.started_at),
        "ended": moment(state.ended_at),
    }


def _step(step: StepState) -> Document:
    return {
        "number": step.planned.number,
        "id": str(step.planned.id),
        "name": f"{step.planned.target} {step.planned.does}",
        "target": step.planned.target,
        "action": step.planned.action,
        "result": str(step.state),
        "seconds": step.seconds,
        "evidence": step.evidence,
        "says": _says(step.said),
    }


def _says(said: Statement | None) -> Document | None:
    """A statement as its code and figures."""
    return None if said is None else said.document()

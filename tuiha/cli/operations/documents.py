"""The JSON documents of plans and operations; their fields are in `tuiha.model.documents`. Unknown values are null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuiha.cli.output.table import moment

if TYPE_CHECKING:
    from tuiha.model.documents import (
        LossDocument,
        OperationDocument,
        OperationHeadDocument,
        OperationsDocument,
        PlanCheckDocument,
        PlanDocument,
        PlannedStepDocument,
        RefusalDocument,
        StatementDocument,
        StepDocument,
    )
    from tuiha.model.operations.plans import Loss
    from tuiha.model.operations.statements import Statement
    from tuiha.operate.plans.plan import Check, Plan, PlannedStep
    from tuiha.operate.records.state import OperationState, StepState


def plan(plan: Plan) -> PlanDocument:
    """The document of `tuiha plan --json`."""
    return {
        "schema": "tuiha.plan/1",
        "id": plan.id,
        "pool": plan.pool,
        "kind": plan.kind,
        "target": list(plan.target),
        "confirm": plan.confirm,
        "checks": [_check(check) for check in plan.checks],
        "steps": [_planned(step) for step in plan.steps],
        "loses": plan.loses,
        "loss": _loss(plan.loss),
        "point_of_no_return": plan.point_of_no_return,
        "made": moment(plan.made_at),
        "expires": moment(plan.expires_at),
        "facts": dict(plan.facts),
        "details": dict(plan.details),
    }


def operation(state: OperationState) -> OperationDocument:
    """The document of `tuiha apply --json` and of one operation."""
    outcome: dict[str, Any] = dict(state.outcome or {})
    return {
        "schema": "tuiha.operation/1",
        **_head(state),
        "text": state.text,
        "says": None if state.said is None else _says(state.said),
        "past_point_of_no_return": state.past_no_return,
        "outage_ms": outcome.pop("outage_ms", None),
        "requests_delayed": outcome.pop("requests_delayed", None),
        "requests_failed": outcome.pop("requests_failed", None),
        "steps": [_step(step) for step in state.steps],
        "outcome": outcome,
    }


def refusal(said: Statement, text: str, code: int) -> RefusalDocument:
    """The document of an operation that was refused; `code` is the exit code."""
    told = _says(said)
    return {"schema": "tuiha.refusal/1", "code": told["code"], "figures": told["figures"], "text": text,
            "exit_code": code}


def operations(pool: str, states: Sequence[OperationState]) -> OperationsDocument:
    """The document of `tuiha operations --json`."""
    return {"schema": "tuiha.operations/1", "pool": pool, "operations": [_head(state) for state in states]}


def _head(state: OperationState) -> OperationHeadDocument:
    return {
        "operation": state.id,
        "kind": state.kind,
        "target": list(state.plan.target),
        "result": state.status,
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


def _step(step: StepState) -> StepDocument:
    return {
        "number": step.planned.number,
        "id": str(step.planned.id),
        "name": f"{step.planned.target} {step.planned.does}",
        "target": step.planned.target,
        "action": step.planned.action,
        "result": step.state,
        "seconds": step.seconds,
        "evidence": step.evidence,
        "says": None if step.said is None else _says(step.said),
    }


def _check(check: Check) -> PlanCheckDocument:
    return {
        "name": str(check.name),
        "subject": check.subject,
        "value": check.value,
        "limit": check.limit,
        "verdict": check.verdict,
        "remedy": check.remedy,
        "found": _says(check.found),
        "wanted": _says(check.wanted),
        "mend": None if check.mend is None else _says(check.mend),
    }


def _planned(step: PlannedStep) -> PlannedStepDocument:
    return {
        "number": step.number,
        "id": str(step.id),
        "target": step.target,
        "action": step.action,
        "limit_seconds": step.limit_seconds,
        "undo": step.undo,
        "point_of_no_return": step.point_of_no_return,
        "figures": _says(step.says)["figures"],
    }


def _loss(loss: Loss) -> LossDocument:
    said = _says(loss.says)
    return {"extent": loss.extent, "amount": loss.amount, "unit": loss.unit, "code": said["code"],
            "figures": said["figures"]}


def _says(said: Statement) -> StatementDocument:
    """A statement as its code and figures."""
    found = said.document()
    return {"code": found["code"], "figures": found["figures"]}

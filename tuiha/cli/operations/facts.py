"""Operations as the dashboard's screens take them: those of this host, and those that others have run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.outage import moments_of
from tuiha.model.operations.plans import Extent, OperationStatus, StepStatus
from tuiha.model.operations.ways import against
from tuiha.tui.operations.operator import StartedOperation, StepFacts
from tuiha.tui.shell import apply_command, both_commands, plan_command
from tuiha.words.step_names import step_name

if TYPE_CHECKING:
    from tuiha.operate.records.state import OperationState, StepState
    from tuiha.watch.reader import RecordedOperation


def facts_of(state: OperationState, elsewhere: bool = False) -> StartedOperation:
    """An operation as the screens take it; `elsewhere`: it was run from another host."""
    seconds = None
    if state.started_at is not None and state.ended_at is not None:
        seconds = state.ended_at - state.started_at
    return StartedOperation(
        id=state.id, kind=state.kind, target=state.plan.target, who=state.who, reason=state.reason, state=state.status,
        steps=tuple(map(_step, state.steps)), started_at=state.started_at or 0.0, seconds=seconds,
        outcome=dict(state.outcome or {}), command=_command(state), next=_next(state),
        cancelling=state.cancelling and not state.ended, left=state.left, host=state.host, elsewhere=elsewhere,
        undoable=state.undoable, changed=state.changed,
        loses=state.plan.loses, loses_nothing=state.plan.loss.extent is Extent.NONE, roles=_roles(state),
        moments=moments_of(step.said for step in state.steps),
    )


def _roles(state: OperationState) -> tuple[str, str] | None:
    """The active database before and after; None for an operation that leaves the roles as they are."""
    found = state.plan.roles
    return None if found is None or state.plan.point_of_no_return is None else found[1:]


def _step(step: StepState) -> StepFacts:
    planned = step.planned
    running = step.undoing or step.state is StepStatus.RUNNING
    return StepFacts(
        planned.number, planned.target, f"undo: {planned.action}" if step.undoing else planned.action,
        StepStatus.RUNNING if running else step.state, planned.limit_seconds, planned.undo, planned.point_of_no_return,
        step.seconds, step.started_at, step.progress if running else step.evidence, step.done, step.of,
        id=planned.id, name=f"undo: {step_name(planned.says)}" if step.undoing else step_name(planned.says),
    )


def _command(state: OperationState) -> str:
    """What does the same in a shell."""
    plan = state.plan
    return both_commands(plan_command(plan.kind, plan.target, plan.details.get("options", {})),
                         apply_command(plan.id, plan.confirm, state.overrides, state.reason))


def _next(state: OperationState) -> str:
    """What the result says, and the command that comes next when something is left to be done."""
    if not state.settled and not state.standing.running:
        goes_on = f"tuiha resume {state.id}"
        command = f"{goes_on}, or tuiha undo {state.id}" if against(IntentWay.UNDO, state.standing) is None else goes_on
        return f"{state.text}  {command}".strip()
    whole = state.state is OperationStatus.DONE and (state.outcome or {}).get("protected", True)
    return "" if whole else state.text


def facts_of_row(row: RecordedOperation) -> StartedOperation:
    """An operation from its copy in the database: with its steps when the plan was copied too."""
    from tuiha.operate.records.state import from_document, read_state, status_of

    records: list[Mapping[str, Any]] = json.loads(row.journal)
    kept = next((record["plan"] for record in records if record.get("record") == "plan"), None)
    if kept is not None:
        return facts_of(read_state(row.id, from_document(kept), records), elsewhere=True)
    ended, started = row.ended_at, row.started_at.timestamp()
    return StartedOperation(
        id=row.id, kind=row.kind, target=tuple((row.target or "").split()), who=row.who, reason=row.reason or "",
        state=status_of(row.state), steps=(), started_at=started, elsewhere=True,
        seconds=None if ended is None else ended.timestamp() - started,
    )

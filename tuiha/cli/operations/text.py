"""Plans and operations as text."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiha.cli.output.table import aligned, cell, moment, plain
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.plans import CheckVerdict, StepStatus
from tuiha.model.operations.ways import against
from tuiha.words.results import told

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan
    from tuiha.operate.records.state import OperationState, StepState


def plan_text(plan: Plan) -> str:
    """A plan as a person reads it before it is done."""
    return "\n".join([
        f"PLAN {plan.id}  {what(plan)}  pool {plan.pool}",
        "Checks", *(_checks(plan) or ["  none"]),
        f"Data loss: {plain(plan.loses)}",
        "Steps, each with its limit", *(_steps(plan) or ["  none"]),
        *_users(plan),
    ])


def _checks(plan: Plan) -> list[str]:
    """Each check in a line that fits a terminal; of one that is not good also what is wanted, and what to do."""
    lines = []
    rows = aligned([(f"  {check.verdict.upper()}", plain(check.name), plain(check.subject), plain(check.value))
                    for check in plan.checks])
    for check, row in zip(plan.checks, rows, strict=True):
        lines.append(row)
        if check.verdict is not CheckVerdict.OK:
            lines += [f"           {text}" for text in (f"wanted: {plain(check.limit)}", plain(check.remedy)) if text]
    return lines


def _steps(plan: Plan) -> list[str]:
    """Each step in a line, and a line before the one that cannot be taken back."""
    rows = aligned([(f"  {step.number}", plain(step.target), plain(step.does), f"{step.limit_seconds:g}s",
                     "undo" if step.undo and not step.point_of_no_return else "no undo") for step in plan.steps], (3,))
    lines = []
    for step, row in zip(plan.steps, rows, strict=True):
        lines += ["  -- POINT OF NO RETURN --", row] if step.point_of_no_return else [row]
    return lines


def _users(plan: Plan) -> list[str]:
    """What a plan that moves users makes of every server, and what it costs."""
    servers, pace = plan.details.get("servers"), plan.details.get("pace")
    if not servers or not pace:
        return []
    rows = [(f"  {plain(row['server'])}", row["part"], f"share {row['target']:,.0f}",
             f"users {row['users_before']:,} -> {row['users_after']:,}",
             f"devices {row['devices_before']:,} -> {row['devices_after']:,}") for row in servers]
    logins = ", ".join(f"{plain(name)} {count:,}" for name, count in sorted(plan.details["logins"].items()))
    rate = f"{plan.details['minutes']:g} minutes at {pace['rate']:g} users a second" if pace["rate"] else "no throttle"
    return ["Users", *aligned(rows), f"  {plan.details['moves_planned']:,} moves, at least {plan.details['minimum']:,} "
            f"are needed; {rate}", f"  log-ins: {logins or 'none'}"]


def next_command(plan: Plan) -> str:
    """How the plan is applied, or why it would be refused."""
    bad = dict.fromkeys(check.name for check in plan.stopped_by)
    if any(check.verdict is CheckVerdict.NEVER for check in plan.stopped_by):
        return "It would be refused, and no override helps: see the checks marked NEVER."
    overrides = "".join(f" --override {name}" for name in bad)
    first = f"It would be refused: {', '.join(bad)}. All the same:" if bad else "Nothing has been changed. To do it:"
    return f'{first}\n  tuiha apply {plan.id} --confirm {shlex.quote(plan.confirm)}{overrides} --reason "..."'


def what(plan: Plan) -> str:
    """Kind and target."""
    return plain(" ".join((plan.kind, *plan.target)))


def operation_text(state: OperationState) -> str:
    """An operation with its steps."""
    rows = [(f"  {step.planned.number}", plain(step.planned.target), plain(step.planned.does), step.state,
             cell(step.seconds, "{:.2f}s"), plain(step.evidence or step.progress)) for step in state.steps]
    figures = [f"{label}: {plain(text)}" for label, text in told(state.outcome or {}, state.interruption)]
    lacks = ", UNPROTECTED" if (state.outcome or {}).get("protected") is False else ""
    lines = [f"{state.status.upper()}{lacks}  {what(state.plan)}  operation {state.id}",
             *([plain(state.text)] if state.text else []),
             f"by {plain(state.who)}, {moment(state.started_at) or 'not started'}"
             + (f", because: {plain(state.reason)}" if state.reason else ""),
             *aligned(rows, (4,)), *figures]
    advice = next_step(state)
    return "\n".join([*lines, *([advice] if advice else [])])


def next_step(state: OperationState) -> str:
    """What an operator does now; empty when there is nothing to do."""
    if state.alive is None and not state.settled:
        return f"Its journal is on {plain(state.host) or 'another host'}: follow, resume or undo it there."
    if state.settled or state.standing.running:
        return ""
    back = f", `tuiha undo {state.id}` undoes it" if against(IntentWay.UNDO, state.standing) is None else ""
    return f"It still has the pool: `tuiha resume {state.id}` finishes it{back}."


def operations_text(states: Sequence[OperationState]) -> str:
    """The operations, one a line."""
    head = ("OPERATION", "WHAT", "RESULT", "STEP", "WHO", "HOST", "STARTED", "REASON")
    return "\n".join(aligned([head, *((
        state.id, what(state.plan), str(state.status), cell(state.current and state.current.planned.number),
        plain(state.who), plain(state.host) or "-", moment(state.started_at) or "-",
        plain(state.reason)) for state in states)]))


def step_line(step: StepState) -> str:
    """A step that has just changed, as one line of narration."""
    planned = step.planned
    state = "being undone" if step.undoing else step.state
    took = f" {step.seconds:.2f}s" if step.seconds is not None else f" (limit {planned.limit_seconds:g}s)"
    evidence = plain(step.evidence or step.progress)
    count = f" {step.done} of {step.of}" if step.state is StepStatus.RUNNING and step.of is not None else ""
    return f"{planned.number:>3} {plain(planned.target)}: {plain(planned.does)}: {state}{took}{count}" + (
        f"  {evidence}" if evidence else "")

"""An operation in the linear form: one sentence for each step that begins or ends, then its result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tuiha.cli.operations.text import next_step, what
from tuiha.cli.output.linear import stamped
from tuiha.cli.output.table import plain
from tuiha.model.operations.plans import StepStatus
from tuiha.model.words import count
from tuiha.words import linear, results

if TYPE_CHECKING:
    from tuiha.operate.records.state import OperationState, StepState

PARTS = 4  # a step that counts is told of at each quarter
_Marks = tuple[StepStatus, bool, int]
_UNSAID: _Marks = (StepStatus.WAITING, False, 0)


class OperationStory:
    """Tells what an operation does, each thing once."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self._said: dict[int, _Marks] = {}
        self._begun = False

    def lines(self, state: OperationState) -> list[str]:
        """What this state adds to what was said before."""
        told = [] if self._begun else [stamped(state.started_at or time.time(), linear.sentence(
            f"Operation {state.id} of {plain(state.who)}: {what(state.plan)}, {count(len(state.steps), 'step')}"
            + (f", because: {plain(state.reason)}" if state.reason else "")))]
        self._begun = True
        changed = [step for step in state.steps if self._marks(step) != self._said.get(step.planned.number, _UNSAID)]
        for step in sorted(changed, key=lambda step: step.started_at or 0.0):  # taking back goes backwards
            told.append(_step(step, named=step.planned.number in self._said))
            self._said[step.planned.number] = self._marks(step)
        return told

    @staticmethod
    def _marks(step: StepState) -> _Marks:
        return step.state, step.undoing, _part(step)


def _part(step: StepState) -> int:
    """How many quarters of what it counts a running step has done."""
    counts = step.state is StepStatus.RUNNING and step.done is not None and step.of
    return PARTS * (step.done or 0) // (step.of or 1) if counts else 0


def _step(step: StepState, *, named: bool) -> str:
    """A step that has just changed; one that was `named` before is not described again."""
    planned, ended = step.planned, step.state is not StepStatus.RUNNING
    counted = f"{step.done:,} of {step.of:,}" if _part(step) else ""
    took = f"{step.seconds:.1f} s" if ended and step.seconds is not None else ""
    began = time.time() if step.started_at is None or counted else step.started_at
    return stamped(began + (step.seconds or 0.0 if ended else 0.0), linear.step(
        planned.number, step.state, "" if named else f"{plain(planned.target)}: {plain(planned.does)}", took,
        plain(step.evidence) if ended else counted, undoing=step.undoing))


def result_lines(state: OperationState) -> list[str]:
    """The result, its figures, and what comes next."""
    outcome = state.outcome or {}
    said = [f"The operation is {state.status.upper()}{f': {plain(state.text)}' if state.text else ''}",
            *(f"{label}: {plain(text)}" for label, text in results.told(outcome, state.interruption)),
            linear.protection(outcome.get("protected")), next_step(state)]
    return [stamped(state.ended_at or time.time(), linear.sentence(text)) for text in said if text]

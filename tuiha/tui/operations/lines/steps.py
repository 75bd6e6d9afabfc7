"""The steps of an operation that was started: each as a line, or all of them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.model.words import span
from tuiha.tui.draw import figures
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR
from tuiha.tui.draw.spans import Line, Span, clean, fit, left, on_ground, right, width_of
from tuiha.tui.operations.operator import StepFacts

_STEPS: Mapping[StepStatus, tuple[Span, str]] = {  # mark, style of the words
    StepStatus.WAITING: (("·", "quiet"), "quiet"),
    StepStatus.RUNNING: ((CURSOR, "flow bold"), "strong bold"),
    StepStatus.DONE: (("✓", "well"), "text"),
    StepStatus.FAILED: (("✗", "bad bold"), "bad bold"),
    StepStatus.UNKNOWN: (("?", "warning bold"), "warning bold"),
    StepStatus.UNDONE: (("◂", "heading"), "heading"),
    StepStatus.STOPPED: (("▪", "warning"), "warning"),
}
RESULTS: Mapping[OperationStatus, str] = {  # the style of its word
    OperationStatus.RUNNING: "armed bold", OperationStatus.DONE: "well bold", OperationStatus.FAILED: "bad bold",
    OperationStatus.UNKNOWN: "warning bold", OperationStatus.UNDONE: "heading bold",
    OperationStatus.CANCELLED: "warning bold", OperationStatus.INTERRUPTED: "bad bold",
}
STUCK = (StepStatus.FAILED, StepStatus.UNKNOWN)
_OVER = (StepStatus.DONE, StepStatus.UNDONE)
_TWO_FROM = 74  # columns from which steps stand in two columns
_CELL = 56  # cells of a column of steps, at most
_TURN = "══ point of no return"


def step_line(step: StepFacts, now: float, width: int) -> Line:
    """A step: its state as a mark, how long it took, and what was read back."""
    mark, style = _STEPS[step.state]
    name = name_width(width)
    told = step.evidence
    if step.state is StepStatus.RUNNING:
        told = f"{_gone(step, now)} of at most {span(step.limit_seconds, fine=False)}  {step.evidence}".rstrip()
    elif step.state in STUCK:
        told = f"{step.state.upper()}  {step.evidence}"
    elif step.state is StepStatus.WAITING:
        told = "waiting"
    taken = figures.taken(step.seconds)
    both = f"{step.action}  {step.target}"
    shown = both if len(both) <= name else step.action if len(step.action) <= name else step.called
    return Line(fit((
        (" ", "text"), mark, (" ", "text"), (left(shown, name), style),
        (right(taken, 8) + "  ", "quiet"), (told, "heading" if step.state in _OVER else style),
    ), width))


def whole_step(step: StepFacts, now: float, width: int) -> list[Line]:
    """A step with all that was read back, in as many lines as it takes."""
    line = step_line(step, now, width)
    indent = name_width(width) + 13
    if step.state is StepStatus.RUNNING or indent + len(step.evidence) + len(step.state) + 2 <= width:
        return [line]
    word = f"{step.state.upper()}  " if step.state in STUCK else ""
    first, *more = wrapped(clean(f"{word}{step.evidence}"), width - indent - 1)
    start = step_line(replace(step, evidence=first.removeprefix(word)), now, width)
    return [start, *(Line(fit(((" " * indent + part, "heading"),), width)) for part in more)]


def name_width(width: int) -> int:
    """Cells of what a step does, where its evidence stands beside it."""
    return max(18, min(44, width * 2 // 5))


def _gone(step: StepFacts, now: float) -> str:
    gone = 0.0 if step.started_at is None else max(0.0, now - step.started_at)
    return span(gone, fine=False)


def step_grid(steps: Sequence[StepFacts], chosen: int, now: float, width: int) -> list[Line]:
    """All steps by their names, from the top down, in two columns where that fits; the chosen one on a ground.

    A line stands before the point of no return.
    """
    columns = 2 if width >= _TWO_FROM and len(steps) > 5 else 1
    cell = min(_CELL, (width - 1) // columns)
    cells: list[tuple[Span, ...]] = []
    for place, step in enumerate(steps):
        if step.point_of_no_return:
            passed = step.state is not StepStatus.WAITING
            text = f"{_TURN}{': passed ' if passed else ' '}"
            cells.append(fit(((text + "═" * max(0, cell - width_of([(text, "")]) - 2), "bad bold"),), cell))
        spans = _cell(step, now, cell)
        cells.append(on_ground(spans, "cursor") if place == chosen else spans)
    rows = -(-len(cells) // columns)
    lines = []
    for row in range(rows):
        side_by_side = [part for column in range(columns) if row + column * rows < len(cells)
                        for part in cells[row + column * rows]]
        lines.append(Line(fit(((" ", "text"), *side_by_side), width)))
    return lines


def _cell(step: StepFacts, now: float, cell: int) -> tuple[Span, ...]:
    mark, style = _STEPS[step.state]
    end = figures.taken(step.seconds, 1)
    if step.state is StepStatus.RUNNING:
        end = _gone(step, now)
    elif step.state in STUCK or step.state is StepStatus.STOPPED:
        end = step.state.upper()
    room = max(1, cell - 6 - width_of([(end, "")]) - 2)
    number: Span = (f" {right(str(step.number), 2)}  ", "quiet")
    return (mark, number, (left(step.called, room), style), (f" {end} ", "quiet"))

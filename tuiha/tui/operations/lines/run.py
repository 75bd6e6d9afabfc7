"""An operation that runs, as people read it: all steps at once, and what was read back after the chosen one."""

from __future__ import annotations

from tuiha.model.operations.plans import StepStatus
from tuiha.model.words import span
from tuiha.tui.draw import figures
from tuiha.tui.draw.lists import rule, wrapped
from tuiha.tui.draw.marks import CURSOR, bar
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, spread, width_of
from tuiha.tui.operations.lines.plan import apart, title_of
from tuiha.tui.operations.lines.steps import RESULTS, STUCK, step_grid, whole_step
from tuiha.tui.operations.operator import StartedOperation, StepFacts
from tuiha.words.results import WORDS, meanwhile

GRID_FROM = 3  # lines over the steps
LEAVING = "You can close this terminal. The operation continues, and tuiha reopens here."
_LEAST = 2  # lines of evidence that are worth their rule


def chosen_step(operation: StartedOperation, wanted: int | None) -> int:
    """The place of the step whose evidence is shown: the wanted one, else the last that has some."""
    last = len(operation.steps) - 1
    if wanted is not None:
        return max(0, min(wanted, last))
    steps = list(enumerate(operation.steps))
    stuck = [place for place, step in steps if step.state in STUCK]
    told = [place for place, step in steps if step.evidence and step.state is not StepStatus.RUNNING]
    return next(iter(stuck), told[-1] if told else 0)


def title_lines(word: str, operation: StartedOperation, end: Span, width: int) -> list[Line]:
    """What it is, who started it and why, and its id."""
    title = title_of(operation.kind, operation.target)
    start: tuple[Span, ...] = ((f" {word}  ", "armed bold"), (title, "strong bold"))
    lines = apart(start, (("  ", "text"), end, (" ", "text")), width)
    reason = f'   "{operation.reason}"' if operation.reason else ""
    who: tuple[Span, ...] = ((clean(f" by {operation.who}{reason}"), "armed"),)
    number: tuple[Span, ...] = ((f"  {operation.id} ", "quiet"),)
    if width_of((*who, *number)) <= width:
        return [*lines, Line(spread(who, number, width))]
    parts = wrapped(clean(f"by {operation.who}{reason}   {operation.id}"), width - 2)
    return [*lines, *(Line(fit(((f" {part}", "armed"),), width)) for part in parts)]


def run_lines(operation: StartedOperation, now: float, width: int, room: int, wanted: int | None) -> tuple[Line, ...]:
    """The steps side by side, the one that runs, what requests notice, and the evidence of the chosen step."""
    place = chosen_step(operation, wanted)
    done = sum(step.state is StepStatus.DONE for step in operation.steps)
    end: Span = (f"{WORDS[operation.state]}  {done} of {len(operation.steps)}", RESULTS[operation.state])
    title = [*title_lines("RUN", operation, end, width), BLANK]
    lines = [*title, *step_grid(operation.steps, place, now, width)]
    running = next((step for step in operation.steps if step.state is StepStatus.RUNNING), None)
    below = [*_running(running, now, width), *_progress(operation, now, width), *_requests(operation, now, width)]
    if operation.cancelling:
        below.append(Line(fit(((" It was asked to stop, and stops where that is safe.", "warning"),), width)))
    below += [Line(fit(((f" {part}", "quiet"),), width)) for part in wrapped(LEAVING, width - 2)]
    if len(lines) + len(below) > room and wanted is None:
        lines = [*title, *_latest(operation, place, now, width)]
    left_over = room - len(lines) - len(below)
    gap = [BLANK] if left_over > _LEAST + 2 else []
    return (*lines, *gap, *below, *_evidence(operation.steps[place] if operation.steps else None, width,
                                             left_over - len(gap)))


def _latest(operation: StartedOperation, place: int, now: float, width: int) -> list[Line]:
    """Where there is no room for all steps: those that were done before the last one in one line, then the others."""
    first = max(0, min(place, len(operation.steps) - 1))
    turned = any(step.point_of_no_return for step in operation.steps[:first])
    told: tuple[Span, ...] = ((" ✓ ", "well"), (f" 1-{first}  done" if first > 1 else "  1  done", "text"),
                              ("; point of no return: passed" if turned else "", "bad bold"))
    folded = [Line(fit(told, width))] if first else []
    return [*folded, *step_grid(operation.steps[first:], place - first, now, width)]


def whole_lines(operation: StartedOperation, now: float, width: int) -> tuple[Line, ...]:
    """Every step with all that was read back."""
    end: Span = (WORDS[operation.state], RESULTS[operation.state])
    lines = [*title_lines("STEPS", operation, end, width), BLANK]
    for step in operation.steps:
        if step.point_of_no_return:
            lines.append(Line(fit(((" ══ POINT OF NO RETURN ══", "bad bold"),), width)))
        lines += whole_step(step, now, width)
    return tuple(lines)


def _running(step: StepFacts | None, now: float, width: int) -> list[Line]:
    """The step that runs: what it does, how long it may take, how far it is."""
    if step is None:
        return []
    gone = 0.0 if step.started_at is None else max(0.0, now - step.started_at)
    end: Span = (f"{span(gone, fine=False)} of at most {span(step.limit_seconds, fine=False)} ", "quiet")
    room = width - len(end[0]) - 8
    first, *more = wrapped(clean(step.action), room)
    start: tuple[Span, ...] = ((f" {CURSOR} ", "flow bold"), (f"{step.number}  ", "quiet"), (first, "strong bold"))
    texts = [*more, *(wrapped(clean(step.evidence), width - 7) if step.evidence else ())]
    return [Line(spread(start, (("  ", "text"), end), width)),
            *(Line(fit(((f"      {part}", "text"),), width)) for part in texts)]


def _requests(operation: StartedOperation, now: float, width: int) -> list[Line]:
    """What is held and for how long."""
    found = operation.interruption
    text = meanwhile(found, now) if found is not None else ""
    open_now = found is not None and found.served_at is None
    style = "warning bold" if open_now else "text"
    parts = wrapped(f"{text[:1].upper()}{text[1:]}", width - 2) if text else []
    return [Line(fit(((f" {part}", style),), width)) for part in parts]


def _progress(operation: StartedOperation, now: float, width: int) -> list[Line]:
    """A bar: what the running step counts, with its rate and the time that is left; or else the steps."""
    counting = next((step for step in operation.steps if step.state is StepStatus.RUNNING and step.of), None)
    if counting is not None and counting.of:
        done, of, unit = counting.done or 0, counting.of, _pace(counting, now)
    else:
        done, of, unit = sum(step.state is StepStatus.DONE for step in operation.steps), len(operation.steps), " steps"
    text = f"  {figures.count(done)} of {figures.count(of)}{unit}"
    return [Line(fit(((" ", "text"), *bar(done, of, max(10, width - len(text) - 3), "armed"), (text, "quiet")), width))]


def _pace(step: StepFacts, now: float) -> str:
    """How fast the step counts, and how long that takes still; nothing before it is known."""
    gone = 0.0 if step.started_at is None else now - step.started_at
    if not step.done or step.of is None or gone < 1.0:
        return ""
    rate = step.done / gone
    told = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
    return f"  {told}/s, {figures.duration((step.of - step.done) / rate)} left"


def _evidence(step: StepFacts | None, width: int, room: int) -> list[Line]:
    """What was read back after a step, in at most `room` lines with their rule."""
    if step is None or room < _LEAST:
        return []
    text = step.evidence or ("it has not begun" if step.state is StepStatus.WAITING else "nothing is read back yet")
    style = "text" if step.evidence else "quiet"
    parts = wrapped(clean(text), width - 2)
    more = len(parts) > room - 1
    shown = parts[: room - 2] if more else parts
    lines = [rule(width, f"step {step.number}: {step.called}"),
             *(Line(fit(((f" {part}", style),), width)) for part in shown)]
    if more:
        left_out = len(parts) - len(shown)
        lines.append(Line(fit(((f" {left_out} more lines: ", "quiet"), ("enter", "flow bold")), width)))
    return lines

"""An operation that runs or ran, as people read it: each step with what was read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.model.words import count, span
from tuiha.tui.draw import figures
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR, bar
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, left, right
from tuiha.tui.operations.lines.plan import screen_title
from tuiha.tui.operations.operator import StartedOperation, StepFacts
from tuiha.words.results import MEANINGS, WORDS

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
_STUCK = (StepStatus.FAILED, StepStatus.UNKNOWN)
_OVER = (StepStatus.DONE, StepStatus.UNDONE)


def _plain(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value >= 10 else str(value)


def _requests(value: object) -> str:
    return count(value, "request") if isinstance(value, int) else str(value)


_OUTCOMES: Mapping[str, tuple[str, Callable[[object], str]]] = {  # figure -> label, how it is said
    "outage_ms": ("Writes held", lambda value: f"{_plain(value)} ms"),
    "unserved_ms": ("Nobody served", lambda value: f"{_plain(value)} ms, since the last lease before the outage"),
    "protected": ("Protected", lambda value: "yes" if value else "no"),
    "requests_delayed": ("Delayed", _requests), "requests_failed": ("Failed", _requests),
}


def run_lines(operation: StartedOperation, now: float, width: int) -> tuple[Line, ...]:
    """The steps, how far they are, and that leaving changes nothing."""
    word, style = WORDS[operation.state], RESULTS[operation.state]
    lines = [screen_title("RUN", operation.kind, operation.target, (word, style), width), _who(operation, width), BLANK]
    lines += [step_line(step, now, width) for step in operation.steps]
    lines += [BLANK, _progress(operation, now, width), BLANK]
    if operation.cancelling:
        lines.append(Line(fit(((" It was asked to stop, and does so where that is safe.", "warning"),), width)))
    leaving = wrapped("Losing this terminal changes nothing: it goes on, and tuiha opens here.", width - 2)
    return (*lines, *(Line(fit(((f" {part}", "quiet"),), width)) for part in leaving))


def _who(operation: StartedOperation, width: int) -> Line:
    reason = f': "{operation.reason}"' if operation.reason else ""
    text = f" operation {operation.id} by {operation.who}{reason}"
    return Line(fit(((clean(text), "armed"),), width))


def step_line(step: StepFacts, now: float, width: int) -> Line:
    """A step: its state as a mark, how long it took, and what was read back."""
    mark, style = _STEPS[step.state]
    name = _name_width(width)
    told = step.evidence
    if step.state is StepStatus.RUNNING:
        gone = 0.0 if step.started_at is None else max(0.0, now - step.started_at)
        told = f"{gone:.0f}s of {step.limit_seconds:g}s  {step.evidence}".rstrip()
    elif step.state in _STUCK:
        told = f"{step.state.upper()}  {step.evidence}"
    elif step.state is StepStatus.WAITING:
        told = "waiting"
    taken = "" if step.seconds is None else f"{step.seconds:.2f}s"
    both = f"{step.action}  {step.target}"
    return Line(fit((
        (" ", "text"), mark, (" ", "text"), (left(both if len(both) <= name else step.action, name), style),
        (right(taken, 8) + "  ", "quiet"), (told, "heading" if step.state in _OVER else style),
    ), width))


def _progress(operation: StartedOperation, now: float, width: int) -> Line:
    """A bar: what the running step counts, with its rate and the time that is left; or else the steps."""
    counting = next((step for step in operation.steps if step.state is StepStatus.RUNNING and step.of), None)
    if counting is not None and counting.of:
        done, of, unit = counting.done or 0, counting.of, _pace(counting, now)
    else:
        done, of, unit = sum(step.state is StepStatus.DONE for step in operation.steps), len(operation.steps), " steps"
    text = f"  {figures.count(done)} of {figures.count(of)}{unit}"
    return Line(fit((("   ", "text"), *bar(done, of, max(10, width - len(text) - 8), "armed"), (text, "quiet")), width))


def _pace(step: StepFacts, now: float) -> str:
    """How fast the step counts, and how long that takes still; nothing before it is known."""
    gone = 0.0 if step.started_at is None else now - step.started_at
    if not step.done or step.of is None or gone < 1.0:
        return ""
    rate = step.done / gone
    told = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
    return f"  {told}/s, {figures.duration((step.of - step.done) / rate)} left"


def result_lines(operation: StartedOperation, width: int, keys: Sequence[str] = ()) -> tuple[Line, ...]:
    """What is certain now, what it cost, and what to do next; `keys` lead on when something is left."""
    word, style = WORDS[operation.state], RESULTS[operation.state]
    if operation.outcome.get("protected") is False:
        word, style = f"{word}, UNPROTECTED", "warning bold"
    title = screen_title("RESULT", operation.kind, operation.target, (word, style), width)
    lines = [title, _who(operation, width), BLANK]
    lines.append(Line(fit(((f" {MEANINGS[operation.state]}", style.removesuffix(" bold")),), width)))
    for name, value in operation.outcome.items():
        label, said = _OUTCOMES.get(name, (name.replace("_", " "), _plain))
        lines.append(_fact(label, said(value), width))
    if operation.seconds is not None:
        lines.append(_fact("In all", span(operation.seconds), width))
    for place, text in enumerate(wrapped(clean(operation.next), width - 16) if operation.next else ()):
        lines.append(_fact("" if place else "Next", text, width, "flow bold"))
    if keys:
        lines.append(_fact("Keys", "   ".join(keys), width, "flow bold"))
    for place, text in enumerate(wrapped(clean(operation.command), width - 16) if operation.command else ()):
        lines.append(_fact("" if place else "Command", text, width, "heading"))
    lines.append(BLANK)
    for step in operation.steps:
        lines += _ended_step(step, width)
    return tuple(lines)


def _ended_step(step: StepFacts, width: int) -> list[Line]:
    """A step of the result: what was read back is told whole."""
    line = step_line(step, 0.0, width)
    indent = _name_width(width) + 13
    if indent + len(step.evidence) + len(step.state) + 2 <= width:
        return [line]
    word = f"{step.state.upper()}  " if step.state in _STUCK else ""
    first, *more = wrapped(clean(f"{word}{step.evidence}"), width - indent - 1)
    start = step_line(replace(step, evidence=first.removeprefix(word)), 0.0, width)
    return [start, *(Line(fit(((" " * indent + part, "heading"),), width)) for part in more)]


def _name_width(width: int) -> int:
    return max(18, min(44, width * 2 // 5))


def _fact(label: str, text: str, width: int, style: str = "text") -> Line:
    return Line(fit(((f" {left(label, 13)} ", "quiet"), (text, style)), width))



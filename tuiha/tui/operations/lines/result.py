"""The result of an operation: what a ticket about the incident needs, on the screen and as a text to copy."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.facts import Snapshot
from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.model.words import span
from tuiha.tui.draw.head import ordered_pair, relation
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, left, width_of
from tuiha.tui.operations.lines.plan import apart, title_of
from tuiha.tui.operations.lines.steps import RESULTS, STUCK
from tuiha.tui.operations.operator import StartedOperation
from tuiha.words.results import MEANINGS, WORDS, clock, told
from tuiha.words.states import serving

_LABEL = 14  # cells of "Data loss" and its like
Fact = tuple[str, str, str]
"""A label, a text, and its style."""


def result_lines(
    operation: StartedOperation, snapshot: Snapshot | None, keys: Sequence[tuple[str, str]], width: int, room: int,
) -> tuple[Line, ...]:
    """The result; `keys` lead on, each with what it does. Without room the gaps give way."""
    for gap in ([BLANK], []):
        lines = [*_title(operation, width), *gap]
        for label, text, style in facts_of_result(operation, snapshot):
            lines += _fact(label, text, width, style)
        for place, (key, does) in enumerate(keys):
            lines += _key("" if place else "Next", key, does, width)
        lines += [*gap, *_record(width)]
        if len(lines) <= room:
            break
    return tuple(lines)


def summary(operation: StartedOperation, snapshot: Snapshot | None, pool: str) -> str:
    """The same as plain lines, for a ticket."""
    said = [("Operation", f"{title_of(operation.kind, operation.target)} on pool {pool}, {operation.id}"),
            ("Result", f"{_word(operation)}. {MEANINGS[operation.state]}".strip()),
            ("By", f"{operation.who}, {_when(operation)}"), ("Reason", operation.reason or "not given"),
            *((label, text) for label, text, _ in facts_of_result(operation, snapshot))]
    return "\n".join(f"{label}: {clean(text)}" for label, text in said)


def facts_of_result(operation: StartedOperation, snapshot: Snapshot | None) -> list[Fact]:
    """What is certain, what it cost, and how the pool is now."""
    facts: list[Fact] = [("Data loss", *_loss(operation))]
    if operation.roles is not None:
        facts.append(("From, to", " → ".join(operation.roles), "text"))
    facts += [(label, text, "text") for label, text in told(operation.outcome, operation.interruption)]
    if snapshot is not None:
        facts.append(("Now", _now(snapshot), "text"))
    facts += _steps(operation)
    if operation.next:
        facts.append(("What to do", operation.next, "flow bold"))
    return facts


def _word(operation: StartedOperation) -> str:
    lacking = operation.outcome.get("protected") is False
    return f"{WORDS[operation.state]}, UNPROTECTED" if lacking else WORDS[operation.state]


def _style(operation: StartedOperation) -> str:
    return "warning bold" if operation.outcome.get("protected") is False else RESULTS[operation.state]


def _title(operation: StartedOperation, width: int) -> list[Line]:
    style = _style(operation)
    mark = "✓" if operation.state is OperationStatus.DONE else "✗" if "bad" in style else "?"
    start: tuple[Span, ...] = ((f" {mark} RESULT  {_word(operation)}   ", style),
                               (title_of(operation.kind, operation.target), "strong bold"))
    lines = apart(start, ((f"  {operation.id} ", "quiet"),), width)
    means = MEANINGS[operation.state]
    who: tuple[Span, ...] = ((clean(f" by {operation.who}"), "armed"),)
    lines += apart(who, ((f"  {_when(operation)} ", "quiet"),), width)
    if operation.reason:
        parts = wrapped(clean(f'"{operation.reason}"'), width - 2)
        lines += [Line(fit(((f" {part}", "armed"),), width)) for part in parts]
    if means:
        lines += [Line(fit(((f" {part}", style.removesuffix(" bold")),), width)) for part in wrapped(means, width - 2)]
    return lines


def _when(operation: StartedOperation) -> str:
    if not operation.started_at:
        return "when is not known"
    if operation.seconds is None:
        return f"{clock(operation.started_at)}, its end is not known"
    begin, seconds = operation.started_at, operation.seconds
    return f"{clock(begin)} to {clock(begin + seconds)}, {span(seconds)}"


def _loss(operation: StartedOperation) -> tuple[str, str]:
    if not operation.loses_nothing and not operation.passed:
        return "Nothing is lost. The step that could lose data was not done", "text"
    return operation.loses or "not known: its plan is not here", "text" if operation.loses_nothing else "warning bold"


def _now(snapshot: Snapshot) -> str:
    """How the pool is at this moment."""
    there, total = serving(snapshot)
    parts = [f"{snapshot.verdict.value}, {there} of {total} servers serve"]
    pair, found = ordered_pair(snapshot), relation(snapshot)
    if snapshot.active is not None and len(pair) > 1 and found is not None:
        parts.append(f"{snapshot.active} is active, {pair[1].name} {found.short}")
    if snapshot.protection is not None:
        parts.append(str(snapshot.protection))
    return "; ".join(parts)


def _steps(operation: StartedOperation) -> list[Fact]:
    """How many steps were done; one that did not end well with all that is known of it."""
    done = sum(step.state is StepStatus.DONE for step in operation.steps)
    facts: list[Fact] = [("Steps", f"{done} of {len(operation.steps)} done and verified   (enter: evidence)", "text")] \
        if operation.steps else []
    for step in operation.steps:
        if step.state in STUCK:
            facts.append((f"Step {step.number}", f"{step.called}: {step.state.upper()}. {step.evidence}", "bad bold"))
    return facts


def _fact(label: str, text: str, width: int, style: str) -> list[Line]:
    return [Line(fit(((f" {left('' if place else label, _LABEL - 1)}", "quiet"), (part, style)), width))
            for place, part in enumerate(wrapped(clean(text), max(10, width - _LABEL - 1)))]


def _key(label: str, key: str, does: str, width: int) -> list[Line]:
    first, *more = wrapped(clean(does), max(10, width - _LABEL - len(key) - 2))
    lines = [Line(fit(((f" {left(label, _LABEL - 1)}", "quiet"), (f"{key} ", "flow bold"), (first, "strong")), width))]
    return [*lines, *(Line(fit(((" " * (_LABEL + len(key) + 1) + part, "strong"),), width)) for part in more)]


def _record(width: int) -> list[Line]:
    whole: tuple[Span, ...] = ((" For the record  ", "quiet"), ("y", "flow bold"),
                               (" copies a summary for the ticket   ", "quiet"), ("Y", "flow bold"),
                               (" copies the shell command", "quiet"))
    short: tuple[Span, ...] = ((" y", "flow bold"), (" copies a summary   ", "quiet"), ("Y", "flow bold"),
                               (" copies the command", "quiet"))
    return [Line(fit(whole if width_of(whole) <= width else short, width))]

"""Problems at length: each with its state, since when, its meaning, what users notice, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuiha.model.facts import NodeKind, Problem, Severity
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import SEVERITY_STYLES, problem_spans
from tuiha.tui.draw.lists import rule, wrapped
from tuiha.tui.draw.marks import CURSOR, DOWN, OK, WARN
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, left, spread
from tuiha.words import explain
from tuiha.words.next import command, key
from tuiha.words.problems import means

NONE = "No problem is known."
OVER = "This problem is over. esc goes back to the list."
_LABEL = 12
_MARKS: Mapping[Severity, str] = {Severity.BAD: DOWN, Severity.WARNING: WARN, Severity.NOTE: OK}


@dataclass(frozen=True, slots=True)
class ProblemPlace:
    """The problem that a line is about; 0 is the worst."""

    number: int
    line: Line


def same(one: Problem, other: Problem) -> bool:
    """Whether both are the same problem, as it was and as it is."""
    return (one.kind, one.subject, one.code) == (other.kind, other.subject, other.code)


def list_lines(
    problems: Sequence[Problem], keys: Mapping[str, str], now: float, width: int, cursor: int
) -> list[ProblemPlace]:
    """All problems, worst first; `keys` lead to operations here: as they are declared, and as they are bound."""
    places: list[ProblemPlace] = []
    for number, problem in enumerate(problems):
        lines = [_head(problem, keys, now, width, number == cursor), *_told(problem, keys, width, long=False), BLANK]
        places += [ProblemPlace(number, line) for line in lines]
    return places[:-1]


def full_lines(problem: Problem, keys: Mapping[str, str], now: float, width: int) -> list[Line]:
    """One problem, with everything that is known about it and the page that helps."""
    found = explain.problem(problem.code)
    lines = [_head(problem, keys, now, width, here=False), BLANK]
    if problem.since is not None:
        least = "at least " if problem.at_least else ""
        since = f"{figures.clock(problem.since)}Z, for {least}{figures.duration(now - problem.since)}"
        lines += _labelled("Since", since, "text", width)
    lines += _told(problem, keys, width, long=True)
    if found.runbook:
        lines += [BLANK, *_labelled("Runbook", found.runbook, "flow", width)]
    if problem.kind is not NodeKind.POOL:
        lines += _labelled("Node", f"enter shows the detail of {problem.subject}", "quiet", width)
    return lines


def title(number: int, width: int) -> Line:
    """The rule above the list."""
    return rule(width, f"{number} {'problem' if number == 1 else 'problems'}, worst first")


def _head(problem: Problem, keys: Mapping[str, str], now: float, width: int, here: bool) -> Line:
    style = SEVERITY_STYLES[problem.severity]
    start: list[Span] = [
        (f"{CURSOR if here else ' '}", "flow bold"), (f"{_MARKS[problem.severity]} ", f"{style} bold"),
        *problem_spans(problem, now),
    ]
    pressed = _pressed(problem, keys)
    end: tuple[Span, ...] = (("  ", "text"), (pressed, "flow bold"), (" ", "text")) if pressed else ()
    return Line(spread(start, end, width), "cursor" if here else "ground")


def _pressed(problem: Problem, keys: Mapping[str, str]) -> str:
    """The key that leads to what comes next; empty when none does here."""
    return keys.get(key(problem.next) or "", "")


def _told(problem: Problem, keys: Mapping[str, str], width: int, *, long: bool) -> list[Line]:
    """What it means, what users notice, and what to do; in `long` also what that is in this pool."""
    found = explain.problem(problem.code)
    lines = _labelled("Meaning", found.meaning, "text", width)
    if long:
        lines += _labelled("Here", means(problem), "text", width)
    lines += _labelled("Users", found.users, "text", width)
    lines += _labelled("What to do", found.remedy, "text", width)
    then, pressed = command(problem.next), _pressed(problem, keys)
    if then:
        told = f"{pressed}, or {then}" if pressed else then
        lines += _labelled("Next", told, "flow bold", width)
    return lines


def _labelled(label: str, text: str, style: str, width: int) -> list[Line]:
    parts = wrapped(clean(text), width - _LABEL - 4) if text else []
    return [Line(fit(((f"   {left('' if place else label, _LABEL)}", "quiet"), (part, style)), width))
            for place, part in enumerate(parts)]

"""What is wrong, cause first, and under each cause what it does."""

from __future__ import annotations

from tuiha.model.facts import NodeKind, Severity, Snapshot
from tuiha.model.problems.symptoms import Folded, folded
from tuiha.tui.draw.head import SEVERITY_STYLES, problem_spans
from tuiha.tui.draw.lists import rule, wrapped
from tuiha.tui.draw.marks import DOWN, WARN
from tuiha.tui.draw.spans import Line, Span, fit, left, spread
from tuiha.words.next import command
from tuiha.words.problems import means
from tuiha.words.states import symptoms

_MARKS = {Severity.BAD: DOWN, Severity.WARNING: WARN, Severity.NOTE: "·"}
_NAMES = 17  # cells of the names of nodes with a symptom


def cause_lines(snapshot: Snapshot, now: float, width: int, room: int) -> list[Line]:
    """The causes in at most `room` lines under a rule: each with its symptoms, and what it means while there is room.

    Nothing while nothing is wrong: a note is no reason for a list.
    """
    found = [one for one in folded(snapshot.problems) if one.cause.severity is not Severity.NOTE]
    if not found or room < 2:
        return []
    shown = _fitting([_block(one, snapshot, now, width) for one in found], room - 1)
    title = "CAUSE" if len(found) == 1 else f"CAUSES {len(found)}"
    title += f", {len(found) - len(shown)} more than fit" if len(shown) < len(found) else ""
    return [rule(width, title), *(line for block in shown for line in block)]


def _fitting(blocks: list[list[Line]], room: int) -> list[list[Line]]:
    """Each problem whole while there is room, else its first lines; the worst comes first."""
    chosen: list[list[Line]] = []
    for place, block in enumerate(blocks):
        later = len(blocks) - place - 1
        if len(block) + later <= room:
            chosen.append(block)
            room -= len(block)
        elif room > 0:
            kept = block[: max(1, room - later)]
            chosen.append(kept)
            room -= len(kept)
    return chosen


def _block(found: Folded, snapshot: Snapshot, now: float, width: int) -> list[Line]:
    problem = found.cause
    style = SEVERITY_STYLES[problem.severity]
    next_one: list[Span] = [] if problem.next is None else [
        ("  ", "text"), (command(problem.next).removeprefix("tuiha plan "), "flow"), (" ", "text")]
    subject: list[Span] = [(f"{snapshot.pool} ", f"{style} bold")] if problem.kind is NodeKind.POOL else []
    first: list[Span] = [(f" {_MARKS[problem.severity]} ", f"{style} bold"), *subject, *problem_spans(problem, now)]
    lines = [Line(spread(first, next_one, width))]
    for names, state, told in symptoms(found, snapshot.users, len(snapshot.servers)):
        spans: tuple[Span, ...] = (
            ("   └ ", "lines"), (left(names, max(_NAMES, min(len(names), width // 3))), "strong"), ("  ", "text"),
            (left(state, 11), "warning bold"), ("  ", "text"), (told, "text"))
        lines.append(Line(fit(spans, width)))
    return lines + [Line(fit(((f"   {part}", "quiet"),), width)) for part in wrapped(means(problem), width - 4)]

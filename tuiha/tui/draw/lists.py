"""Lists under the table: last events, problems with what they mean, and the footer's keys."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import islice

from tuiha.model.event_groups import EventGroup, grouped
from tuiha.model.facts import Event, Problem
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import SEVERITY_STYLES, problem_spans
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, width_of
from tuiha.words.events import of_group, subjects, text
from tuiha.words.next import command
from tuiha.words.problems import means


def rule(width: int, title: str = "") -> Line:
    """A thin line across the screen, with a title in it or without."""
    if not title:
        return Line((("─" * width, "lines"),))
    start: tuple[Span, ...] = (("── ", "lines"), (title, "heading"), (" ", "text"))
    return Line(fit((*start, ("─" * max(0, width - width_of(start)), "lines")), width))


def event_lines(events: Sequence[Event], width: int, rows: int, skip: int = 0) -> tuple[Line, ...]:
    """The newest events in exactly `rows` lines, those of one cause in one."""
    lines = [group_line(group, width) for group in islice(grouped(events), skip, skip + rows)]
    if not lines and rows:
        lines.append(Line(fit(((" nothing has changed since this dashboard started", "quiet"),), width)))
    return (*lines, *[BLANK] * (rows - len(lines)))


def group_line(group: EventGroup, width: int) -> Line:
    """Events of one cause: when the newest was (UTC), the nodes, what changed."""
    named = subjects(group, max(10, width // 3))
    return _line(group.newest, max(len(named), 10 if width >= 60 else 7), named, of_group(group), width)


def event_line(event: Event, width: int) -> Line:
    """One event: when (UTC), the node, what changed."""
    return _line(event, 10 if width >= 60 else 7, event.subject, text(event), width)


def _line(event: Event, cells: int, named: str, told: str, width: int) -> Line:
    spans: tuple[Span, ...] = (
        (f" {figures.clock(event.at)}  ", "quiet"), (left(named, cells) + " ", "heading"),
        (told, SEVERITY_STYLES[event.severity]),
    )
    return Line(fit(spans, width - 1))


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of([(longer, "")]) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def problem_lines(problems: Sequence[Problem], now: float, width: int) -> list[Line]:
    """Problems, each with what it means and the command that comes next."""
    lines: list[Line] = []
    for problem in problems:
        style = SEVERITY_STYLES[problem.severity]
        lines.append(Line(fit(((" ! ", f"{style} bold"), *problem_spans(problem, now)), width)))
        lines += [Line(fit(((f"   {part}", "text"),), width)) for part in wrapped(means(problem), width - 4)]
        if problem.next:
            lines.append(Line(fit((("   next: ", "quiet"), (command(problem.next), "flow bold")), width)))
    return lines


@dataclass(frozen=True, slots=True)
class FooterKey:
    """A key in the footer, what it does, and whether it stays when there is little room."""

    key: str
    text: str
    first: bool = False

    @property
    def width(self) -> int:
        """Cells, with the gap after it."""
        return width_of(((self.key, ""), (self.text, ""))) + 3


def footer_line(
    keys: Sequence[FooterKey], width: int, greyed: Set[str] = frozenset(), views: Sequence[FooterKey] = ()
) -> Line:
    """The views, then as many keys as fit, in the order given; `greyed` ones are quiet.

    The views are named one by one where the first keys fit as well, else as a group: `1-7 views`.
    """
    room = width + 1  # the last one's gap may be cut
    grouped = (FooterKey(f"{views[0].key}-{views[-1].key}", "views"),) if views else ()
    named = (*views,) if sum(one.width for one in (*views, *(key for key in keys if key.first))) <= room else grouped
    room -= sum(one.width for one in named)
    chosen: set[int] = set()
    for place in sorted(range(len(keys)), key=lambda place: (not keys[place].first, place)):
        if keys[place].width <= room:
            chosen.add(place)
            room -= keys[place].width
    spans: list[Span] = [(" ", "text")]
    for one in (*named, *(keys[place] for place in sorted(chosen))):
        spans += [(one.key, "quiet" if one.key in greyed else "flow bold"), (f" {one.text}", "quiet"), ("  ", "text")]
    if width_of(spans) > width:
        spans.pop()
    return Line(fit(spans, width))

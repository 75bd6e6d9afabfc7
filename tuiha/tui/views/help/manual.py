"""The help of a screen on one page, in the order of need: what can be done now, here, and everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR, DOWN, IDLE, OK, STALE, WARN
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, width_of

COLUMNS_FROM = 70  # columns of a terminal from which two columns stand side by side
IN_FULL = 110  # from which each key is described, and not only named
_NAMES = 9  # cells of the names of keys, at most


@dataclass(frozen=True, slots=True)
class HelpEntry:
    """Keys, and what they do; `quiet` ones do nothing now."""

    names: str
    text: str
    full: str = ""  # where there is room; empty: the same
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class HelpSection:
    """A part of the help."""

    title: str
    entries: Sequence[HelpEntry] = field(default=())


MARKS = HelpSection("MARKS", (
    HelpEntry(OK, "good", "good"), HelpEntry(WARN, "look", "needs a look"),
    HelpEntry(DOWN, "down", "down, cut off, or on a wrong database"),
    HelpEntry(STALE, "old", "old: its age ends in !"),
    HelpEntry(IDLE, "not known, or off", "not known, or off on purpose"), HelpEntry(CURSOR, "cursor", "the cursor"),
))
FILTERS = HelpSection("FILTER", (  # what it looks like says enough where there is little room
    HelpEntry("word !word", "", "somewhere in the row, nowhere in it; every term must hold"),
    HelpEntry("role:mail state:down", "", "also db:db1 note:x"),
    HelpEntry("full>80 users>500", "", "also load>=80 age>3 devices latency"),
))


def manual_lines(
    now: Sequence[Line], keys: Sequence[HelpSection], rest: Sequence[HelpSection], width: int
) -> tuple[Line, ...]:
    """What can be done now, then all keys, and only then what else there is to know: on one page of 80x24."""
    if width >= IN_FULL:
        return (*now, *_beside(keys, width), BLANK, *_beside(rest, width))
    return (*now, *_beside(keys, width), *(line for section in rest for line in _flowing(section, width)))


def _flowing(section: HelpSection, width: int) -> list[Line]:
    """A section whose entries follow each other in a line, as many as it has room for."""
    title: Span = (f" {section.title} ", "heading")
    lines: list[list[Span]] = [[title]]
    for entry in section.entries:
        told: list[Span] = [("  ", "text"), (entry.names, "flow bold"), (f" {entry.text}".rstrip(), "text")]
        if width_of((*lines[-1], *told)) > width and len(lines[-1]) > 1:
            lines.append([(" " * cell_len(title[0]), "text")])
        lines[-1] += told
    return [Line(fit(spans, width)) for spans in lines]


def _beside(sections: Sequence[HelpSection], width: int) -> tuple[Line, ...]:
    """Sections in two columns where there is room."""
    if width < COLUMNS_FROM:
        return tuple(_column(sections, width, full=False))
    half = width // 2
    lines = _column(sections, half, full=width >= IN_FULL)
    rows = -(-len(lines) // 2)
    while rows < len(lines) and lines[rows - 1].spans and lines[rows - 1].spans[0][1] == "heading":
        rows += 1  # a title stays with what it is the title of
    beside = [*lines[rows:], *[Line(fit((), half))] * (2 * rows - len(lines))]
    return tuple(Line((*one.spans, *other.spans)) for one, other in zip(lines[:rows], beside, strict=False))


def now_lines(problem: Sequence[Span], entries: Sequence[HelpEntry], width: int) -> tuple[Line, ...]:
    """The worst problem and the keys that end it; without one, that nothing has to be done."""
    told = [Line(fit(((" NOW  ", "heading"), *problem), width))]
    return (*told, *(_entry(entry, entry.text, width) for entry in entries))


def _column(sections: Sequence[HelpSection], width: int, *, full: bool) -> list[Line]:
    lines: list[Line] = []
    for section in sections:
        lines.append(Line(fit(((f" {section.title}", "heading"),), width)))
        for entry in section.entries:
            text = (entry.full or entry.text) if full else entry.text
            parts = wrapped(text, max(12, width - max(_NAMES, cell_len(entry.names)) - 5))
            lines += [_entry(entry if not place else HelpEntry("", ""), part, width)
                      for place, part in enumerate(parts)]
    return lines


def _entry(entry: HelpEntry, text: str, width: int) -> Line:
    names = max(_NAMES, cell_len(entry.names))
    style = "quiet" if entry.quiet else "flow bold"
    return Line(fit((("   ", "text"), (left(entry.names, names), style), (" ", "text"),
                     (text, "quiet" if entry.quiet else "text")), width))

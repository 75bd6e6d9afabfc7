"""Spans and lines: text with the name of a style, measured in terminal cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len

Span = tuple[str, str]
"""Text and the name of its style: a colour of the theme, then ` bold` or not, then `@ground` or not."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen, equal when it looks equal."""

    spans: tuple[Span, ...]
    ground: str = "ground"  # the theme's colour behind it


BLANK = Line(())


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """Take out of a text what could steer a terminal or break a line: names and errors come from others."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) == "Cf" else "·"


def width_of(spans: Iterable[Span]) -> int:
    """Cells that the spans take."""
    return sum(cell_len(text) for text, _ in spans)


@lru_cache(maxsize=8192)
def cut(text: str, width: int) -> str:
    """The text in at most `width` cells; what was longer ends in an ellipsis."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    kept: list[str] = []
    used = 0
    for character in text:
        size = cell_len(character)
        if used + size > width - 1:
            break
        kept.append(character)
        used += size
    return "".join(kept) + "…"


def left(text: str, width: int) -> str:
    """The text at the left of exactly `width` cells."""
    text = cut(clean(text), width)
    return text + " " * (width - cell_len(text))


def right(text: str, width: int) -> str:
    """The text at the right of exactly `width` cells."""
    text = cut(clean(text), width)
    return " " * (width - cell_len(text)) + text


def fit(spans: Iterable[Span], width: int) -> tuple[Span, ...]:
    """Exactly `width` cells: cut with an ellipsis, or filled with spaces."""
    fitted: list[Span] = []
    room = width
    for text, style in spans:
        text = clean(text)
        size = cell_len(text)
        if size > room:
            short = cut(text, room)
            if short:
                fitted.append((short, style))
                room -= cell_len(short)
            break
        if text:
            fitted.append((text, style))
            room -= size
    if room > 0:
        fitted.append((" " * room, "text"))
    return tuple(fitted)


def spread(start: Sequence[Span], end: Sequence[Span], width: int) -> tuple[Span, ...]:
    """`start` from the left and `end` flush right; `start` gives way when both do not fit."""
    room = max(0, width - width_of(end))
    return fit((*fit(start, room), *end), width)


def on_ground(spans: Iterable[Span], ground: str) -> tuple[Span, ...]:
    """The spans on a ground of their own."""
    return tuple((text, f"{style}@{ground}") for text, style in spans)


def joined(groups: Iterable[Sequence[Span]], gap: str = "  ") -> tuple[Span, ...]:
    """The groups that are not empty, one after the other with a gap between them."""
    spans: list[Span] = []
    for group in groups:
        if not group:
            continue
        if spans:
            spans.append((gap, "text"))
        spans.extend(group)
    return tuple(spans)


GAP: Span = ("   ", "text")  # where a line may be folded


def folded(line: Line, width: int, indent: int) -> list[Line]:
    """The line in as many of exactly `width` cells as it takes, broken at gaps."""
    lines: list[list[Span]] = [[]]
    group: list[Span] = []
    for span in (*line.spans, GAP):
        if span != GAP:
            group.append(span)
            continue
        if lines[-1] and width_of((*lines[-1], *group)) > width:
            lines.append([(" " * indent, "text")])
        lines[-1] += [*group, GAP]
        group = []
    return [Line(fit(spans, width), line.ground) for spans in lines]


def shrink(groups: Sequence[Sequence[Span]], width: int, gap: str = "  ") -> tuple[Span, ...]:
    """As many groups as fit, dropping from the end (so order them by weight)."""
    for count in range(len(groups), 0, -1):
        spans = joined(groups[:count], gap)
        if width_of(spans) <= width:
            return spans
    return joined(groups[:1], gap)


def plain(line: Line) -> str:
    """The line's text without styles, for tests and for copying."""
    return "".join(text for text, _ in line.spans)

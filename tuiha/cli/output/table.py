"""Aligned columns of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

UNKNOWN = "-"


def aligned(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows as lines with aligned columns; the columns numbered in `right` are flush right."""
    numbers = frozenset(right)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.rjust(width) if column in numbers else cell.ljust(width)
                      for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in rows]


def cell(value: object, form: str = "{}") -> str:
    """A value, or the sign for unknown."""
    return UNKNOWN if value is None else form.format(value)


def plain(text: str) -> str:
    """Text from elsewhere without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

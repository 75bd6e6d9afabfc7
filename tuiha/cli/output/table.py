"""Values as text, and aligned columns of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import overload

UNKNOWN = "-"
_LAST = 253_402_300_799.0  # unix seconds


def aligned(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows as lines with aligned columns; the columns numbered in `right` are flush right."""
    numbers = frozenset(right)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.rjust(width) if column in numbers else cell.ljust(width)
                      for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in rows]


def cell(value: object, form: str = "{}") -> str:
    """A value, or the sign for unknown."""
    missing = value is None or (isinstance(value, float) and not math.isfinite(value))
    return UNKNOWN if missing else form.format(value)


def plain(text: str) -> str:
    """Text from elsewhere without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


@overload
def moment(seconds: float) -> str: ...
@overload
def moment(seconds: None) -> None: ...
@overload
def moment(seconds: float | None) -> str | None: ...
def moment(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, with milliseconds; of a clock that is wrong the last moment of the calendar."""
    return None if seconds is None else stamp(datetime.fromtimestamp(min(max(0.0, seconds), _LAST), UTC))


@overload
def stamp(at: datetime) -> str: ...
@overload
def stamp(at: None) -> None: ...
@overload
def stamp(at: datetime | None) -> str | None: ...
def stamp(at: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC, with milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

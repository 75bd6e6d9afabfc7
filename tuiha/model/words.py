"""Figures and lists as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

_MOST_DAYS = 9999  # a longer time is that of a clock that is wrong
_SIZES = ("B", "kB", "MB", "GB", "TB")


def span(seconds: float, *, fine: bool = True) -> str:
    """A time span in at most two units: `4m12s`, `0.4s` (without `fine`: `0s`), `3h05m`, `2d04h`."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if fine and seconds < 10:
        return f"{max(0.0, seconds):.1f}s"
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    days = whole // 86400
    return f"{days}d{whole % 86400 // 3600:02d}h" if days <= _MOST_DAYS else f"over {_MOST_DAYS}d"


def date_of(at: float) -> datetime | None:
    """A moment (unix seconds) in UTC; None for one that no calendar has: the clock of its node is wrong."""
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def size(count: int) -> str:
    """Bytes with a decimal unit: `0 B`, `48 kB`, `1.3 GB`."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_SIZES[unit]}" if unit == 0 or value >= 10 else f"{value:.1f} {_SIZES[unit]}"


def names(items: Iterable[str], most: int = 6) -> str:
    """`a, b, c`, shortened to `a, b, c and 4 more` when there are many."""
    every: Sequence[str] = sorted(items, key=natural)
    if len(every) <= most:
        return ", ".join(every)
    return f"{', '.join(every[: most - 1])} and {len(every) - most + 1} more"


def short(text: str, most: int = 60) -> str:
    """A text that somebody typed, for a message: the beginning of a long one, and how long it is."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def no_user(name: str) -> str:
    """That the pool does not have this user."""
    return f"the pool has no user {short(name)}"


def count(number: int, thing: str) -> str:
    """`1 user`, `2 users`, `1,024 users`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


@lru_cache(maxsize=4096)
def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts s2 before s10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in parts)

"""Numbers as people read them. None is shown as a dash, and so is what is no number: unknown is never invented."""

from __future__ import annotations

import math
from typing import TypeGuard

from tuiha.model.words import span

UNKNOWN = "-"
STALE_POLLS = 3  # a value older than this many polls is stale


def known(value: float | None) -> TypeGuard[float]:
    """Whether it is a number that can be shown."""
    return value is not None and math.isfinite(value)


def count(value: int | float | None) -> str:
    """A count with thousands separated; from a hundred thousand on in k and M: at most seven cells."""
    if not known(value):
        return UNKNOWN
    number = round(value)
    if abs(number) < 100_000:
        return f"{number:,}"
    if abs(number) < 1_000_000:
        return f"{number / 1000:.0f}k"
    return f"{number / 1_000_000:.2f}M"


def percent(value: float | None) -> str:
    """A share that is already in percent."""
    return f"{value:.0f}%" if known(value) else UNKNOWN


def milliseconds(value: float | None, gap: str = "") -> str:
    """A latency: `<1ms`, `11ms`, `1.2s`."""
    if not known(value):
        return UNKNOWN
    if value < 1:
        return f"<1{gap}ms"
    if value < 1000:
        return f"{value:.0f}{gap}ms"
    return f"{value / 1000:.1f}{gap}s" if value < 100_000 else span(value / 1000)


def memory(value: int | None) -> str:
    """Memory in at most four cells: `84M`, `1.1G`."""
    if not known(value):
        return UNKNOWN
    megabytes = value / 1_000_000
    if megabytes < 1000:
        return f"{megabytes:.0f}M"
    return f"{megabytes / 1000:.1f}G" if megabytes < 100_000 else f"{min(megabytes / 1000, 999):.0f}G"


def size(value: int | None) -> str:
    """Bytes with a unit: `0 B`, `48 kB`, `1.2 MB`."""
    if not known(value):
        return UNKNOWN
    if value < 1000:
        return f"{max(0, value)} B"
    amount = float(value)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 1000:
            return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def duration(seconds: float | None) -> str:
    """How long something has lasted: `12s`, `4m12s`, `3h05m`, `2d04h`."""
    if not known(seconds):
        return UNKNOWN
    return span(float(max(0, int(seconds))), fine=False)


def taken(seconds: float | None, digits: int = 2) -> str:
    """How long a step took; empty while that is not known."""
    if not known(seconds):
        return ""
    return f"{seconds:.{digits}f}s" if seconds < 1000 else duration(seconds)


def is_stale(age: float | None, interval: float) -> bool:
    """Whether a value of that age (seconds) is older than three polls; never seen counts as stale."""
    return not known(age) or age > STALE_POLLS * interval


def age_text(age: float | None, interval: float) -> str:
    """An age in at most four cells; a stale one ends in `!`, so that it reads without colour.

    What was never seen has no age: `-!`.
    """
    if not known(age):
        return "-!"
    mark = "!" if is_stale(age, interval) else ""
    if age < 1:
        return "<1s" + mark
    for limit, unit, length in ((99.5, "s", 1), (5970, "m", 60), (356_400, "h", 3600)):
        if age < limit:
            return f"{age / length:.0f}{unit}{mark}"
    return f"{min(age / 86400, 999):.0f}d{mark}"


def clock(at: float) -> str:
    """Unix seconds as a UTC time of day, `03:12:07`. Plain arithmetic: UTC has no rules to look up."""
    if not known(at):
        return "--:--:--"
    whole = int(at) % 86400
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"

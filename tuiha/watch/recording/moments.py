"""Moments as people write them, in UTC: `03:00`, `03:00:20`, `2026-11-21 03:00`, `15m` (so long before)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

HOW = "write for example 03:00, 03:00:20, 2026-11-21 03:00 (UTC), or 15m, 2h, 1d for so long before"
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?Z?")
_SPAN = re.compile(r"-?\s*(\d+(?:\.\d+)?\s*[smhd])")


def moment(text: str, end: float) -> float:
    """Unix seconds of a moment; a time of day is the last such time up to `end`, a span is before `end`.

    Raises ValueError with what to write.
    """
    from tuiha.config.values import seconds  # with pydantic: most dashboards never ask for a moment

    text = text.strip()
    try:
        clock, span = _CLOCK.fullmatch(text), _SPAN.fullmatch(text)
        if span is not None:
            return max(0.0, end - float(str(seconds(span[1]))))
        if clock is None:
            return _at_utc(datetime.fromisoformat(text))
        last = datetime.fromtimestamp(end, UTC)
        found = last.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0), microsecond=0)
        return (found if found <= last else found - timedelta(days=1)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no moment: {HOW}") from None


def _at_utc(at: datetime) -> float:
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def stamp(at: float) -> str:
    """Unix seconds as date and time in UTC: `2026-11-21 03:12:07Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

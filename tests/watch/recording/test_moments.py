"""Moments as people write them."""

from __future__ import annotations

import pytest

from tuiha.watch.recording.moments import moment, stamp

END = 1_795_144_327.0  # 2026-11-20 03:12:07 UTC


@pytest.mark.parametrize(("text", "is_"), [
    ("03:00", "2026-11-20 03:00:00Z"), ("3:12:07", "2026-11-20 03:12:07Z"), ("03:12:08", "2026-11-19 03:12:08Z"),
    ("23:59Z", "2026-11-19 23:59:00Z"), ("2026-11-18 10:00", "2026-11-18 10:00:00Z"),
    ("2026-11-18T10:00:00+02:00", "2026-11-18 08:00:00Z"), ("15m", "2026-11-20 02:57:07Z"),
    ("1d", "2026-11-19 03:12:07Z"), (" -2h ", "2026-11-20 01:12:07Z"),
])
def test_a_moment(text: str, is_: str) -> None:
    assert stamp(moment(text, END)) == is_


@pytest.mark.parametrize("text", ["", "noon", "25:00", "12:60", "1w", "2026-13-01", "03:00:00:00"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="write for example"):
        moment(text, END)

"""Figures and lists as people read them."""

from __future__ import annotations

import pytest

from tuiha.model.words import count, names, natural, size, span


@pytest.mark.parametrize(("seconds", "text"), [
    (0.04, "0.0s"), (9.94, "9.9s"), (59.9, "59s"), (252.0, "4m12s"), (11_100.0, "3h05m"), (187_200.0, "2d04h")])
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (999, "999 B"), (48_000, "48 kB"), (1_300_000_000, "1.3 GB"),
                                              (5_000_000_000_000_000, "5000 TB")])
def test_size(number: int, text: str) -> None:
    assert size(number) == text


def test_names_and_counts() -> None:
    assert names(["s10", "s2", "s1"]) == "s1, s2, s10"
    assert names([f"s{n}" for n in range(1, 11)]) == "s1, s2, s3, s4, s5 and 5 more"
    assert [count(1, "user"), count(1024, "user")] == ["1 user", "1,024 users"]
    assert sorted(["b", "a10", "a9", "10", "9", "a"], key=natural) == ["9", "10", "a", "a9", "a10", "b"]

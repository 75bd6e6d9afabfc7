"""How often a server looks at the others."""

from __future__ import annotations

import pytest

from tuiha.server.pool.membership import look_interval


@pytest.mark.parametrize("servers", [1, 2, 200])
def test_in_a_small_pool_everybody_looks_with_every_beat(servers: int) -> None:
    assert look_interval(servers, 1.0) == 0.0


@pytest.mark.parametrize("servers", [400, 1000, 5000])
def test_in_a_large_pool_two_hundred_look_in_a_beat(servers: int) -> None:
    looks = [servers / look_interval(servers, 2.0) for _ in range(100)]
    assert 80 <= min(looks) <= max(looks) <= 130  # a second, with a beat of two

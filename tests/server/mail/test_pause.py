from __future__ import annotations

from random import Random

from tuiha.server.mail.pace import pause


def test_pauses_double_up_to_their_limit_with_full_jitter() -> None:
    random = Random(1)
    for failures, limit in ((1, 0.5), (2, 1.0), (3, 2.0), (10, 30.0), (100_000, 30.0)):
        found = [pause(failures, 0.5, 30.0, random) for _ in range(500)]
        assert 0.0 <= min(found) < limit * 0.05
        assert limit * 0.95 < max(found) <= limit

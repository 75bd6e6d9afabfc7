"""How often: a token bucket for log-ins, and pauses after failures. Pure; the clock is an argument."""

from __future__ import annotations

from random import Random


class Bucket:
    """A token bucket: `rate` a second, up to `burst` at once. Who comes first goes first."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def reserve(self, now: float) -> float:
        """Take a token, maybe one of the future; answers how many seconds to wait until it is there."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now if self._at is None else max(now, self._at)
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)

    def give_back(self) -> None:
        """Return a token that was reserved and not used."""
        self._tokens = min(self._burst, self._tokens + 1.0)


def pause(failures: int, first: float, limit: float, random: Random) -> float:
    """Seconds to wait after `failures` failures in a row (1 or more): full jitter, doubling, bounded."""
    return random.uniform(0.0, min(limit, first * 2.0 ** min(failures - 1, 30)))

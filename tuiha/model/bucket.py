"""A token bucket: the one rule for how often something may happen. The clock is an argument."""

from __future__ import annotations


class Bucket:
    """`rate` tokens a second, up to `burst` of them saved. It begins with `left` tokens, or full."""

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float, left: float | None = None) -> None:
        self.rate = rate
        self.burst = burst
        self._left = float(burst if left is None else left)
        self._at: float | None = None  # when it was filled last

    def left(self, now: float) -> float:
        """The tokens at `now` (seconds). Fewer than none: so many of the future are taken."""
        if self._at is not None:
            self._left = min(self.burst, self._left + max(0.0, now - self._at) * self.rate)
        self._at = now if self._at is None else max(now, self._at)
        return self._left

    def take(self, tokens: float = 1.0) -> None:
        """Take tokens, some of which may be of the future."""
        self._left -= tokens

    def wait(self, now: float) -> float:
        """Take a token that is there and return 0; otherwise take none, and return the seconds until one is there."""
        left = self.left(now)
        if left < 1.0:
            return (1.0 - left) / self.rate
        self.take()
        return 0.0

    def reserve(self, now: float) -> float:
        """Take a token, maybe one of the future; return the seconds until it is there. The first caller goes first."""
        self.left(now)
        self.take()
        return max(0.0, -self._left / self.rate)

    def give_back(self) -> None:
        """Return a token that was reserved and not used."""
        self._left = min(self.burst, self._left + 1.0)

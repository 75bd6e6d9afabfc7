"""How many may be worked on at the same time, found from how long it takes."""

from __future__ import annotations


class Window:
    """A limit that grows by one for each that was quick, and is halved when they get slow.

    After the first halving it grows by one in each full round, as TCP's congestion window does (RFC 5681, section 3.1).
    It grows only while all places are taken: what a few showed says nothing about many (RFC 7661). Slow is a mean above
    `slow` seconds and above `times` the quickest: what is far away is not slow. About the `last` ones count: one that
    was slow alone says little.
    """

    def __init__(self, least: int, most: int, slow: float, times: float, last: int) -> None:
        self.limit = least
        self._least = least
        self._most = most
        self._slow = slow
        self._times = times
        self._last = last
        self._quickest = float("inf")
        self._mean = 0.0
        self._was_slow = False
        self._round = 0  # since the limit changed

    def took(self, seconds: float, full: bool) -> int:
        """One took so long; `full`: all places were taken. By how much the limit changed."""
        self._quickest = min(self._quickest, seconds)
        self._mean += (seconds - self._mean) / self._last
        self._round += 1
        whole_round = self._round >= self.limit
        if self._mean > max(self._slow, self._times * self._quickest):
            if whole_round or not self._was_slow:  # those of the same round were slow for the same reason
                self._was_slow = True
                return self._change(max(self._least, self.limit // 2))
        elif full and (whole_round or not self._was_slow):
            return self._change(min(self._most, self.limit + 1))
        return 0

    def _change(self, limit: int) -> int:
        before, self.limit, self._round = self.limit, limit, 0
        return limit - before

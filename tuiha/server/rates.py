"""How often a device may ask: a token bucket for each."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

_MOST = 200_000  # devices that are remembered; the one that asked longest ago is forgotten first


class Rates:
    """Token buckets: `rate` requests a second, and `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # when, and what was left then

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._buckets)

    def wait(self, who: Hashable, now: float) -> int:
        """Take one request of somebody at `now` (seconds): 0, or the whole seconds after which to ask again."""
        then, left = self._buckets.pop(who, (now, self._burst))
        left = min(self._burst, left + (now - then) * self._rate)
        taken = left >= 1.0
        self._buckets[who] = (now, left - 1.0 if taken else left)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0 if taken else max(1, math.ceil((1.0 - left) / self._rate))

"""How much one user, one device and one address may ask for. What is more is answered 429 with a time to ask again."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from tuiha.config.pace import Limits
from tuiha.model.bucket import Bucket
from tuiha.server.http.problems import HttpProblem

_MOST = 200_000  # devices that are remembered; the one that asked longest ago is forgotten first


class Rates:
    """A bucket for each asker: `rate` requests a second, and `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._buckets)

    def wait(self, who: Hashable, now: float) -> int:
        """Take one request of somebody at `now` (seconds): 0, or the whole seconds after which to ask again."""
        bucket = self._buckets.pop(who, None) or Bucket(self._rate, self._burst)
        self._buckets[who] = bucket
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return math.ceil(bucket.wait(now))


_REGISTRATIONS = 0.2  # registrations a second of one user
_AGAIN = 20  # at once beyond one for each device
_SOON = 2  # seconds


class Quotas:
    """The limits of devices' requests at one pool server. Every server that a request passes counts it."""

    def __init__(self, limits: Limits) -> None:
        self.devices = Rates(limits.rate, limits.burst)
        self.users = Rates(limits.user_rate, limits.user_burst)
        self.registrations = Rates(_REGISTRATIONS, limits.devices + _AGAIN)
        self.most_devices = limits.devices
        self._most_of_an_address = limits.requests_per_address
        self._under_way: Counter[str] = Counter()

    def request(self, user_id: int, device: str, now: float) -> None:
        """Count a request. Raises Problem 429."""
        _asked("of this user", self.users.wait(user_id, now))
        _asked("of this device", self.devices.wait((user_id, device), now))

    def registration(self, user_id: int, now: float) -> None:
        """Count a registration of a device, new or not. Raises Problem 429."""
        _asked("to register devices of this user", self.registrations.wait(user_id, now))

    @contextmanager
    def one_of(self, address: str) -> Iterator[None]:
        """One request that is under way from an address. Raises Problem 429."""
        if address and self._under_way[address] >= self._most_of_an_address:
            _asked("at once from this address", _SOON)
        self._under_way[address] += 1
        try:
            yield
        finally:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]


def _asked(whose: str, after: int) -> None:
    """Raises Problem 429 unless `after`, the seconds after which to ask again, is 0."""
    if after:
        raise HttpProblem(429, f"Too many requests {whose}", f"Repeat the same request after {after} s.",
                          headers={"Retry-After": str(after)})

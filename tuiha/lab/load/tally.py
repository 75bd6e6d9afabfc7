"""Counters of a load, and how they are counted."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

KEPT = 200_000  # latencies; the newest overwrite the oldest


@dataclass(slots=True)
class Latencies:
    """Durations in milliseconds, the newest `KEPT` of them."""

    values: array[float] = field(default_factory=lambda: array("f"))
    count: int = 0

    def add(self, seconds: float) -> None:
        """Take one duration."""
        if len(self.values) < KEPT:
            self.values.append(seconds * 1000.0)
        else:
            self.values[self.count % KEPT] = seconds * 1000.0
        self.count += 1

    def percentiles(self) -> dict[str, float | None]:
        """The 50th, 95th and 99th percentile in milliseconds; None when there is no value."""
        ordered = sorted(self.values)
        return {f"p{percent}": _nearest(ordered, percent) for percent in (50, 95, 99)}


def _nearest(ordered: list[float], percent: int) -> float | None:
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)  # nearest rank: rounded up
    return round(ordered[max(0, rank - 1)], 2)


@dataclass(slots=True)
class Tally:
    """What devices did, counted.

    - requests: what devices wanted: a registration, a poll for changes, a look at /v1/me. Repeating it at the other
      sprayer is the same request.
    - failures: requests that no sprayer gave a good answer to, each asked once. Good is an answer of the protocol: 200,
      201, 410 (a new key), 404 (register again). The device repeats the request later, with the same key; when that
      fails again it is one more failure.
    - delayed: 503 or 429 with Retry-After, which the device obeyed. Not a failure: the pool said when to come back.
    - retries: a sprayer failed or gave no good answer, and the device went on to the other one.
    - answers: good answers of pool servers to requests that were sent after the user's first answer had come: before it
      no sprayer can know where to send a user. direct: those that no pool server had to forward to the user's
      monitoring server.
    - latency: from request to answer of requests that never wait (GET /v1/me, and changes with wait=0), retries and
      obeyed delays included. Registrations, which include hashing a password, are counted apart.
    """

    requests: int = 0
    failures: int = 0
    delayed: int = 0
    retries: int = 0
    answers: int = 0
    direct: int = 0
    changes: int = 0
    registered: int = 0
    restarts: int = 0
    latency: Latencies = field(default_factory=Latencies)
    registration: Latencies = field(default_factory=Latencies)
    by_sprayer: dict[str, int] = field(default_factory=dict)  # good answers
    reasons: dict[str, int] = field(default_factory=dict)  # why requests failed or went to the other sprayer

    @property
    def direct_share(self) -> float | None:
        """Which share of the answers came straight from the monitoring server, 0 to 1; None without answers."""
        return round(self.direct / self.answers, 4) if self.answers else None

    def failed_because(self, reason: str) -> None:
        """Count a reason why an attempt failed."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def nonsense(self) -> None:
        """Count an answer that looked good and could not be read: a failure."""
        self.failures += 1
        self.failed_because("failed: an answer without key or changes")

"""The last 15 minutes of every figure, in rings of four-byte floats."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping

from tuiha.model.facts import Snapshot
from tuiha.model.reports import SERVER_FIGURES

SPAN = 900.0  # seconds
POINTS = 900  # at most, for each figure

_SERVER = (*SERVER_FIGURES, "lease_seconds")
_DATABASE = ("lag_bytes", "lag_seconds", "pool_sessions", "transactions_per_second")
_SPRAYER = ("sessions", "requests_per_second")
_MAIL = ("users", "latency_ms")
_NOTHING = math.nan


class History:
    """Figures by node and metric, one point a step; a step nothing was recorded in is unknown. Thread-safe."""

    def __init__(self, interval: float) -> None:
        self.step = max(interval, SPAN / POINTS)
        self.points = max(1, int(SPAN / self.step))
        self._rings: dict[tuple[str, str], array[float]] = {}
        self._slot: int | None = None  # of the newest point, counted since 1970
        self._lock = threading.Lock()

    def record(self, snapshot: Snapshot) -> None:
        """Take a snapshot's figures; a second snapshot in the same step replaces the first."""
        slot = int(snapshot.at / self.step)
        with self._lock:
            self._advance(slot)
            seen = set()
            for node, metric, value in figures_of(snapshot):
                ring = self._rings.get((node, metric))
                if ring is None:
                    ring = self._rings[node, metric] = array("f", [_NOTHING]) * self.points
                ring[slot % self.points] = _NOTHING if value is None else value
                seen.add(node)
            self._forget(seen)

    def fill(self, at: float, until: float, figures: Iterable[Figure]) -> None:
        """Figures that were so from `at` to `until` (unix seconds), before what was recorded here: only where nothing
        is known yet.
        """
        with self._lock:
            last = self._slot
            if last is None:
                return
            slots = range(max(int(at / self.step), last - self.points + 1), min(int(until / self.step), last))
            for node, metric, value in figures:
                if value is None:
                    continue
                ring = self._rings.get((node, metric))
                if ring is None:
                    ring = self._rings[node, metric] = array("f", [_NOTHING]) * self.points
                for slot in slots:
                    if math.isnan(ring[slot % self.points]):
                        ring[slot % self.points] = value

    def _advance(self, slot: int) -> None:
        """Empty the points that were passed over, and the new one."""
        last = self._slot if self._slot is not None and self._slot <= slot else slot - self.points
        for passed in range(max(last + 1, slot - self.points + 1), slot + 1):
            for ring in self._rings.values():
                ring[passed % self.points] = _NOTHING
        self._slot = slot

    def _forget(self, nodes: set[str]) -> None:
        """Drop figures of nodes that are gone and of which nothing is left in the ring."""
        for key in [key for key in self._rings if key[0] not in nodes]:
            if all(math.isnan(value) for value in self._rings[key]):
                del self._rings[key]

    def read(self, node: str, metric: str) -> tuple[float | None, ...]:
        """All points of a figure, oldest first; empty when it was never recorded."""
        with self._lock:
            ring, slot = self._rings.get((node, metric)), self._slot
            if ring is None or slot is None:
                return ()
            cut = (slot + 1) % self.points
            ordered = ring[cut:] + ring[:cut]
        return tuple(None if math.isnan(value) else value for value in ordered)


Figure = tuple[str, str, float | None]
"""A node, a metric, and its value."""


def figures_of(snapshot: Snapshot) -> Iterator[Figure]:
    """Every figure of a snapshot; the pool's own stand under its name."""
    groups: tuple[tuple[Iterable[object], tuple[str, ...]], ...] = (
        (snapshot.servers, _SERVER), (snapshot.databases, _DATABASE), (snapshot.sprayers, _SPRAYER),
        (snapshot.mail, _MAIL))
    for nodes, metrics in groups:
        for node in nodes:
            for metric in metrics:
                yield getattr(node, "name"), metric, getattr(node, metric)  # noqa: B009 - any of four kinds
    yield snapshot.pool, "users", snapshot.users
    for metric, whole in WHOLE.items():
        yield snapshot.pool, metric, whole(getattr(server, metric) for server in snapshot.servers)
    yield snapshot.pool, "lag_bytes", _most(database.lag_bytes for database in snapshot.databases)
    yield snapshot.pool, "lag_seconds", _most(database.lag_seconds for database in snapshot.databases)
    yield snapshot.pool, "sessions", summed(s.sessions for s in snapshot.sprayers)


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def summed(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


WHOLE: Mapping[str, Callable[[Iterable[float | None]], float | None]] = {
    "full": _most, "latency_ms": _most, "queue": summed, "requests_per_second": summed,
}
"""What the pool's own figure is, by those of its servers."""

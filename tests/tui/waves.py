"""Made-up histories that end at what a made-up snapshot shows."""

from __future__ import annotations

import math

from tuiha.model.facts import Snapshot
from tuiha.watch.history import History

_SWINGS = {  # metric -> share of the figure by which it goes up and down, and at least how much
    "users": (0.02, 0.0), "requests_per_second": (0.3, 0.0), "latency_ms": (0.4, 0.0),
    "full": (0.07, 0.0), "transactions_per_second": (0.2, 0.0), "sessions": (0.04, 0.0),
    "pool_sessions": (0.12, 0.0), "lag_bytes": (0.0, 800.0), "lag_seconds": (0.0, 0.003), "queue": (0.0, 2.0),
    "cpu_percent": (0.3, 0.0), "host_cpu_percent": (0.3, 0.0),
}


def figure(snapshot: Snapshot, node: str, metric: str) -> float | None:
    """A figure of a node, or of the pool under its name, as the watcher's history would keep it."""
    facts = next((one for group in (snapshot.servers, snapshot.databases, snapshot.sprayers, snapshot.mail)
                  for one in group if one.name == node), None)
    if facts is not None:
        value: float | None = getattr(facts, metric, None)
        return value
    history = History(snapshot.interval)
    history.record(snapshot)
    return (history.read(node, metric) or (None,))[-1]


def fifteen_minutes(snapshot: Snapshot, well: Snapshot, node: str, metric: str) -> tuple[float | None, ...]:
    """A figure that looks alive, the same every time: as in the `well` pool until something happened, then as now."""
    now, since = figure(snapshot, node, metric), min((p.since for p in snapshot.problems if p.since), default=0.0)
    before = figure(well, node, metric) if since else None
    series = _wave(node, metric, now if before is None else before)
    changed = 900 - int(snapshot.at - since) if before is not None and before != now else 900
    return (*series[:changed], *[now] * (900 - changed))


def _wave(node: str, metric: str, level: float | None) -> tuple[float | None, ...]:
    """Fifteen minutes that end at that level."""
    if metric not in _SWINGS or level is None:
        return ()
    share, least = _SWINGS[metric]
    swing, turn = max(least, share * level), sum(map(ord, node + metric)) % 60

    def away(second: int) -> float:
        return math.sin((second + 9 * turn) / 90) + 0.5 * math.sin(second / 23 + turn)

    return tuple(max(0.0, level + swing * (away(second) - away(899))) for second in range(900))

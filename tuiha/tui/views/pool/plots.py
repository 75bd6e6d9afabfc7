"""What is plotted of the whole pool."""

from __future__ import annotations

from tuiha.model.facts import Snapshot
from tuiha.tui.draw import figures
from tuiha.tui.draw.plots import Metric, Plotted
from tuiha.tui.views.database.panel import COMMITS, LAG_BYTES, LAG_SECONDS, WAITING

POOL: tuple[Metric, ...] = (
    Metric("requests_per_second", "REQUESTS/S", figures.count, least=10.0),
    Metric("latency_ms", "P95, WORST SERVER", figures.milliseconds, least=10.0),
    Metric("users", "USERS", figures.count, least=10.0),
    Metric("full", "FULLEST SERVER", figures.percent, least=100.0),
    LAG_BYTES,
    LAG_SECONDS,
    WAITING,
)


def pool_plots(snapshot: Snapshot) -> tuple[Plotted, ...]:
    """The pool's figures, and what its active database commits."""
    plots = tuple(Plotted(snapshot.pool, metric) for metric in POOL)
    return plots if snapshot.active is None else (*plots, Plotted(snapshot.active, COMMITS))

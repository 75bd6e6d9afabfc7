"""Writes config/grafana/pool.json: `python -m tests.programs.docs.grafana`, from the top of the checkout.

A dashboard for Grafana on the metrics of `tuiha export`. Each panel shows metrics of the catalogue, by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.model.facts import Verdict

TARGET = Path(__file__).parents[3] / "config" / "grafana" / "pool.json"
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_COLOURS = {Verdict.HEALTHY: "green", Verdict.DEGRADED: "orange", Verdict.DISPUTED: "purple", Verdict.SPLIT: "red",
            Verdict.DOWN: "red"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: where it stands, and what it shows."""

    title: str
    queries: tuple[tuple[str, str], ...]  # expression, legend
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    help: str = ""

    @property
    def instant(self) -> bool:
        """Whether it shows this moment alone."""
        return self.kind != "timeseries"


def _each(metric: str, label: str) -> tuple[tuple[str, str], ...]:
    return ((f'max by ({label}) ({metric}{{pool="$pool"}})', f"{{{{{label}}}}}"),)


PANELS: tuple[Panel, ...] = (
    Panel("Verdict", (('max by (verdict) (tuiha_pool_verdict{pool="$pool"}) == 1', "{{verdict}}"),), kind="stat",
          width=5, height=5, help="The pool in one word. `tuiha explain DEGRADED` explains each."),
    Panel("Problems", (('max by (severity) (tuiha_pool_problems{pool="$pool"})', "{{severity}}"),), kind="stat",
          width=5, height=5),
    Panel("What is wrong", (('max by (severity, kind, subject, code) (tuiha_pool_problem{pool="$pool"}) > 0', ""),),
          kind="table", width=14, height=5, help="Each code has a runbook: docs/runbooks."),
    Panel("Users by server", _each("tuiha_server_users", "server")),
    Panel("Availability index", _each("tuiha_server_availability_index", "server"),
          help="0 to 100: available. Below 0: overloaded. -200: draining."),
    Panel("Lease that is left", _each("tuiha_server_lease_seconds", "server"), "s",
          help="A server without a lease answers 503."),
    Panel("Requests of devices", _each("tuiha_server_requests_per_second", "server"), "reqps"),
    Panel("Latency, 95th percentile", _each("tuiha_server_latency_seconds", "server"), "s"),
    Panel("Memory", _each("tuiha_server_memory_bytes", "server"), "bytes"),
    Panel("Secondary: behind", _each("tuiha_database_lag_bytes", "database"), "bytes"),
    Panel("Secondary: lag", _each("tuiha_database_lag_seconds", "database"), "s"),
    Panel("Age of the newest backup", _each("tuiha_backup_age_seconds", "repository"), "s"),
    Panel("Sessions on the databases", _each("tuiha_database_sessions", "database")),
    Panel("Devices at the sprayers", _each("tuiha_sprayer_sessions", "sprayer")),
    Panel("Users by mail server", _each("tuiha_mail_server_users", "mail_server")),
    Panel("Users without mail", (
        ('max by (cluster, reason) (tuiha_mail_cluster_users_failing{pool="$pool"})', "{{cluster}} {{reason}}"),)),
    Panel("Answer of the mail servers", _each("tuiha_mail_server_latency_seconds", "mail_server"), "s"),
    Panel("Age of the watcher's look", (('time() - max(tuiha_pool_seen_timestamp_seconds{pool="$pool"})', "age"),),
          "s", help="Over 30 s nothing of this dashboard counts."),
)


def _placed() -> Iterator[dict[str, Any]]:
    """The panels from left to right, row by row."""
    left = top = tallest = 0
    for number, panel in enumerate(PANELS, start=1):
        if left + panel.width > 24:
            left, top, tallest = 0, top + tallest, 0
        place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
        left, tallest = left + panel.width, max(tallest, panel.height)
        yield _panel(number, panel, place)


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [{"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend,
                "instant": panel.instant, "range": not panel.instant,
                "format": "table" if panel.kind == "table" else "time_series"}
               for index, (expression, legend) in enumerate(panel.queries)]
    overrides = [{"matcher": {"id": "byName", "options": str(verdict)},
                  "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]}
                 for verdict, colour in _COLOURS.items()] if panel.title == "Verdict" else []
    options = {"stat": {"textMode": "name", "colorMode": "background"}} if panel.title == "Verdict" else {}
    return {"id": number, "type": panel.kind, "title": panel.title, "description": panel.help, "datasource": _SOURCE,
            "gridPos": place, "targets": targets, "options": options.get(panel.kind, {}),
            "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": overrides}}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    variables = [
        {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {"name": "pool", "type": "query", "label": "Pool", "datasource": _SOURCE, "refresh": 2,
         "query": {"query": "label_values(tuiha_pool_verdict, pool)", "refId": "pools"}},
    ]
    return {"uid": "tuiha-pool", "title": "tuiha: a pool", "tags": ["tuiha"], "schemaVersion": 38, "version": 1,
            "editable": True, "refresh": "5s", "timezone": "utc", "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": variables}, "annotations": {"list": []}, "panels": list(_placed())}


def document() -> str:
    """The whole file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(document(), encoding="utf-8")

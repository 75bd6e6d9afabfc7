"""The alerting rules and the dashboard for Grafana: made from the catalogue, and judged by Prometheus' own program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import validate

from tests.model.looks import healthy
from tests.programs.docs import grafana, rules
from tests.words.pools import snapshots
from tuiha.model.codes import ProblemCode
from tuiha.model.conclude import conclude
from tuiha.model.facts import NodeKind, Problem, Severity, Snapshot
from tuiha.watch.export.exposition import FAMILIES, exposition
from tuiha.words.glossary.problems import PROBLEMS
from tuiha.words.reports.alerts import alert_name

needs = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
_SCRAPES = 12  # of 5 s
_SAMPLE = re.compile(r"(?m)^(tuiha_\w+\{.*\}) (\S+)$")


def test_the_files_are_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.rules, and grafana."""
    for maker in (rules, grafana):
        assert maker.TARGET.read_text(encoding="utf-8") == maker.document(), maker.__name__


def test_each_problem_that_needs_an_action_has_an_alert_with_its_runbook() -> None:
    made = {rule.name: rule for rule in rules.rules()}
    for code, entry in PROBLEMS.items():
        wanted = entry.severity is not Severity.NOTE and code is not ProblemCode.RECORDED
        assert (alert_name(code) in made) == wanted, code
    root = rules.TARGET.parents[2]
    for rule in made.values():
        assert (root / rule.page.partition("#")[0]).is_file() or rule.page.startswith("docs/alerts.md"), rule.page


@cache
def problem_of(code: ProblemCode) -> Problem:
    """A problem of that code, graver than a note: of a made-up pool where one has it."""
    for seed in range(80):
        for snapshot in snapshots(seed):
            for one in snapshot.problems:
                if one.code is code and one.severity is not Severity.NOTE:
                    return one
    return Problem(PROBLEMS[code].severity, NodeKind.POOL, "east", code)


def series(snapshot: Snapshot) -> Iterator[dict[str, str]]:
    """The metrics of a snapshot, as Prometheus would have scraped them every 5 s."""
    yield {"series": 'up{job="tuiha",instance="watcher:9464"}', "values": f"1x{_SCRAPES}"}
    for sample, value in _SAMPLE.findall(exposition(snapshot)):
        constant = sample.startswith("tuiha_pool_seen_timestamp_seconds")
        yield {"series": sample, "values": f"0+5x{_SCRAPES}" if constant else f"{value}x{_SCRAPES}"}


def promtool(folder: Path, case: dict[str, Any]) -> str:
    """What `promtool test rules` says against a case; empty when nothing is wrong."""
    file = folder / "case.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules.TARGET)], "evaluation_interval": "5s", "tests": [
        {"interval": "5s", **case}]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(labels: list[dict[str, str]]) -> dict[str, Any]:
    """The test that exactly these alerts fire."""
    samples = [{"labels": "ALERTS" + json.dumps(one | {"alertstate": "firing"}).replace('": "', '="').replace(
        '{"', "{").replace(', "', ","), "value": 1} for one in labels]
    return {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "50s", "exp_samples": samples}


@needs
@pytest.mark.parametrize("code", rules.alerted())
def test_an_alert_fires_on_its_own_problem_and_on_no_other(code: ProblemCode, tmp_path: Path) -> None:
    one = problem_of(code)
    snapshot = replace(conclude(healthy()), problems=(one,))
    level = {Severity.BAD: "critical", Severity.WARNING: "warning"}[one.severity]
    alert = {"alertname": alert_name(code), "pool": snapshot.pool, "kind": str(one.kind), "subject": one.subject,
             "code": str(code), "severity": level}
    case = {"input_series": list(series(snapshot)), "promql_expr_test": [firing([alert])]}
    assert promtool(tmp_path, case) == ""


@needs
def test_a_healthy_pool_raises_nothing_and_the_test_would_see_it(tmp_path: Path) -> None:
    snapshot = conclude(healthy())
    case = {"input_series": list(series(snapshot)), "promql_expr_test": [firing([])]}
    assert promtool(tmp_path, case) == ""
    wrong = {**case, "promql_expr_test": [firing([{"alertname": "TuihaDatabaseDown", "severity": "critical"}])]}
    assert "TuihaDatabaseDown" in promtool(tmp_path, wrong)


@needs
@pytest.mark.parametrize(("name", "given", "labels"), [
    ("TuihaPoolDown", {'tuiha_pool_verdict{pool="east",verdict="DOWN"}': f"1x{_SCRAPES}",
                       'up{job="tuiha"}': f"1x{_SCRAPES}"}, {"pool": "east"}),
    ("TuihaUnwatched", {'tuiha_pool_seen_timestamp_seconds{pool="east"}': f"0x{_SCRAPES}",
                        'up{job="tuiha"}': f"1x{_SCRAPES}"}, {"pool": "east"}),
    ("TuihaExportDown", {'up{job="tuiha",instance="w"}': f"0x{_SCRAPES}"}, {"job": "tuiha", "instance": "w"}),
])
def test_the_watching_is_watched(name: str, given: dict[str, str], labels: dict[str, str], tmp_path: Path) -> None:
    case = {"input_series": [{"series": one, "values": values} for one, values in given.items()],
            "promql_expr_test": [firing([{"alertname": name, "severity": "critical", **labels}])]}
    assert promtool(tmp_path, case) == ""


@needs
def test_a_job_without_a_target_is_told(tmp_path: Path) -> None:
    alert = {"alertname": "TuihaExportMissing", "severity": "critical", "job": "tuiha"}
    case = {"input_series": [], "promql_expr_test": [{**firing([alert]), "eval_time": "2m"}]}
    assert promtool(tmp_path, case) == ""


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool (Debian: prometheus-alertmanager) is not installed")
def test_alertmanager_reads_the_example() -> None:
    file = rules.TARGET.parent / "alertmanager.example.yml"
    done = subprocess.run(["amtool", "check-config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# The shape that Grafana's documentation gives ("Dashboard JSON model"), as far as this dashboard uses it.
_QUERY = {"type": "object", "required": ["refId", "expr", "datasource"],
          "properties": {"refId": {"pattern": "^[A-Z]$"}, "expr": {"type": "string", "minLength": 1}}}
_GRID = {"type": "object", "required": ["x", "y", "w", "h"], "properties": {
    "x": {"minimum": 0, "maximum": 23}, "y": {"minimum": 0}, "w": {"minimum": 1, "maximum": 24}, "h": {"minimum": 1}}}
_PANEL = {"type": "object", "required": ["id", "type", "title", "gridPos", "targets", "fieldConfig"], "properties": {
    "id": {"type": "integer", "minimum": 1}, "type": {"enum": ["stat", "table", "timeseries"]}, "gridPos": _GRID,
    "targets": {"type": "array", "minItems": 1, "items": _QUERY},
    "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]}}}
_DASHBOARD = {"type": "object", "required": ["uid", "title", "schemaVersion", "panels", "templating", "time"],
              "properties": {"uid": {"type": "string", "maxLength": 40}, "schemaVersion": {"type": "integer"},
                             "panels": {"type": "array", "items": _PANEL},
                             "templating": {"type": "object", "required": ["list"]}}}


def test_the_dashboard_has_the_shape_that_grafana_reads() -> None:
    made = json.loads(grafana.TARGET.read_text())
    validate(made, _DASHBOARD)
    numbers = [panel["id"] for panel in made["panels"]]
    assert len(numbers) == len(set(numbers))
    cells = [(x, y) for panel in made["panels"] for place in [panel["gridPos"]]
             for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    assert len(cells) == len(set(cells)), "panels lie on each other"
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    known = {family.name for family in FAMILIES}
    for panel in grafana.PANELS:
        for expression, _ in panel.queries:
            assert set(re.findall(r"tuiha_\w+", expression)) <= known, expression


@needs
def test_the_expressions_of_the_dashboard_are_understood(tmp_path: Path) -> None:
    every = [expression for panel in grafana.PANELS for expression, _ in panel.queries]
    recorded = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(every)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

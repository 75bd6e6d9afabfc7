"""Writes config/prometheus/rules.yml: `python -m tests.programs.docs.rules`, from the top of the checkout.

There is one alert for each problem that needs an action, with the glossary's texts, and four more: for the pool as a
whole, and for the watching itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Severity
from tuiha.model.problems.symptoms import SYMPTOMS
from tuiha.words.explain import runbook
from tuiha.words.glossary.problems import PROBLEMS
from tuiha.words.reports.alerts import alert_name

TARGET = Path(__file__).parents[3] / "config" / "prometheus" / "rules.yml"
LASTS = "5s"  # that a problem has to last, as alerts.after
FOLLOWS = "10s"  # that one has to last that may be a symptom: its cause is told first, and silences it
SILENT = 30  # seconds without a look of `tuiha export`
HEAD = """\
# Alerting rules for Prometheus, on the metrics of `tuiha export`: one for each problem that needs an action.
# Made by `python -m tests.programs.docs.rules` from the problems that tuiha knows. docs/alerts.md has the way in.
# The addresses of runbooks are relative to tuiha's documentation. Yours, when it is a site of your own:
#   sed -i 's#docs/runbooks/#https://docs.example.org/runbooks/#; s#\\.md"#.html"#' rules.yml
"""
_BY = "pool, kind, subject, code, severity"
_LEVEL = '{{ if eq $labels.severity "bad" }}critical{{ else }}warning{{ end }}'


@dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule."""

    name: str
    expression: str
    lasts: str
    severity: str
    summary: str
    description: str
    page: str

    def document(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name, "expr": self.expression, "for": self.lasts, "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.description, "runbook_url": self.page}}


def alerted() -> tuple[ProblemCode, ...]:
    """The problems that raise an alert: those that are more than a note at their worst."""
    return tuple(code for code, entry in PROBLEMS.items()
                 if entry.severity is not Severity.NOTE and code is not ProblemCode.RECORDED)


def rules() -> Iterator[Rule]:
    """All rules."""
    watching = "docs/alerts.md#when-nobody-watches"
    yield Rule("TuihaPoolDown", 'max by (pool) (tuiha_pool_verdict{verdict="DOWN"}) == 1', FOLLOWS, "critical",
               "{{ $labels.pool }}: no server of the pool serves users",
               "No pool server has a lease on the active database: devices get no answer.", "docs/runbooks/README.md")
    yield Rule("TuihaUnwatched", f"time() - max by (pool) (tuiha_pool_seen_timestamp_seconds) > {SILENT}", LASTS,
               "critical", "{{ $labels.pool }}: tuiha export sees nothing new",
               "The process runs, but its figures are old. No other alert of this pool can be raised.", watching)
    yield Rule("TuihaExportDown", 'up{job="tuiha"} == 0', "15s", "critical",
               "{{ $labels.instance }}: tuiha export does not answer",
               "No alert of its pool can be raised. Start tuiha export.", watching)
    yield Rule("TuihaExportMissing", 'absent(up{job="tuiha"})', "1m", "critical",
               "Prometheus has no target of the job tuiha",
               "No pool is watched. Compare scrape_configs with docs/alerts.md.", watching)
    for code in alerted():
        entry = PROBLEMS[code]
        yield Rule(
            alert_name(code), f'max by ({_BY}) (tuiha_pool_problem{{code="{code}",severity=~"bad|warning"}}) > 0',
            FOLLOWS if code in SYMPTOMS else LASTS, _LEVEL,
            f"{{{{ $labels.pool }}}}: {{{{ $labels.subject }}}}: {code}",
            f"{entry.meaning} Users notice: {entry.users} What to do: {entry.remedy}", runbook(code))


def document() -> str:
    """The whole file."""
    groups = {"groups": [{"name": "tuiha", "interval": "2s", "rules": [one.document() for one in rules()]}]}
    return HEAD + yaml.safe_dump(groups, sort_keys=False, width=10_000, default_style=None)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(document(), encoding="utf-8")

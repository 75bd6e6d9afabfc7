"""An alert in words: its name, a line for a telephone, and the longer text beside it."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Severity
from tuiha.model.problems.alerts import Alert
from tuiha.model.problems.operation import Running
from tuiha.words.explain import RUNBOOKS, runbook
from tuiha.words.next import command
from tuiha.words.problems import means, what

# The words of other systems, by which people route alerts already.
LEVELS: Mapping[Severity, str] = {Severity.BAD: "critical", Severity.WARNING: "warning", Severity.NOTE: "info"}


def alert_name(code: ProblemCode) -> str:
    """The name that an alert has in Prometheus and Alertmanager: `TuihaDatabaseDown`."""
    return "Tuiha" + "".join(part.capitalize() for part in code.split("-"))


def summary(alert: Alert) -> str:
    """One line: the pool, the node and its problem."""
    key = alert.key
    subject = "" if key.subject == key.pool else f" {key.subject}"
    return f"{key.pool}:{subject} {' '.join(what(alert.problem).split())}"


def operation(found: Running | None) -> str:
    """The operation that has the pool, in a few words; empty when none has."""
    if found is None:
        return ""
    step = f", step {found.step}: {found.action}" if found.step else ""
    return f"{found.kind} {found.id} ({found.condition}){step}; by {found.owner} on {found.host}"


def texts(alert: Alert, runbooks: str = RUNBOOKS) -> dict[str, str]:
    """The texts beside an alert, by name; one that says nothing is left out."""
    every = {
        "summary": summary(alert),
        "description": means(alert.problem),
        "runbook_url": runbook(alert.key.code, runbooks),
        "next": command(alert.problem.next),
        "operation": operation(alert.operation),
    }
    return {name: text for name, text in every.items() if text}

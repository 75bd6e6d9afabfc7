"""Alerts for Prometheus' Alertmanager, by its API v2.

Alertmanager forgets an alert that nobody repeats: every alert is sent again each minute, with an end four minutes
away. So an alert ends there, too, when `tuiha export` is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tuiha.model.problems.alerts import Alert, AlertKey
from tuiha.watch.alerts.post import Answer, ReceiverDoor, Undelivered
from tuiha.words.reports.alerts import LEVELS, alert_name, texts

AGAIN = 60.0  # seconds until the same alerts are sent again
_ENDS = 4 * AGAIN  # seconds until an alert that is not sent again ends
_ALERTS, _SILENCES, _STATUS = "/api/v2/alerts", "/api/v2/silences", "/api/v2/status"


def labels(key: AlertKey, severity: str = "") -> dict[str, str]:
    """By what Alertmanager recognizes, groups and routes an alert."""
    found = {"alertname": alert_name(key.code), "pool": key.pool, "kind": key.kind, "subject": key.subject,
             "code": key.code}
    return {name: str(text) for name, text in found.items()} | ({"severity": severity} if severity else {})


def moment(at: float) -> str:
    """Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Alertmanager:
    """One Alertmanager."""

    door: ReceiverDoor
    runbooks: str
    again: float | None = AGAIN
    _sent: dict[AlertKey, Alert] = field(default_factory=dict)  # that were raised when it was last told

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"Alertmanager {self.door.address}"

    async def deliver(self, raised: Mapping[AlertKey, Alert], now: float) -> tuple[str, ...]:
        """Tell it what is raised, and what is over since it was told last. Raises Undelivered."""
        over = {key: one for key, one in self._sent.items()
                if key not in raised or _level(raised[key]) != _level(one)}
        if raised or over:
            documents = [self._document(one, now) for one in over.values()]
            documents += [self._document(one, now + _ENDS) for one in raised.values()]
            _accepted(await self.door.send("POST", _ALERTS, documents))
        self._sent = dict(raised)
        return ()

    async def acknowledge(self, raised: Iterable[Alert], who: str, reason: str, until: float, now: float) -> None:
        """Silence the alerts until then: Alertmanager's way to say that a person works on it. Raises Undelivered."""
        for one in raised:
            matchers = [{"name": name, "value": text, "isRegex": False, "isEqual": True}
                        for name, text in labels(one.key).items()]
            _accepted(await self.door.send("POST", _SILENCES, {
                "matchers": matchers, "startsAt": moment(now), "endsAt": moment(until), "createdBy": who,
                "comment": reason}))

    async def probe(self, _: str) -> None:
        """See that it answers, and accepts the log-in. Raises Undelivered."""
        _accepted(await self.door.send("GET", _STATUS))

    def _document(self, alert: Alert, ends: float) -> dict[str, object]:
        return {"labels": labels(alert.key, _level(alert)), "annotations": texts(alert, self.runbooks),
                "startsAt": moment(min(alert.since, ends)), "endsAt": moment(ends)}


def _level(alert: Alert) -> str:
    return LEVELS[alert.problem.severity]


def _accepted(answer: Answer) -> None:
    if not 200 <= answer.status < 300:
        raise Undelivered(answer.shown, refused=answer.refused)

"""Alerts for PagerDuty, by its Events API v2: trigger, acknowledge and resolve, each by the alert's key.

PagerDuty keeps an incident open until it is resolved. So a file keeps which incidents are open: `tuiha export` resolves
them after its own restart, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tuiha.model.facts import Severity
from tuiha.model.problems.alerts import Alert, AlertKey, due
from tuiha.watch.alerts.alertmanager import moment
from tuiha.watch.alerts.post import ReceiverDoor, Undelivered
from tuiha.words.reports.alerts import LEVELS, texts

_ENQUEUE = "/v2/enqueue"
_KEY, _SUMMARY = 255, 1024  # characters that the API takes


class PagerDuty:
    """One service of PagerDuty, by its integration key."""

    again: float | None = None  # it keeps what it was told

    def __init__(self, door: ReceiverDoor, routing_key: str, runbooks: str, state: Path | None) -> None:
        """`state`: the file that keeps which incidents are open; None: nothing is kept."""
        self._door = door
        self._routing_key = routing_key
        self._runbooks = runbooks
        self._state = state
        self._told = _read(state)

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"PagerDuty {self._door.address}"

    async def deliver(self, raised: Mapping[AlertKey, Alert], now: float) -> tuple[str, ...]:
        """Trigger what is new or graver, resolve what is over; returns what PagerDuty refused for good.

        Raises Undelivered for the first event that may succeed later.
        """
        refused: list[str] = []
        news = due(raised.values(), self._told)
        for one in news.raised:
            await self._noting(self._trigger(one), refused)
            self._keep(one.key.text, one.problem.severity)
        for text in news.over:
            await self._noting(_event("resolve", text), refused)
            self._keep(text, None)
        return tuple(refused)

    async def acknowledge(self, raised: Iterable[Alert], who: str, reason: str, until: float, now: float) -> None:
        """Acknowledge the incidents of the alerts. Raises Undelivered."""
        for one in raised:
            await self._send(_event("acknowledge", one.key.text))

    async def probe(self, pool: str) -> None:
        """See that it answers, and accepts the key: an event resolves an incident that there never was.

        Raises Undelivered.
        """
        await self._send(_event("resolve", f"tuiha/{pool}/check"))

    async def _noting(self, event: dict[str, Any], refused: list[str]) -> None:
        """Send; an event that is refused for good is noted, and holds up no other."""
        try:
            await self._send(event)
        except Undelivered as error:
            if not error.refused:
                raise
            refused.append(str(error))

    async def _send(self, event: dict[str, Any]) -> None:
        answer = await self._door.send("POST", _ENQUEUE, {"routing_key": self._routing_key, **event})
        if answer.status != 202:
            raise Undelivered(answer.shown, refused=answer.refused)

    def _trigger(self, alert: Alert) -> dict[str, Any]:
        told = texts(alert, self._runbooks)
        page = told["runbook_url"]
        return _event("trigger", alert.key.text) | {
            "client": "tuiha",
            "links": [{"href": page, "text": "Runbook"}] if "://" in page else [],
            "payload": {
                "summary": told["summary"][:_SUMMARY], "source": alert.key.pool, "component": alert.key.subject,
                "group": alert.key.pool, "class": str(alert.key.code), "timestamp": moment(alert.since),
                "severity": LEVELS[alert.problem.severity],
                "custom_details": {"code": str(alert.key.code), **told},
            }}

    def _keep(self, text: str, severity: Severity | None) -> None:
        if severity is None:
            self._told.pop(text, None)
        else:
            self._told[text] = severity
        if self._state is not None:
            new = self._state.with_suffix(".new")
            new.write_text(json.dumps(self._told), encoding="utf-8")
            os.replace(new, self._state)


def _event(action: str, text: str) -> dict[str, Any]:
    return {"event_action": action, "dedup_key": text[:_KEY]}


def _read(state: Path | None) -> dict[str, Severity]:
    """The incidents that were open; a file that cannot be read tells of none."""
    try:
        return {} if state is None else {
            str(text): Severity(one) for text, one in json.loads(state.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}

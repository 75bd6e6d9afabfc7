"""From the settings to the receivers of alerts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

from tuiha.config import tls
from tuiha.config.pace import Alerts
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.config.values import Tls
from tuiha.model.facts import Severity
from tuiha.watch.alerts.alertmanager import Alertmanager
from tuiha.watch.alerts.delivery import Delivery, Receiver
from tuiha.watch.alerts.pagerduty import PagerDuty
from tuiha.watch.alerts.post import ReceiverDoor

ALERTMANAGER, PAGERDUTY = "alertmanager", "pagerduty"


def receivers(pool: Pool, base: Path, state: Path | None = None) -> Iterator[tuple[str, Severity, Receiver]]:
    """Each configured receiver with its section and the least severity that it is told of.

    `state`: the folder in which PagerDuty's open incidents are kept. Raises ConfigError; may block on a secret.
    """
    told = pool.alerts
    if told is None:
        return
    if told.alertmanager is not None:
        settings = told.alertmanager
        headers = {} if settings.user is None or settings.password is None \
            else _basic(settings.user, resolve(settings.password, base))
        for address in settings.addresses:
            door = _door(address, told, settings.tls, base, headers)
            yield ALERTMANAGER, Severity(settings.severity), Alertmanager(door, pool.watch.runbooks)
    if told.pagerduty is not None:
        service = told.pagerduty
        door = _door(service.address, told, service.tls, base, {})
        kept = None if state is None else state / f"alerts-{pool.pool}.json"
        yield PAGERDUTY, Severity(service.severity), PagerDuty(
            door, resolve(service.routing_key, base), pool.watch.runbooks, kept)


def deliveries(pool: Pool, base: Path, state: Path | None, say: Callable[[str], None]) -> list[Delivery]:
    """What keeps each receiver up to date. Raises ConfigError."""
    if pool.alerts is None:
        return []
    longest = pool.alerts.again
    return [Delivery(receiver, least, longest, say) for _, least, receiver in receivers(pool, base, state)]


def _door(address: str, told: Alerts, trust: Tls | None, base: Path, headers: dict[str, str]) -> ReceiverDoor:
    context = tls.client(trust, base) if address.startswith("https://") else None
    return ReceiverDoor(address, told.seconds, headers, context)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

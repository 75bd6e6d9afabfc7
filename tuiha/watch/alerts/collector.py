"""The collector of traces, as `tuiha check` asks it: with an empty trace, in JSON, which needs no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Protocol

from tuiha.config import tls
from tuiha.config.pace import TracesSettings
from tuiha.config.secrets import resolve
from tuiha.config.values import Tls
from tuiha.watch.alerts.post import ReceiverDoor, Undelivered


class Probed(Protocol):
    """A receiver that can be asked without being told anything."""

    @property
    def name(self) -> str:
        """As messages name it."""

    async def probe(self, pool: str) -> None:
        """See that it answers, and accepts the log-in. Raises Undelivered."""


class Collector:
    """The collector of a configuration."""

    def __init__(self, settings: TracesSettings, base: Path) -> None:
        """Raises ConfigError."""
        headers = {} if settings.token is None else {"Authorization": f"Bearer {resolve(settings.token, base)}"}
        context = tls.client(Tls(ca=settings.ca), base) if settings.address.startswith("https://") else None
        self._door = ReceiverDoor(settings.address, settings.seconds, headers, context)

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"the collector {self._door.address}"

    async def probe(self, _: str) -> None:
        """Send an empty trace. Raises Undelivered, also where this host lacks the package."""
        answer = await self._door.send("POST", "/v1/traces", {"resourceSpans": []})
        if not 200 <= answer.status < 300:
            raise Undelivered(answer.shown, refused=answer.refused)
        if importlib.util.find_spec("opentelemetry") is None:
            raise Undelivered("this host lacks a package that traces need: pip install 'tuiha[otel]'")

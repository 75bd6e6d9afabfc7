"""A double of PagerDuty's Events API v2. The real service cannot stand here: its incidents wake a person.

The schema follows the API's documentation (Events API v2, "Send an alert event"): fields, lengths, the severities, the
202, 400 and 429 answers. It keeps the incidents that a real service would have.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator, FormatChecker

ROUTING_KEY = "R0" + "a" * 30
_PAYLOAD = {
    "type": "object",
    "required": ["summary", "source", "severity"],
    "properties": {
        "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
        "source": {"type": "string", "minLength": 1},
        "severity": {"enum": ["critical", "error", "warning", "info"]},
        "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$"},
        "component": {"type": "string"}, "group": {"type": "string"}, "class": {"type": "string"},
        "custom_details": {"type": "object"},
    },
}
_EVENT = {
    "type": "object",
    "required": ["routing_key", "event_action"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "payload": _PAYLOAD,
        "images": {"type": "array"},
        "links": {"type": "array", "items": {
            "type": "object", "required": ["href"],
            "properties": {"href": {"type": "string", "format": "uri"}, "text": {"type": "string"}}}},
        "client": {"type": "string"}, "client_url": {"type": "string"},
    },
    "allOf": [
        {"if": {"properties": {"event_action": {"const": "trigger"}}}, "then": {"required": ["payload"]}},
        {"if": {"properties": {"event_action": {"enum": ["acknowledge", "resolve"]}}},
         "then": {"required": ["dedup_key"]}},
    ],
}
_MOST = 512 * 1024  # bytes of an event
_SCHEMA = Draft202012Validator(_EVENT, format_checker=FormatChecker())


@dataclass
class PagerDutyDouble:
    """A service with one integration."""

    address: str = ""
    incidents: dict[str, str] = field(default_factory=dict)  # dedup_key -> triggered, acknowledged, resolved
    events: list[dict[str, Any]] = field(default_factory=list)  # that were accepted
    fails: list[int] = field(default_factory=list)  # answers with which the next events are turned away

    async def enqueue(self, request: web.Request) -> web.Response:
        """Take an event, or say what is wrong with it."""
        if self.fails:
            status = self.fails.pop(0)
            return web.json_response({"status": "throttle exceeded", "message": "try again later"}, status=status)
        body = await request.read()
        errors = ["event is too large"] if len(body) > _MOST else self._against(body)
        if errors:
            return web.json_response({"status": "invalid event", "message": "Event object is invalid",
                                      "errors": errors}, status=400)
        event = json.loads(body)
        self.events.append(event)
        self._keep(event["event_action"], event.get("dedup_key", ""))
        return web.json_response({"status": "success", "message": "Event processed",
                                  "dedup_key": event.get("dedup_key", "")}, status=202)

    def _against(self, body: bytes) -> list[str]:
        try:
            event = json.loads(body)
        except ValueError:
            return ["invalid JSON"]
        found = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in _SCHEMA.iter_errors(event)]
        if not found and event["routing_key"] != ROUTING_KEY:
            found = ["Invalid routing key"]
        return found

    def _keep(self, action: str, key: str) -> None:
        known = self.incidents.get(key, "resolved")
        if action == "trigger" and known == "resolved":
            self.incidents[key] = "triggered"
        elif action == "acknowledge" and known == "triggered":
            self.incidents[key] = "acknowledged"
        elif action == "resolve" and key in self.incidents:
            self.incidents[key] = "resolved"


@asynccontextmanager
async def pagerduty() -> AsyncIterator[PagerDutyDouble]:
    """The double on a free port of this machine."""
    double = PagerDutyDouble()
    app = web.Application(client_max_size=2 * _MOST)
    app.router.add_post("/v2/enqueue", double.enqueue)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        double.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield double
    finally:
        await runner.cleanup()

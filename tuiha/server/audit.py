"""The audit log: one JSON line for each request that acts, or tries to. `"audit": true` tells it from other lines."""

from __future__ import annotations

import json
import logging
from urllib.parse import unquote

from aiohttp import web

log = logging.getLogger("tuiha.audit")

WHO = "X-Tuiha-Who"  # in a request: who sends it, as the sender says; the token alone says what may be done
_LONGEST = 1000  # characters of a body, and of a name, that are kept


def note(request: web.Request, role: str, body: bytes, result: str) -> None:
    """Write down who did what from where, and what came of it. `role` is proven by the token, the name is not."""
    resource = request.match_info.route.resource
    log.info("control", extra={
        "audit": True,
        "role": role,
        "operator": unquote(request.headers.get(WHO, ""), errors="replace")[:_LONGEST],
        "from": request.remote or "",
        "what": f"{request.method} {resource.canonical if resource is not None else ''}",
        "target": dict(request.match_info),
        "with": _told(body),
        "result": result,
    })


def _told(body: bytes) -> object:
    """What the body says; as a text, cut off, where it is no JSON or long."""
    text = body.decode(errors="replace")
    if len(text) > _LONGEST:
        return f"{text[:_LONGEST]}... ({len(body)} bytes)"
    try:
        return json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return text

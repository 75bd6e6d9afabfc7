"""The audit log: one JSON line for each request that acts, or tries to. `"audit": true` tells it from other lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from tuiha.server.problem import Problem

log = logging.getLogger("tuiha.audit")

WHO = "X-Tuiha-Who"  # in a request: who sends it, as the sender says; the token alone says what may be done
BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)  # as it was read, when it was
_LONGEST = 1000  # characters of a body, and of a name, that are kept
_LOOKING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})


def audited(role: Callable[[web.Request], str | None]) -> Middleware:
    """Notes what comes of every request under /control that is more than a look, also of one that is refused early."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in _LOOKING or not request.path.startswith("/control/"):
            return await handler(request)
        result = "cut off"
        try:
            response = await handler(request)
            result = str(response.status)
            return response
        except Problem as problem:
            result = f"{problem.status} {problem.title}"
            raise
        except web.HTTPException as refusal:
            result = f"{refusal.status} {refusal.reason}"
            raise
        except Exception as error:
            result = type(error).__name__
            raise
        finally:
            _note(request, role(request) or "nobody", request.get(BODY, b""), result)

    return middleware


@dataclass(frozen=True, slots=True)
class Line:
    """Who did what from where, and what came of it. `role` is proven by the token, `operator` is not.

    As it is, it is of a request whose headers could not be read: it may have been one that acts.
    """

    peer: str
    role: str = "nobody"
    operator: str = ""
    what: str = "unknown"
    target: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    result: str = "400 Bad Request"

    def fields(self) -> dict[str, object]:
        """What a record of the log has beside its message."""
        return {"audit": True, "role": self.role, "operator": self.operator, "from": self.peer, "what": self.what,
                "target": dict(self.target), "with": _told(self.body), "result": self.result}


def _note(request: web.Request, role: str, body: bytes, result: str) -> None:
    resource = request.match_info.route.resource
    log.info("control", extra=Line(
        peer=request.remote or "",
        role=role,
        operator=unquote(request.headers.get(WHO, ""), errors="replace")[:_LONGEST],
        what=f"{request.method} {resource.canonical if resource is not None else request.path[:_LONGEST]}",
        target=request.match_info,
        body=body,
        result=result,
    ).fields())


def _told(body: bytes) -> object:
    """What the body says; as a text, cut off, where it is no JSON or long."""
    text = body.decode(errors="replace")
    if len(text) > _LONGEST:
        return f"{text[:_LONGEST]}... ({len(body)} bytes)"
    try:
        return json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return text

"""The audit log: one JSON line for each request that acts, or tries to. `"audit": true` tells it from other lines."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from tuiha.model.operations.trace import HEADER, trace_of
from tuiha.server.http.bodies import no_number
from tuiha.server.http.limits import Rates
from tuiha.server.http.problems import HttpProblem

log = logging.getLogger("tuiha.audit")

WHO = "X-Tuiha-Who"  # in a request: who sends it, as the sender says; the token alone says what may be done
BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)  # as it was read, when it was
_LONGEST = 1000  # characters of a body, and of a name, that are kept
_MOST_USERS = 200  # of a list that a request may have
_UNDERSTOOD = ("user", "user_id", "users", "device", "server", "database", "epoch", "seconds", "reason")  # by handlers
_SUM_UP = 10.0  # seconds
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
        except HttpProblem as problem:
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
class AuditLine:
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
    trace: str = ""  # of the operation that it is part of, where its sender keeps traces

    def fields(self) -> dict[str, object]:
        """What a record of the log has beside its message."""
        return {"audit": True, "role": self.role, "operator": self.operator, "from": self.peer, "what": self.what,
                "target": dict(self.target), "with": _told(self.body), "result": self.result} | (
                    {"trace": self.trace} if self.trace else {})


def _note(request: web.Request, role: str, body: bytes, result: str) -> None:
    resource = request.match_info.route.resource
    if role != "operator" and not refusals.may():
        return
    log.info("control", extra=AuditLine(
        peer=request.remote or "",
        role=role,
        operator=_clean(unquote(request.headers.get(WHO, ""), errors="replace")[:_LONGEST]),
        what=_clean(f"{request.method} {resource.canonical if resource is not None else request.path[:_LONGEST]}"),
        target={name: _clean(value) for name, value in request.match_info.items()},
        body=body,
        result=result,
        trace=trace_of(request.headers.get(HEADER, "")) or "",
    ).fields())


def _told(body: bytes) -> object:
    """The body as it was sent, when it is JSON and short; else its digest and size, and what of it was understood.

    So nothing hides what was done: not padding, and not a body that one reader takes for JSON and another does not.
    """
    try:
        said = json.loads(body or b"{}", parse_constant=no_number)
        whole = json.dumps(said, ensure_ascii=False, allow_nan=False).encode()  # neither 1e999 nor half a character
    except (ValueError, RecursionError):
        return {**_digest(body), "text": _clean(body[:_LONGEST].decode(errors="replace"))}
    if len(whole) <= _LONGEST and len(body) <= 2 * _LONGEST:
        return said
    understood = {name: _short(said[name]) for name in _UNDERSTOOD if name in said} if isinstance(said, dict) else {}
    return {**_digest(body), "understood": understood}


def _short(value: object) -> object:
    """A field as the handlers take it; the ids of a list of users."""
    if isinstance(value, list):
        return [one.get("user_id") if isinstance(one, dict) else None for one in value[:_MOST_USERS]]
    text = json.dumps(value)
    return value if len(text) <= _LONGEST else _digest(text.encode())


def _digest(body: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}


def _clean(text: str) -> str:
    """The text without halves of characters, which are no UTF-8."""
    return text.encode("utf-8", "replace").decode()


class RefusalCounts:
    """Bounds the lines about refused requests: what is more is counted, and the count is a line."""

    def __init__(self, rate: float = 1.0, burst: int = 50) -> None:
        self._rates = Rates(rate, burst)
        self._left_out = 0
        self._timer: asyncio.TimerHandle | None = None

    def may(self) -> bool:
        """Whether one more line may be written."""
        if not self._rates.wait("", time.monotonic()):
            return True
        self._left_out += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SUM_UP, self.sum_up)
        return False

    def sum_up(self) -> None:
        """Write how many lines were left out since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._left_out:
            log.warning("refused requests without a line of their own",
                        extra={"audit": True, "requests": self._left_out})
            self._left_out = 0


refusals = RefusalCounts()

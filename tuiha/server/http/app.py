"""The HTTP application: routes, errors, limits, and the last look before an answer is released."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler, Middleware

from tuiha.config.pace import Limits
from tuiha.model.reports import ServerReport, ServerState
from tuiha.server.control.api import CONTROL, Control
from tuiha.server.control.rights import RIGHTS, Rights
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.attachment import Lane, in_lane
from tuiha.server.database.gate import Gate
from tuiha.server.devices.api import ADMISSION, HELD, PASSED_ON, WAITED, Devices
from tuiha.server.devices.room import STAY
from tuiha.server.http import audit, openapi
from tuiha.server.http.clients import Clients
from tuiha.server.http.guard import Guard
from tuiha.server.http.marks import DEVICE_PATHS
from tuiha.server.http.metrics import Metrics
from tuiha.server.http.problems import HttpProblem, unavailable, unknown_outcome
from tuiha.server.pool.load import Meter
from tuiha.server.pool.witnesses import Witnesses

log = logging.getLogger("tuiha.http")


def build(
    gate: Gate,
    devices: Devices,
    control: Control,
    rights: Rights,
    witnesses: Witnesses,
    metrics: Metrics,
    meter: Meter,
    report: Callable[[], ServerReport],
    last: Callable[[], bool],
    guard: Guard,
) -> web.Application:
    """The application of one pool server. `last`: no other server of the pool is available."""
    app = web.Application(
        middlewares=[_measured(metrics, meter), _with_problems(guard.limits, devices.room.again),
                     audit.audited(control.role), _inside(devices.clients), _whole(guard, devices.at_work),
                     _looking_again(gate)],
        client_max_size=guard.limits.body,
    )
    app.add_routes([*devices.routes(), *control.routes(), *rights.routes(control.only),
                    *witnesses.routes()])
    app.add_routes(
        [
            web.get("/health", _health(report, last)),
            web.get("/metrics", metrics.serve),
            web.get("/openapi.json", _openapi),
        ]
    )
    return app


def _health(report: Callable[[], ServerReport], last: Callable[[], bool]) -> Handler:
    async def health(request: web.Request) -> web.Response:
        """GET /health: may a sprayer send devices here? A server that lets requests wait may be sent more of them."""
        now = report()
        # An overloaded server that nobody can relieve serves slowly: without it nobody would be served.
        relieved = now.state is ServerState.OVERLOADED and not last()
        if now.state in (ServerState.UP, ServerState.WAITING, ServerState.OVERLOADED) and not relieved:
            return web.json_response({"state": now.state})
        raise unavailable(f"{now.state.lower()}: {now.reason}" if now.reason else now.state.lower())

    return health


def described() -> dict[str, Any]:
    """The OpenAPI document of this application."""
    return openapi.document((*CONTROL, *RIGHTS))


async def _openapi(request: web.Request) -> web.Response:
    return web.json_response(described())


def _looking_again(gate: Gate) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        """The gate's second look: between here and the socket nothing waits, and the guard looks once more there."""
        response: web.StreamResponse | HttpProblem
        async with gate.releasing() as passage:
            try:
                response = await handler(request)
            except HttpProblem as problem:  # it tells what was read, as every answer does
                response = problem
            finally:
                request[HELD] = request.get(HELD, False) or passage.waited
        if isinstance(response, HttpProblem):
            raise response
        admission = request.get(ADMISSION)
        if admission is not None and response.status < 300:  # a refusal tells nothing of the user's
            if admission.over():
                await admission.renew()
            if admission.over():
                raise unavailable("the user's right to come in changes at this moment", retry_after=1)
            passage.withheld = admission.over
        return response

    return middleware


def server_options(limits: Limits) -> dict[str, Any]:
    """What the HTTP parser takes: options of web.AppRunner."""
    return {
        "max_headers": limits.headers, "max_field_size": limits.header, "max_line_size": limits.header,
        "lingering_time": 2.0,
    }


def _faulty(request: web.BaseRequest) -> bool:
    """Whether another reader may find another body in a request: HTTP/1.0 knows no chunks (RFC 9112, section 6.1), and
    this server knows no other coding. A version that it does not speak has other rules.
    """
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if request.version not in (HttpVersion10, HttpVersion11):
        return True
    return coding is not None and (request.version == HttpVersion10 or coding.strip(" \t").lower() != "chunked")


def _inside(clients: Clients) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Control and figures are not for devices: what comes through a sprayer does not get there."""
        inside = request.path.startswith("/control/") or request.path == "/metrics"
        if inside and clients.through_a_sprayer(request):
            raise HttpProblem(403, "Not through a sprayer", "Ask the server itself, at its own address.")
        with in_lane(Lane.CONTROL) if inside else nullcontext():
            return await handler(request)

    return middleware


def _whole(guard: Guard, at_work: Callable[[web.Request], AbstractAsyncContextManager[None]]) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        """The body has to come in time, also one that nobody asks for; what the handler waits for does not count.

        A device's request has to have a place before its body is read.
        """
        connection = guard.of(request)
        if connection is not None:
            connection.began()
        try:
            if _faulty(request):
                raise HttpProblem(
                    400,
                    "Not HTTP as this server reads it",
                    "Use HTTP/1.1, with a length or with chunks.",
                    headers={hdrs.CONNECTION: "close"},
                )
            async with at_work(request) if request.path.startswith(DEVICE_PATHS) else nullcontext():
                if request.can_read_body:
                    with request[STAY].outside() if STAY in request else nullcontext():
                        await _read(request, guard.limits)
                    if connection is not None:
                        connection.came_whole()
                return await handler(request)
        finally:
            if connection is not None:
                connection.ended()

    return middleware


async def _read(request: web.Request, limits: Limits) -> None:
    """The body. Raises Problem 408."""
    try:
        async with asyncio.timeout(limits.body_time):
            request[audit.BODY] = await request.read()
    except TimeoutError:
        raise HttpProblem(408, "The body did not come in time", "Send the same request again.",
                          headers={hdrs.CONNECTION: "close"}) from None


def _with_problems(limits: Limits, again: Callable[[], int]) -> Middleware:
    hints = _HINTS | {413: f"A body has at most {limits.body} bytes."}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every failure is a problem+json answer."""
        try:
            return await handler(request)
        except HttpProblem as problem:
            return problem.response()
        except Unavailable as error:
            return unavailable(str(error), again()).response()
        except OutcomeUnknown:
            return unknown_outcome().response()
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return HttpProblem(error.status, error.reason, hints.get(error.status, "")).response()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a request failed", extra={"method": request.method, "route": _route(request)})
            return HttpProblem(500, "This server failed", "Its log says why. Repeat the same request.").response()

    return middleware


_HINTS = {
    404: "See /openapi.json for what there is.",
    405: "See /openapi.json for what there is.",
}


def _measured(metrics: Metrics, meter: Meter) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count device requests and time their work."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await handler(request)
        waited = request.get(WAITED, 0.0)
        seconds = None if waited is None else max(0.0, loop.time() - began - waited)
        interface = "devices" if request.path.startswith(DEVICE_PATHS) else "other"
        metrics.count(interface, response.status, seconds)
        if interface == "devices":
            meter.note(loop.time(), seconds or 0.0)
            meter.count(response.status, again=hdrs.RETRY_AFTER in response.headers,
                        forwarded=request.get(PASSED_ON, False), waited=bool(request.get(HELD, False)))
        return response

    return middleware


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"

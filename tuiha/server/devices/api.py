"""The device interface: register, wait for changes, ask about oneself."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from aiohttp import web
from yarl import URL

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.changes import DEVICES_OF_USER
from tuiha.pooldb.statements.users import MAIL_OF_USER
from tuiha.server.database.gate import Gate
from tuiha.server.devices import history, passes
from tuiha.server.devices.revocation import Admission, Revocation
from tuiha.server.devices.room import STAY, Room
from tuiha.server.devices.user import User
from tuiha.server.devices.users import Users, disabled
from tuiha.server.devices.waiters import Waiters
from tuiha.server.http.bodies import Registration
from tuiha.server.http.clients import CLIENT, Clients
from tuiha.server.http.limits import Quotas
from tuiha.server.http.marks import SHARE, share
from tuiha.server.http.problems import HttpProblem
from tuiha.server.pool.forwarder import SERVER, Forwarder
from tuiha.server.pool.router import Route, Router

_LONGEST_NAME = 128
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_WAIT = 55.0
_ELSEWHERE = 1.0  # seconds between looks for a user whose monitor, and so whose wake-up, is on another server


PASSED_ON = web.RequestKey("passed_on", bool)  # another server of this pool passed the request on
BEGAN = web.RequestKey("began", float)  # loop time at which a request came
ADMISSION = web.RequestKey("admission", Admission)  # of its user
# Seconds that a request waited for changes; None when another server knows.
WAITED: web.RequestKey[Any] = web.RequestKey("waited", object)

HELD: web.RequestKey[bool] = web.RequestKey("held", bool)  # it waited for a database

Serve = Callable[[web.Request, User, Route], Awaitable[web.Response]]


@dataclass(slots=True)
class Devices:
    """Handlers of /v1."""

    gate: Gate
    users: Users
    router: Router
    forwarder: Forwarder
    waiters: Waiters
    quotas: Quotas
    revocation: Revocation
    clients: Clients
    room: Room

    def routes(self) -> list[web.RouteDef]:
        """What this interface offers."""
        return [
            web.put("/v1/devices/{device}", self._routed(self.register)),
            web.get("/v1/devices/{device}/changes", self._routed(self.sync)),
            web.get("/v1/me", self._routed(self.me)),
        ]

    def _routed(self, serve: Serve) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            if request[PASSED_ON]:  # counted by its address where it came in
                request[CLIENT] = self.forwarder.client(request)
                return await serve_one(request)
            request[CLIENT] = self.clients.of(request)
            with self.quotas.one_of(request[CLIENT]):
                return await serve_one(request)

        async def serve_one(request: web.Request) -> web.StreamResponse:
            since = self.revocation.count
            user = await self.users.authenticate(request)
            request[ADMISSION] = Admission(self.revocation, user.id, since, partial(self._admit_again, request, user))
            self._bound(request, user)
            path, wait = _understood(request), _wait(request)
            route = await self.router.route(user)
            if not route.local and not request[PASSED_ON]:
                with request[STAY].outside():
                    answer = await self.forwarder.forward(request, path, route, wait)
                if answer is not None:
                    request[WAITED] = None  # the other server measures it
                    passes.bring(request, answer)
                    return answer
            try:
                response = await serve(request, user, route)
            except HttpProblem as problem:
                problem.headers[SERVER] = route.server
                raise
            response.headers[SERVER] = route.server
            passes.bring(request, response)
            return response

        return handler

    @asynccontextmanager
    async def at_work(self, request: web.Request) -> AsyncIterator[None]:
        """Around all that is done for a request. Raises Problem 503 when too much is done already; Unavailable."""
        request[BEGAN] = asyncio.get_running_loop().time()
        request[PASSED_ON] = self.forwarder.passed_on(request)
        held = await self.gate.waited_for()  # a request that waits for the database needs no place yet
        beside = share(request.headers.get(SHARE))
        async with self.room.stay(self.users.remembers(request), request[PASSED_ON], beside) as stay:
            request[STAY] = stay
            gone = request.transport is None
            try:
                if gone:  # while it waited: nobody would read the answer
                    raise web.HTTPRequestTimeout
                yield
            finally:
                stay.answers, stay.counts = not gone, not (gone or request.get(HELD, False))
                request[HELD] = request.get(HELD, False) or held

    async def _admit_again(self, request: web.Request, user: User) -> None:
        """The user's right changed since the request came: may it have its answer all the same?

        Raises Problem 401 or 403 when it may not.
        """
        await self.users.authenticate(request)
        if "device" in request.match_info:
            await self._device(request, user)

    def _bound(self, request: web.Request, user: User) -> None:
        """Raises Problem 429 for a user or a device that asks too often.

        It counts where a request comes in and where it is answered: all requests of a user are answered by one server.
        """
        device = request.match_info.get("device", "")[:_LONGEST_NAME]
        self.quotas.request(user.id, device, asyncio.get_running_loop().time())

    async def register(self, request: web.Request, user: User, route: Route) -> web.Response:
        """PUT /v1/devices/{device}: 201 for a new device, 200 for one that was there."""
        name = _device_name(request)
        kind = await _kind(request)
        self.quotas.registration(user.id, request[BEGAN])
        most = self.quotas.most_devices
        device = await self.gate.write(lambda c: history.register(c, user.id, name, kind, most))
        if device is None:
            await self._why_not(request, user)
        body = {"device": name, "key": history.make_key(device.id, device.acked_seq)}
        return web.json_response(body, status=201 if device.created else 200)

    async def _why_not(self, request: web.Request, user: User) -> NoReturn:
        """Raises the Problem that keeps a device from being registered."""
        try:
            await self._device(request, user)
        except HttpProblem as problem:
            if problem.status != 404:
                raise
            raise HttpProblem(
                409, "Too many devices",
                f"This user has {self.quotas.most_devices} devices, the most of a user. GET /v1/me lists them: "
                "register this one under the name of one that is no longer used.",
            ) from None
        raise disabled()  # or forgotten meanwhile: nothing is registered

    async def sync(self, request: web.Request, user: User, route: Route) -> web.Response:
        """GET /v1/devices/{device}/changes: what comes after the key, waited for."""
        woken = self.waiters.woken
        device, key = await self._device(request, user)
        if key is None or key.seq > device.last_seq:
            start = history.make_key(device.id, min(device.acked_seq, device.last_seq))
            raise HttpProblem(410, "The key is unknown", "Go on from the key in this answer.", key=start)
        if key.seq > device.acked_seq:
            await self.gate.write(lambda c: history.acknowledge(c, device, key.seq))
        has_all = key.seq == device.last_seq and not key.joined
        page = await self._await_changes(request, user, key, route, woken if has_all else None)
        body = {"key": history.following(key, page).text(), "changes": page.changes, "more": page.more}
        return web.json_response(body)

    async def _device(self, request: web.Request, user: User) -> tuple[history.Device, history.SyncKey | None]:
        """The device that asks, and its key unless that is unknown.

        Raises Problem 403 when it or its user may not come in, 404 when there is none.
        """
        name, key = _device_name(request), history.SyncKey.of(request.query.get("since", ""))
        device = await self.gate.read(lambda c: history.find_device(c, user.id, name))
        if key is not None and (device is None or key.device_id != device.id):
            device, key = await self.gate.read(partial(history.find_joined, user_id=user.id, key=key)) or (device, None)
        if device is None:
            raise HttpProblem(404, "No such device", f"Register it first: PUT /v1/devices/{name}")
        if device.disabled:
            raise disabled()
        if device.revoked:
            raise HttpProblem(403, "This device is revoked",
                              "An operator of the pool revoked it. Stop asking, and ask the operator.")
        return device, key

    async def _await_changes(
        self, request: web.Request, user: User, key: history.SyncKey, route: Route, looked: int | None
    ) -> history.ChangePage:
        """What comes after the key. `looked`: how often anybody had been woken when a look found nothing after it."""
        admission = request[ADMISSION]
        loop = asyncio.get_running_loop()
        until = request[BEGAN] + _wait(request)  # also when another server was asked in vain before
        waited, whose = 0.0, user.id
        with self.waiters.waiting(whose, key.device_id) as event:
            while True:
                if admission.over() or self.users.left(user) <= 0:
                    await admission.renew()
                    user = await self.users.authenticate(request)
                if looked == self.waiters.woken:  # what was written since would have woken this device
                    page = history.NOTHING
                else:
                    page = await self.gate.read(lambda c: history.after(c, whose, key.seq, key.device_id, key.joined))
                looked = None
                began = loop.time()
                replaced = self.waiters.replaced(key.device_id, event)
                woken_for_nothing = event.is_set() and (route.local or replaced)
                if page.changes or began >= until or woken_for_nothing:
                    if woken_for_nothing and not page.changes:
                        await self._device(request, user)  # that may be why it was woken
                    return page
                event.clear()
                believed = self.users.left(user)
                try:
                    async with asyncio.timeout(min(until - began, believed, math.inf if route.local else _ELSEWHERE)):
                        with request[STAY].outside():
                            await event.wait()
                except TimeoutError:
                    pass  # look once more, and then answer if the time is over
                waited += loop.time() - began
                request[WAITED] = waited

    async def me(self, request: web.Request, user: User, route: Route) -> web.Response:
        """GET /v1/me: the user's devices, monitoring server and mail server."""

        async def work(connection: Connection) -> tuple[Any, Any]:
            devices = await connection.fetch(DEVICES_OF_USER, user.id)
            return devices, await connection.fetchrow(MAIL_OF_USER, user.id)

        devices, row = await self.gate.read(work)
        if row is None or row["disabled"]:
            raise disabled()
        rows = [
            {
                "device": row["name"],
                "kind": row["kind"],
                "registered_at": row["registered_at"].isoformat(),
                "last_seen": row["last_seen"].isoformat(),
                "revoked": row["revoked"],
            }
            for row in devices
        ]
        body = {
            "user": user.name,
            "monitoring_server": route.server,
            "mail_cluster": user.cluster,
            "mail_server": row["mail_server"],
            "devices": rows,
        }
        return web.json_response(body)


def _device_name(request: web.Request) -> str:
    name = request.match_info["device"]
    if not _NAME.fullmatch(name):
        raise HttpProblem(400, "Not a device's name", "Use 1 to 128 letters, digits, dots, dashes or underscores.")
    return name


def _understood(request: web.Request) -> URL:
    """The path and query of a request as another server shall read them: nothing that this one did not look at.

    Raises Problem 400 for what no device can be called.
    """
    known = {name: request.query[name] for name in ("since", "wait") if name in request.query}
    if "device" not in request.match_info:
        return URL("/v1/me")
    path = URL(f"/v1/devices/{_device_name(request)}")
    return (path / "changes").with_query(known) if request.path.endswith("/changes") else path


def _wait(request: web.Request) -> float:
    text = request.query.get("wait", "0")
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= _MOST_WAIT:
        raise HttpProblem(400, "Not a waiting time", f"wait is a number of seconds from 0 to {_MOST_WAIT:.0f}.")
    return wait


async def _kind(request: web.Request) -> str:
    try:
        return Registration.model_validate(json.loads(await request.text())).kind
    except (ValueError, TypeError, LookupError, RecursionError):
        raise HttpProblem(400, "Not a device's kind",
                          'Send JSON: {"kind": "phone"}, at most 64 printable characters.') from None

"""Who may come in, by an operator's word: users disabled and forgotten, devices revoked. Orders and their statements.

Every order names a user by id and name, is one transaction, and may be repeated. Its answer has the number of its
announcement: what every server of the pool has to have seen before the order can be called done.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from tuiha.model.documents import AccessAnswer, AccessChangedAnswer, ForgottenUserAnswer
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.access import (
    ALLOW_DEVICE,
    DELETE_FORMER_DEVICES,
    DELETE_FORMER_KEYS,
    DEVICE_NAMED,
    DISABLE_USER,
    ENABLE_USER,
    FORGET_OLDEST_CHANGES,
    FORGET_USER,
    IS_DISABLED,
    REVOKE_DEVICE,
    UNBIND,
)
from tuiha.pooldb.statements.events import ADD_EVENT, WAKE
from tuiha.server.database.gate import Gate
from tuiha.server.devices.revocation import Revocation, announce
from tuiha.server.devices.waiters import Waiters
from tuiha.server.http.bodies import DeviceOrder, DisableOrder, RevokeOrder, UserOrder, body_of
from tuiha.server.http.endpoints import Endpoint, Handler, Query, Role
from tuiha.server.http.problems import HttpProblem

MOST = 5000  # changes that one order to forget deletes: a commit of a few megabytes


@dataclass(frozen=True, slots=True)
class NamedUser:
    """Whom an order is about. The plan of an operation found the id under this name."""

    id: int
    name: str
    device: str = ""


class Missing(Exception):
    """There is no such user or device."""


async def disable(connection: Connection, user: NamedUser, reason: str) -> int:
    """Nobody serves or monitors the user any more; the number of the announcement. Raises Missing."""
    # The binding first, as a monitor that records locks them; and once more for one that was made before the user's row
    # was locked.
    servers = await _unbind(connection, user.id)
    if await connection.fetchval(DISABLE_USER, user.id, user.name, reason) is None:
        raise Missing
    servers |= await _unbind(connection, user.id)
    await _note(connection, "warning", f"{user.name}: disabled: {reason}")
    for server in servers:
        await connection.execute(WAKE, server)
    return await announce(connection, user.id)


async def _unbind(connection: Connection, user_id: int) -> set[str]:
    return {row["server"] for row in await connection.fetch(UNBIND, user_id)}


async def enable(connection: Connection, user: NamedUser) -> int:
    """The user may come in again; the number of the announcement. Raises Missing."""
    if await connection.fetchval(ENABLE_USER, user.id, user.name) is None:
        raise Missing
    await _note(connection, "note", f"{user.name}: enabled again")
    return await announce(connection, user.id)


async def revoke(connection: Connection, user: NamedUser, reason: str) -> int:
    """The device's name and its keys are refused; the number of the announcement. Raises Missing."""
    device_id = await connection.fetchval(REVOKE_DEVICE, user.id, user.name, user.device, reason)
    if device_id is None:
        raise Missing
    await connection.execute(DELETE_FORMER_KEYS, device_id)
    await _note(connection, "warning", f"{user.name}: device {user.device} revoked: {reason}")
    return await announce(connection, user.id)


async def allow(connection: Connection, user: NamedUser) -> int:
    """The device may come in again, without its old keys; the number of the announcement. Raises Missing."""
    if await connection.fetchval(DEVICE_NAMED, user.id, user.name, user.device) is None:
        raise Missing
    await connection.execute(DELETE_FORMER_DEVICES, user.id, user.name, user.device)
    await connection.execute(ALLOW_DEVICE, user.id, user.name, user.device)
    await _note(connection, "note", f"{user.name}: device {user.device} allowed again")
    return await announce(connection, user.id)


async def forget_some(connection: Connection, user: NamedUser, most: int) -> int:
    """Delete the oldest changes of a disabled user, at most so many; how many there were.

    Raises Missing; ValueError for a user who is not disabled: there would be no end of it.
    """
    may = await connection.fetchval(IS_DISABLED, user.id, user.name)
    if may is None:
        raise Missing
    if not may:
        raise ValueError(f"{user.name} is not disabled")
    return int((await connection.execute(FORGET_OLDEST_CHANGES, user.id, most)).split()[-1])


async def forget(connection: Connection, user: NamedUser) -> int:
    """Delete a disabled user with all that is left; the number of the announcement."""
    if (await connection.execute(FORGET_USER, user.id, user.name)).split()[-1] != "0":
        await _note(connection, "warning", f"{user.name}: forgotten, with devices and history")
    return await announce(connection, user.id)


async def _note(connection: Connection, severity: str, text: str) -> None:
    await connection.execute(ADD_EVENT, severity, "users", text)


@dataclass(slots=True)
class Rights:
    """Handlers of the orders, under /control."""

    gate: Gate
    revocation: Revocation
    waiters: Waiters

    def routes(self, only: Callable[[Role, Handler], Handler]) -> list[web.RouteDef]:
        """What this interface offers; `only` lets a role's token through."""
        return [endpoint.route(self, only) for endpoint in RIGHTS]

    async def seen(self, request: web.Request) -> web.Response:
        """GET /control/access?user_id=N: the announcements that this server has seen, and the user's waiting polls."""
        user_id = request.query.get("user_id", "0")
        if not re.fullmatch(r"\d{1,18}", user_id):
            raise HttpProblem(400, "Field user_id", "user_id is a number.", field="user_id")
        return web.json_response(AccessAnswer(number=self.revocation.seen, waiting=self.waiters.of(int(user_id))))

    async def disable(self, request: web.Request) -> web.Response:
        """POST /control/users/disable {user, user_id, reason}: no server serves or monitors the user any more."""
        order = await body_of(request, DisableOrder)
        return await self._done(lambda c: disable(c, _named(order), order.reason))

    async def enable(self, request: web.Request) -> web.Response:
        """POST /control/users/enable {user, user_id}: the next request of a device brings a server."""
        user = _named(await body_of(request, UserOrder))
        return await self._done(lambda c: enable(c, user))

    async def revoke(self, request: web.Request) -> web.Response:
        """POST /control/devices/revoke {user, user_id, device, reason}: no server answers the device any more."""
        order = await body_of(request, RevokeOrder)
        return await self._done(lambda c: revoke(c, _named(order), order.reason))

    async def allow(self, request: web.Request) -> web.Response:
        """POST /control/devices/allow {user, user_id, device}: it may come in again, without its old keys."""
        user = _named(await body_of(request, DeviceOrder))
        return await self._done(lambda c: allow(c, user))

    async def forget(self, request: web.Request) -> web.Response:
        """POST /control/users/forget {user, user_id}: delete a part of a disabled user's history, the user with the
        last of it; answers whether the user is gone.
        """
        user = _named(await body_of(request, UserOrder))
        try:
            deleted = await self.gate.write(lambda c: forget_some(c, user, MOST))
        except Missing:
            return web.json_response(ForgottenUserAnswer(deleted=0, gone=True, number=None))
        except ValueError as error:
            raise HttpProblem(409, "Not forgotten", f"{error}. Disable the user first.") from None
        if deleted == MOST:
            return web.json_response(ForgottenUserAnswer(deleted=deleted, gone=False, number=None))
        number = await self.gate.write(lambda c: forget(c, user))
        return web.json_response(ForgottenUserAnswer(deleted=deleted, gone=True, number=number))

    async def _done(self, work: Callable[[Connection], Awaitable[int]]) -> web.Response:
        try:
            number = await self.gate.write(work)
        except Missing:
            raise HttpProblem(404, "No such user or device", "The pool has none with this id and name.") from None
        return web.json_response(AccessChangedAnswer(number=number))


RIGHTS: tuple[Endpoint[Rights], ...] = (
    Endpoint("GET", "/control/access", Rights.seen,
             "The last change of access that this server has seen, and a user's waiting polls", (AccessAnswer,),
             query=(Query("user_id", "integer"),)),
    Endpoint("POST", "/control/users/disable", Rights.disable, "Serve and monitor a user no more",
             (AccessChangedAnswer,), DisableOrder),
    Endpoint("POST", "/control/users/enable", Rights.enable, "Let a disabled user come in again",
             (AccessChangedAnswer,), UserOrder),
    Endpoint("POST", "/control/users/forget", Rights.forget,
             "Delete a part of a disabled user's history, the user with the last", (ForgottenUserAnswer,), UserOrder),
    Endpoint("POST", "/control/devices/revoke", Rights.revoke, "Refuse a device and its keys", (AccessChangedAnswer,),
             RevokeOrder),
    Endpoint("POST", "/control/devices/allow", Rights.allow,
             "Let a revoked device come in again, without its old keys", (AccessChangedAnswer,), DeviceOrder),
)


def _named(order: UserOrder) -> NamedUser:
    return NamedUser(order.user_id, order.user, order.device if isinstance(order, DeviceOrder) else "")

"""Any server with a health address: to be looked at here, and drained through its sprayer."""

from __future__ import annotations

import json
import ssl as tls
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tuiha.config import tls as certificates
from tuiha.drivers.http import Asker
from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import ServerReport, ServerState, ServerTarget

if TYPE_CHECKING:
    from tuiha.config.parts import Server
    from tuiha.drivers.site import Site

_LIMIT = 1024 * 1024  # bytes of an answer


class HttpServer:
    """Polls a server that is not one of ours.

    `health`: a path; 2xx means that it serves. `users`: PATH#POINTER, the JSON document and the place in it (RFC 6901)
    where the number of its users is; None when it tells no such thing.
    """

    capabilities: frozenset[str] = frozenset({"poll"})

    def __init__(
        self, name: str, address: str, pool: str, health: str = "/health", users: str | None = None,
        token: str | None = None, ssl: tls.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self._pool = pool
        self._health = health
        self._users = users
        headers: Mapping[str, str] = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._asker = Asker(address, headers, ssl, secret=token is not None)

    async def poll(self) -> ServerReport:
        """Its health and, where it tells, its users. Raises DriverError."""
        status, _ = await self._asker.get(self._health, _LIMIT)
        well = 200 <= status < 300
        return ServerReport(
            name=self.name, pool=self._pool, version="http", target=ServerTarget.UP,
            state=ServerState.UP if well else ServerState.DRAINING,
            users=await self._count(), reason=None if well else f"{self._health} answers {status}",
        )

    async def _count(self) -> int | None:
        if self._users is None:
            return None
        path, _, pointer = self._users.partition("#")
        status, body = await self._asker.get(path, _LIMIT)
        if status != 200:
            raise DriverError(f"{path} answers {status}")
        try:
            return whole(pointed(json.loads(body), pointer))
        except (ValueError, RecursionError):
            raise DriverError(f"{path} does not answer JSON") from None
        except LookupError:
            raise DriverError(f"{path} has nothing at {pointer or 'its top'} that is a number of users") from None

    async def close(self) -> None:
        """Drop the connection."""
        await self._asker.close()


def pointed(document: object, pointer: str) -> object:
    """What a JSON pointer (RFC 6901) names. Raises LookupError when there is nothing."""
    found = document
    for part in pointer.split("/")[1:] if pointer else ():
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found[key]
        elif isinstance(found, list) and key.isdecimal():
            found = found[int(key)]
        else:
            raise LookupError(pointer)
    return found


def whole(value: object) -> int:
    """A whole number of nothing or more, also as text ("1,024"). Raises LookupError for anything else."""
    if isinstance(value, str):
        value = int(text) if (text := value.strip().replace(",", "")).isdecimal() and len(text) < 16 else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise LookupError("no whole number")
    return value


def open_http_server(server: Server, site: Site) -> HttpServer:
    """The driver of a server that only has a health address."""
    settings = server.http
    token = None if settings.token is None else site.secret(settings.token)
    return HttpServer(server.name, server.address, site.pool.pool, settings.health, settings.users, token,
                      certificates.for_server(server, site.base))

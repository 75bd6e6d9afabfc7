"""A server of an HCL Traveler pool. NOT TRIED ON A LIVE SERVER: it rests on HCL's documents and on public clients.

Looking is `GET /api/traveler/servers`, one call that tells of the whole pool, and `GET /traveler?action=getStatus`.
Acting (withdraw, accept) is a console command of Domino's, sent by a program that the operator configures. No interface
is known that moves a user, or that shows which database a server is attached to: these stay unknown here.
"""

from __future__ import annotations

import asyncio
import json
import ssl as tls
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tuiha.config import tls as certificates
from tuiha.config.secrets import environment
from tuiha.drivers.http import Asker
from tuiha.drivers.processes import end
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import short
from tuiha.model.reports import ServerReport, ServerState, ServerTarget

if TYPE_CHECKING:
    from tuiha.config.parts import Server
    from tuiha.drivers.site import Site

_LIMIT = 4 * 1024 * 1024  # bytes of an answer
_PAGES = 20  # of the list of servers
_POSITIVE = "traveler server is available"  # in English; other languages have other words, so it only ever confirms
ALIVE = 60.0  # seconds: the age of a heartbeat at which Traveler itself gives a server up
DRAINING = -200


class TravelerServer:
    """Looks at one server of a Traveler pool, and withdraws it or lets it in again.

    `domino_name` is what the pool calls it (`traveler1/ACME`); None: its host name is compared with the address.
    `console`: program and arguments to which one Domino console command is appended, for instance an ssh with a forced
    command; None: it can only be looked at.
    """

    def __init__(
        self, name: str, address: str, pool: str, user: str, password: str, domino_name: str | None = None,
        console: Sequence[str] | None = None, seconds: float = 30.0, ssl: tls.SSLContext | None = None,
        folder: Path | None = None, environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`environment` is the console command's; None: the one of this process."""
        self.name = name
        self.address = address
        self.capabilities = frozenset({"poll"} if console is None else {"poll", "withdraw", "accept"})
        self._pool = pool
        self._domino_name = domino_name
        self._console = tuple(console or ())
        self._seconds = seconds
        self._folder = folder
        self._environment = environment
        self._clock = clock
        login = b64encode(f"{user}:{password}".encode()).decode()
        self._asker = Asker(address, {"Authorization": f"Basic {login}", "Accept": "application/json"}, ssl)

    # Looking

    async def poll(self) -> ServerReport:
        """What its own pool says of it. Raises DriverError."""
        rows = [row async for row in self._rows()]
        mine = self._mine(rows)
        if mine is None:
            known = ", ".join(sorted({text for row in rows if (text := _text(row, "domino_name"))})[:6])
            raise DriverError(f"its pool does not list it; it lists {known or 'nobody'} (servers.traveler.domino_name)")
        index = _number(mine, "availability_index", -200, 100)
        beat = _number(mine, "heart_beat", 0, 1 << 53)
        age = None if beat is None else max(0.0, self._clock() - beat / 1000)
        state, reason = judged(index, age, _text(mine, "server_status"))
        if state is ServerState.UP and not await self._confirms():
            reason = "getStatus does not say that it is available (in English)"
        return ServerReport(
            name=self.name, pool=self._pool, version="HCL Traveler", state=state, reason=reason,
            target=ServerTarget.DRAIN if index == DRAINING else ServerTarget.UP,
            users=_number(mine, "number_of_users", 0, 1 << 40), availability_index=index,
        )

    async def _rows(self) -> Any:
        """Every row of the list of servers, over its pages."""
        path: str | None = "/api/traveler/servers"
        for _ in range(_PAGES):
            if path is None:
                return
            status, body = await self._asker.get(path, _LIMIT, follow=True)
            if status in (401, 403):
                raise DriverError("it does not accept the user or the password, or the user is no administrator")
            if status != 200:
                raise DriverError(f"{path.partition('?')[0]} answers {status}")
            page = _document(body)
            for row in page.get("data") if isinstance(page.get("data"), list) else ():  # type: ignore[union-attr]
                if isinstance(row, dict):
                    yield row
            onward = page.get("next")
            path = onward if isinstance(onward, str) and onward else None

    def _mine(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        if self._domino_name is not None:
            return next((row for row in rows if _same(_text(row, "domino_name"), self._domino_name)), None)
        host = urlsplit(self.address).hostname or ""
        fits = [row for row in rows if host in (_lower(row, "hostname"), _lower(row, "ip_address"))]
        return fits[0] if len(fits) == 1 else None

    async def _confirms(self) -> bool:
        status, body = await self._asker.get("/traveler?action=getStatus", _LIMIT, follow=True)
        return status == 200 and _POSITIVE in body.decode("utf-8", "replace").lower()

    # Acting

    async def withdraw(self) -> str:
        """Take it out of Traveler's own balancing, which sprayers do not notice; what the console said.

        Raises DriverError.
        """
        return await self._tell("tell traveler available off")

    async def accept(self) -> str:
        """Let it take users again; what the console said. Raises DriverError."""
        return await self._tell("tell traveler available on")

    async def _tell(self, command: str) -> str:
        if not self._console:
            raise DriverError("no console command is configured (servers.traveler.console)")
        try:
            process = await asyncio.create_subprocess_exec(
                *self._console, command, cwd=self._folder, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
                env=self._environment)
        except OSError as error:
            raise DriverError(f"{self._console[0]}: {error.strerror or error}") from None
        try:
            async with asyncio.timeout(self._seconds):
                said, _ = await process.communicate()
        except TimeoutError:
            raise DriverError(f"the console command did not end within {self._seconds:g} s: the outcome is not known; "
                              "look at the availability index") from None
        finally:
            await end(process)
        text = short(said.decode("utf-8", "replace")) or "nothing"
        if process.returncode != 0:
            raise DriverError(f"the console command ended with {process.returncode}: {text}")
        return text

    async def close(self) -> None:
        """Drop the connection."""
        await self._asker.close()


def judged(index: int | None, age: float | None, status: str | None) -> tuple[ServerState, str | None]:
    """The state of a server by its row, and why: silence first, then the index (HCL's documented ranges)."""
    if age is not None and age > ALIVE:
        return ServerState.CUT_OFF, f"its heartbeat is {age:.0f} s old (or the clocks of the hosts differ)"
    if index is None:
        return ServerState.UP, f"it tells no availability index{f'; its status is {status}' if status else ''}"
    if index == DRAINING:
        return ServerState.DRAINING, "available off"
    if index < 0:
        return ServerState.OVERLOADED, f"availability index {index}"
    return ServerState.UP, None


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise DriverError("the answer is not JSON; is this the address of a Traveler server?") from None
    if not isinstance(found, dict):
        raise DriverError("the answer is not a list of servers")
    return found


def _number(row: Mapping[str, Any], field: str, least: int, most: int) -> int | None:
    """A number, which may come as text; None when it is not there, or cannot be."""
    value = row.get(field)
    if isinstance(value, str) and value.strip().lstrip("-").replace(",", "").isdecimal():
        value = int(value.strip().replace(",", "")[:20])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    ok = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return value if ok else None


def _text(row: Mapping[str, Any], field: str) -> str | None:
    value = row.get(field)
    return short(value) or None if isinstance(value, str) else None


def _lower(row: Mapping[str, Any], field: str) -> str:
    return (_text(row, field) or "").lower()


def _same(one: str | None, other: str) -> bool:
    """Domino names differ in case, and may be written as CN=traveler1/O=ACME."""
    return one is not None and tuple(_parts(one)) == tuple(_parts(other))


def _parts(name: str) -> Iterator[str]:
    for part in name.lower().split("/"):
        yield part.split("=", 1)[-1].strip()


def open_traveler(server: Server, site: Site) -> TravelerServer:
    """The driver of a server of an HCL Traveler pool."""
    settings = server.traveler
    assert settings is not None  # the settings are validated
    return TravelerServer(server.name, server.address, site.pool.pool, settings.user, site.secret(settings.password),
                          settings.domino_name, settings.console, settings.seconds,
                          certificates.for_server(server, site.base), site.base, environment(site.pool))

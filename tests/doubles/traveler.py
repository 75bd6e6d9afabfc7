"""A double of HCL Traveler's REST interface, in the shapes that HCL documents.

NO LIVE SERVER WAS TRIED: the program is licensed, and cannot be installed for tests. The double is wrong in the ways
that operators and public clients report.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.drivers.serving import serving

NOW = 1_700_000_000.0
ME = "CN=traveler1/O=ACME"


def row(name: str = ME, **changes: Any) -> dict[str, Any]:
    return {"domino_name": name, "hostname": "127.0.0.1" if name == ME else "192.0.2.2", "ip_address": "192.0.2.1",
            "port": 80, "availability_index": 88, "number_of_users": 512, "heart_beat": int((NOW - 3) * 1000),
            "server_status": "available", **changes}


class TravelerDouble:
    """A Traveler pool: what its REST interface says is set by the test."""

    def __init__(self) -> None:
        self.rows = [row("CN=traveler2/O=ACME", number_of_users=3), row()]
        self.page = 100
        self.status = "Traveler server is available."
        self.redirects = ""
        self.logins: list[str] = []
        self.address = ""

    async def servers(self, request: web.Request) -> web.Response:
        login = request.headers.get("Authorization", "").removeprefix("Basic ")
        self.logins.append(b64decode(login).decode())
        if self.logins[-1] != "admin:secret":
            return web.Response(status=401)
        first = int(request.query.get("start", "0"))
        rest = first + self.page < len(self.rows)
        return web.json_response({
            "code": 0, "message": "", "href": str(request.rel_url), "totalRecords": str(len(self.rows)),
            "next": f"/api/traveler/servers?start={first + self.page}" if rest else "",
            "data": self.rows[first : first + self.page]})

    async def get_status(self, request: web.Request) -> web.Response:
        if self.redirects:
            raise web.HTTPFound(self.redirects)
        return web.Response(text=self.status)


@asynccontextmanager
async def traveler_double() -> AsyncIterator[TravelerDouble]:
    """The double, on a free port of loopback."""
    made = TravelerDouble()
    routes = {"/api/traveler/servers": made.servers, "/traveler": made.get_status, "/traveler/there": _there}
    async with serving(routes) as address:
        made.address = address
        yield made


async def _there(_: web.Request) -> web.Response:
    return web.Response(text="Traveler server is available.")

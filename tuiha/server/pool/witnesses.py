"""Other pool servers as witnesses: is the database that this server reached the one that they use?

While the pool counts on its secondary, a commit on a copy is confirmed by nobody, so a copy gives no lease. Without a
secondary nothing in a copy tells it from the database: it has the same identifier, timeline, epoch and settings. But a
lease is a row. A server that holds a lease finds every other server's last renewal in its own database, or the two are
on two databases. So a new attachment that no secondary confirms is opened only when no holder of a lease contradicts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl as tls
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import bounded
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.leases import IS_LAST_RENEWAL
from tuiha.pooldb.statements.servers import PEERS
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.http.problems import HttpProblem
from tuiha.server.pool.signatures import Proof

log = logging.getLogger("tuiha.witness")

MARK = "X-Tuiha-Server-Asks"  # in a question: a pool server's signature
_MOST = 8  # servers that are asked: those that were heard of last
_ASKED = 0.5  # seconds for their answers; a dead host may not hold up the pool for longer
_LOOK = 0.4  # seconds for a look at this server's own database, for another one's question
_LARGEST = 4096  # bytes of an answer
_SERVER = 63  # characters of a server's name
_AT = 40  # characters of a renewal's time
_UNKNOWN: dict[str, Any] = {"leased": False, "has": None}


@dataclass(frozen=True, slots=True)
class Renewal:
    """A renewal of a lease, as its row shows it."""

    server: str
    at: str  # its time, as the database writes it in UTC

    @property
    def path(self) -> str:
        """Where a witness is asked about it."""
        return str(URL(f"/control/renewals/{self.server}").with_query(at=self.at))


class Witnesses:
    """Asks the other servers of a pool, and answers them."""

    def __init__(self, server: str, gate: Gate, proof: Proof, ssl: tls.SSLContext | None = None) -> None:
        """`ssl`: what the others' certificates are verified against; None: the system's trust store."""
        self._server = server
        self._gate = gate
        self._proof = proof
        self._ssl = ssl

    def routes(self) -> list[web.RouteDef]:
        """What other servers ask."""
        return [web.get("/control/renewals/{server}", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """GET /control/renewals/{server}?at=...: whether the database of this server's lease shows that renewal.

        `leased` false: this server has no lease now, and cannot tell. Raises Problem 403 for any other asker.
        """
        if not self._proof.holds(request.headers.get(MARK, ""), f"GET {request.rel_url}", ""):
            raise HttpProblem(403, "For servers of this pool", "Pool servers ask each other here, with a signature.")
        renewal = Renewal(request.match_info["server"][:_SERVER], request.query.get("at", "")[:_AT])
        if self._gate.attachment is None or self._gate.held:
            return web.json_response(_UNKNOWN)
        try:
            has = await self._gate.read(
                lambda c: c.fetchval(IS_LAST_RENEWAL, renewal.server, renewal.at), wait=_LOOK)
        except (Unavailable, OutcomeUnknown):
            return web.json_response(_UNKNOWN)
        return web.json_response({"leased": True, "has": bool(has)})

    async def contradicting(self, connection: Connection, at: str) -> list[str]:
        """The servers that hold a lease on another database than this connection's, sorted by name.

        `at`: the time of this server's last renewal there. A server that does not answer, or has no lease, says
        nothing. Raises what LOST lists.
        """
        rows = await connection.fetch(PEERS, self._server, _MOST)
        renewal = Renewal(self._server, at)
        connector = aiohttp.TCPConnector(ssl=self._ssl or True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=_ASKED)) as session:
            found = await asyncio.gather(*(self._contradicts(session, row["address"], renewal) for row in rows))
        return sorted(_names(rows, found))

    async def _contradicts(self, session: aiohttp.ClientSession, address: str, renewal: Renewal) -> bool:
        path = renewal.path
        mark, nonce = self._proof.sign(f"GET {path}", "")
        try:
            url = URL(address.rstrip("/") + path, encoded=True)
            async with session.get(url, headers={MARK: mark}, allow_redirects=False) as answer:
                if answer.status != 200:
                    return False  # a server of the version before, or of another pool
                told = json.loads(await bounded(answer, _LARGEST))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, DriverError) as error:
            log.debug("no witness", extra={"address": address, "error": type(error).__name__})
            return False
        finally:
            self._proof.answered(nonce)
        return isinstance(told, dict) and told.get("leased") is True and told.get("has") is False


def _names(rows: Iterable[Any], contradicts: Iterable[bool]) -> list[str]:
    return [row["name"] for row, one in zip(rows, contradicts, strict=True) if one]

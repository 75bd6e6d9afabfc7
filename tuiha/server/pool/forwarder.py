"""Pass a device's request on to the server that monitors its user."""

from __future__ import annotations

import logging
import ssl as tls
from collections.abc import Mapping

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import bounded
from tuiha.model.operations.trace import HEADER, MOST_STATE, STATE, trace_of
from tuiha.server.http.clients import CLIENT
from tuiha.server.http.marks import COOKIE, FULL, PASS
from tuiha.server.pool.router import Route
from tuiha.server.pool.signatures import Proof

log = logging.getLogger("tuiha.forward")

SERVER = "X-Tuiha-Server"  # in every answer: the user's monitoring server; sprayers learn from it
FORWARDED_BY = "X-Tuiha-Forwarded-By"  # in an answer: the server that passed the request on
FORWARDED = "X-Tuiha-Forwarded"  # in a request: do not forward it again; believed with a proof only
CLIENT_HEADER = "X-Tuiha-Client"  # in a passed-on request: the device's address, with a proof
_LARGEST = 8 * 1024 * 1024  # bytes of an answer
_REQUEST = (hdrs.AUTHORIZATION, hdrs.CONTENT_TYPE, hdrs.ACCEPT)
_RESPONSE = (hdrs.CONTENT_TYPE, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE, SERVER, FULL)


class Forwarder:
    """An HTTP client towards the other servers of the pool."""

    def __init__(self, server: str, proof: Proof, ssl: tls.SSLContext | None = None) -> None:
        self._server = server
        self.proof = proof
        self._ssl = ssl  # None: the system's trust store
        self._session: aiohttp.ClientSession | None = None

    def passed_on(self, request: web.Request) -> bool:
        """Whether a server of this pool passed this request on to this one."""
        marker = request.headers.get(FORWARDED)
        return marker is not None and self.proof.holds(
            marker, target(request.method, str(request.rel_url)), request.headers.get(hdrs.AUTHORIZATION, "")
        )

    def client(self, request: web.Request) -> str:
        """The device's address in a request that `passed_on` believed; empty when the other server did not say it."""
        return self.proof.client(request.headers[FORWARDED], request.headers.get(CLIENT_HEADER, ""))

    async def forward(self, request: web.Request, path: URL, route: Route, wait: float) -> web.Response | None:
        """The other server's answer; None when it cannot give one, and this server has to answer by itself.

        `path` is made of what this server understood, not of what the device wrote. `wait` is how long the request may
        wait for changes there, in seconds.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl or True), auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),  # what one user was given is not for another
            )
        headers: dict[str, str] = {name: request.headers[name] for name in _REQUEST if name in request.headers}
        headers |= traced(request.headers)
        marker, nonce = self.proof.sign(
            target(request.method, str(path)), headers.get(hdrs.AUTHORIZATION, "")
        )
        headers[FORWARDED] = marker
        if shown := request[PASS]():  # the other server need not verify the password again
            headers[hdrs.COOKIE] = f"{COOKIE}={shown}"
        headers[CLIENT_HEADER] = self.proof.sign_client(nonce, request.get(CLIENT, ""))
        try:
            async with self._session.request(
                request.method,
                URL(route.address, encoded=True).join(path),
                headers=headers,
                data=await request.read(),
                timeout=aiohttp.ClientTimeout(total=wait + 5.0, sock_connect=1.0),
                allow_redirects=False,
            ) as answer:
                if answer.status >= 500 and FULL not in answer.headers:
                    return None
                kept: dict[str, str] = {n: answer.headers[n] for n in _RESPONSE if n in answer.headers}
                kept[FORWARDED_BY] = self._server
                if FULL in kept:
                    kept[SERVER] = route.server  # so that the device's next try does not come by here
                return web.Response(status=answer.status, body=await bounded(answer, _LARGEST), headers=kept)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, DriverError) as error:
            log.info("not forwarded", extra={"to": route.server, "error": type(error).__name__})
            return None
        finally:
            self.proof.answered(nonce)

    async def close(self) -> None:
        """Drop connections."""
        if self._session is not None:
            await self._session.close()


def traced(headers: Mapping[str, str]) -> dict[str, str]:
    """The trace that a request belongs to, as its headers name it; none where they name none as they must."""
    parent, state = headers.get(HEADER, ""), headers.get(STATE, "")
    if trace_of(parent) is None:
        return {}
    return {HEADER: parent} | ({STATE: state} if 0 < len(state) <= MOST_STATE else {})


def target(method: str, path: str) -> str:
    """What a proof is about: a request for something else is not proven by it."""
    return f"{method} {path}"

"""Pass a device's request on to the server that monitors its user."""

from __future__ import annotations

import logging
import ssl as tls

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from tuiha.server.routing import Route

log = logging.getLogger("tuiha.forward")

SERVER = "X-Tuiha-Server"  # in every answer: the user's monitoring server; sprayers learn from it
FORWARDED_BY = "X-Tuiha-Forwarded-By"  # in an answer: the server that passed the request on
FORWARDED = "X-Tuiha-Forwarded"  # in a request: do not forward it again
_REQUEST = (hdrs.AUTHORIZATION, hdrs.CONTENT_TYPE, hdrs.ACCEPT)
_RESPONSE = (hdrs.CONTENT_TYPE, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE, SERVER)


class Forwarder:
    """An HTTP client towards the other servers of the pool."""

    def __init__(self, server: str, ssl: tls.SSLContext | None = None) -> None:
        self._server = server
        self._ssl = ssl  # None: the system's trust store
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, request: web.Request, route: Route, wait: float) -> web.Response | None:
        """The other server's answer; None when it cannot give one, and this server has to answer by itself.

        `wait` is how long the request may wait for changes there, in seconds.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl or True), auto_decompress=False
            )
        headers: dict[str, str] = {name: request.headers[name] for name in _REQUEST if name in request.headers}
        headers[FORWARDED] = self._server
        try:
            async with self._session.request(
                request.method,
                URL(route.address, encoded=True).join(request.rel_url),
                headers=headers,
                data=await request.read(),
                timeout=aiohttp.ClientTimeout(total=wait + 5.0, sock_connect=1.0),
                allow_redirects=False,
            ) as answer:
                if answer.status >= 500:
                    return None
                kept: dict[str, str] = {n: answer.headers[n] for n in _RESPONSE if n in answer.headers}
                kept[FORWARDED_BY] = self._server
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            log.info("not forwarded", extra={"to": route.server, "error": type(error).__name__})
            return None

    async def close(self) -> None:
        """Drop connections."""
        if self._session is not None:
            await self._session.close()

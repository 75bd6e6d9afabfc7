"""The wall in a browser, through textual-serve: to look at, from this machine, by a few at a time.

Every page is a process of its own that watches, so their number is bounded. A page of another site may neither load
this one nor speak to it: the names by which this server is called, and the origin of whoever connects, are checked.
"""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from tuiha.config.tls import is_loopback

PAGES = 8  # at once
_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WallServer(Server):
    """Serves the wall."""

    def __init__(self, words: Sequence[str], host: str, port: int, public_url: str | None, title: str) -> None:
        """`words` are for `tuiha wall`, which every page runs; `public_url` is that of a proxy, if there is one."""
        shown = f"[{host}]" if ":" in host else host
        own = f"http://{shown}:{port}"
        command = shlex.join([sys.executable, "-m", "tuiha", "wall", *words])
        super().__init__(command, host=host, port=port, title=title, public_url=(public_url or own).rstrip("/"))
        self.own_url = own
        self._pages = 0
        names = {own, self.public_url}
        if is_loopback(host):
            names |= {f"http://{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        self._origins = frozenset(names)
        self._hosts = frozenset(urlsplit(name).netloc for name in names)

    def initialize_logging(self) -> None:
        """Whoever runs it decides on that; the package's own would print locals of a failure."""

    async def on_startup(self, app: web.Application) -> None:
        """No words here: the command says where it is."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guarded)
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse other names, other origins and too many pages; tell the browser to load nothing from elsewhere."""
        if request.host not in self._hosts:
            raise web.HTTPMisdirectedRequest(text=f"this is {self.public_url}\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins:
            raise web.HTTPForbidden(text="a page of another site may not read this one\n")
        if request.path != "/ws":
            response = await handler(request)
            response.headers.update(self._headers())
            return response
        if self._pages >= PAGES:
            raise web.HTTPServiceUnavailable(text=f"{PAGES} pages are open; close one\n", headers={"Retry-After": "10"})
        self._pages += 1
        try:
            return await handler(request)
        finally:
            self._pages -= 1

    def _headers(self) -> dict[str, str]:
        sockets = " ".join(sorted(name.replace("http", "ws", 1) for name in self._origins))
        return {
            "Content-Security-Policy": f"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' "
                                       f"'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
                                       f"connect-src 'self' {sockets}; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
        }

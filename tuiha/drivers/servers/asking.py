"""One kept connection to a server over HTTP, for drivers that poll."""

from __future__ import annotations

import ssl as tls
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tuiha.config.tls import is_loopback
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import bounded, why_http

if TYPE_CHECKING:
    import aiohttp

_SECONDS = 10.0  # an upper bound; the caller's deadline is usually shorter
_REDIRECTS = 5


class Asker:
    """GETs paths below one address, with the same headers each time. `secret`: these headers are nobody else's."""

    def __init__(
        self, address: str, headers: Mapping[str, str] | None = None, ssl: tls.SSLContext | None = None,
        secret: bool = True,
    ) -> None:
        self.address = address.rstrip("/")
        self._headers = dict(headers or {})
        self._ssl = ssl
        url = urlsplit(self.address)
        self._origin = (url.scheme, url.netloc)
        self._clear_text = url.scheme != "https" and not is_loopback(url.hostname or "")
        self._open_to_all = secret and self._clear_text
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, limit: int, follow: bool = False) -> tuple[int, bytes]:
        """Status and body, of at most `limit` bytes. Raises DriverError.

        Redirects are followed when told to, and only on the same server: the headers are for it alone.
        """
        import aiohttp

        if self._open_to_all:
            raise DriverError("http:// to another machine would show the log-in to everybody; it needs https://")
        url = urljoin(f"{self.address}/", path)
        try:
            for _ in range(_REDIRECTS):
                async with self._opened().get(url, allow_redirects=False) as answer:
                    onward = answer.headers.get("Location") if follow and 300 <= answer.status < 400 else None
                    if onward is None:
                        return answer.status, await bounded(answer, limit)
                    url = self._same_server(urljoin(url, onward))
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise DriverError(why_http(error)) from None
        raise DriverError("it redirects again and again")

    async def post(
        self, path: str, body: Mapping[str, object], limit: int, login: tuple[str, str] | None, seconds: float,
    ) -> tuple[int, bytes]:
        """POST JSON with a log-in (user and password) of this request alone; status and body. Raises DriverError."""
        import aiohttp

        if login is not None and self._clear_text:
            raise DriverError("http:// to another machine would show the log-in to everybody; it needs https://")
        headers = {} if login is None else {"Authorization": f"Basic {b64encode(':'.join(login).encode()).decode()}"}
        try:
            async with self._opened().post(urljoin(f"{self.address}/", path), json=dict(body), headers=headers,
                                           allow_redirects=False,
                                           timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
                return answer.status, await bounded(answer, limit)
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise DriverError(why_http(error)) from None

    def _same_server(self, url: str) -> str:
        to = urlsplit(url)
        if (to.scheme, to.netloc) != self._origin:
            raise DriverError(f"it redirects to another server, {to.scheme}://{to.netloc}; write that address")
        return url

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=2, ssl=True if self._ssl is None else self._ssl),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        """Drop the connection; the next `get` makes another one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

"""Kept connections to a server over HTTP, for drivers that poll."""

from __future__ import annotations

import json
import ssl as tls
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from tuiha.config.tls import is_loopback
from tuiha.drivers.http.exchange import Exchange, HttpAnswer
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import cause_of, why

_SECONDS = 10.0  # an upper bound; the caller's deadline is usually shorter
_REDIRECTS = 5
_CLEAR_TEXT = "http:// to another machine would show the log-in to everybody; it needs https://"


class Asker:
    """GETs paths below one address, with the same headers each time. `secret`: these headers are nobody else's."""

    def __init__(
        self, address: str, headers: Mapping[str, str] | None = None, ssl: tls.SSLContext | None = None,
        secret: bool = True,
    ) -> None:
        self.address = address.rstrip("/")
        self._headers = dict(headers or {})
        url = urlsplit(self.address)
        self._secure = url.scheme == "https"
        self._clear_text = not self._secure and not is_loopback(url.hostname or "")
        self._open_to_all = secret and self._clear_text
        self._exchange = Exchange(self.address, ssl)

    async def get(
        self, path: str, limit: int, follow: bool = False, seconds: float = _SECONDS
    ) -> tuple[int, bytes]:
        """Status and body, of at most `limit` bytes, each answer within `seconds`. Raises DriverError.

        Redirects are followed when told to, and only on the same server: the headers are for it alone.
        """
        if self._open_to_all:
            raise DriverError(_CLEAR_TEXT)
        url = joined(f"{self.address}/", path)
        for _ in range(_REDIRECTS):
            answer = await self._asked("GET", url, {}, None, limit, seconds)
            location = answer.headers.get("location") if follow and 300 <= answer.status < 400 else None
            if location is None:
                return answer.status, answer.body
            url = onward(url, location)
        raise DriverError("it redirects again and again")

    async def post(
        self, path: str, body: Mapping[str, object], limit: int, login: tuple[str, str] | None, seconds: float,
    ) -> tuple[int, bytes]:
        """POST JSON, perhaps with a log-in (user and password) of this request alone; status and body.

        Raises DriverError.
        """
        if self._open_to_all or (login is not None and self._clear_text):
            raise DriverError(_CLEAR_TEXT)
        headers = {} if login is None else {"Authorization": f"Basic {b64encode(':'.join(login).encode()).decode()}"}
        answer = await self._asked("POST", urljoin(f"{self.address}/", path), headers, json.dumps(dict(body)).encode(),
                                   limit, seconds)
        return answer.status, answer.body

    async def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int, seconds: float
    ) -> HttpAnswer:
        try:
            return await self._exchange.ask(method, url, {**self._headers, **headers}, body, limit, seconds)
        except (OSError, EOFError, ValueError) as error:
            raise DriverError(why(error, self._secure), cause_of(error)) from None

    async def close(self) -> None:
        """Drop the connections; the next `get` makes another one."""
        self._exchange.close()


def joined(url: str, reference: str) -> str:
    """The address that a reference at another one means. Raises DriverError when it can mean none."""
    try:
        return urljoin(url, reference)
    except ValueError:
        raise DriverError("it refers to what is no address") from None


def onward(url: str, location: str) -> str:
    """Where a redirect leads to. Raises DriverError when that is another server."""
    found = joined(url, location)
    here, there = urlsplit(url), urlsplit(found)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc):
        raise DriverError(f"it redirects to another server, {there.scheme}://{there.netloc}; write that address")
    return found

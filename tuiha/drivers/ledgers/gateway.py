"""etcd v3 over its JSON gateway: endpoints asked in turn, each with a deadline, and what went wrong in words."""

from __future__ import annotations

import asyncio
import json
import ssl as tls
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import bounded, cause_of_http, short, why_http
from tuiha.model.problems.causes import Cause

_SIZE_LIMIT = 1024 * 1024  # bytes of one answer
_PAUSE = 0.3  # seconds between two rounds: a cluster without a leader elects one in one or two seconds

# What etcd says, and what it means to an operator.
_MEANINGS = (
    ("authentication failed", "it does not accept the user and password (ledger.user, ledger.password)"),
    ("user name is empty", "it wants a user: add ledger.user and ledger.password"),
    ("permission denied", "its user may not read or change the keys below ledger.prefix: grant it that role"),
    ("space exceeded", "its space is used up: compact and defragment it, then disarm the alarm NOSPACE"),
    ("no leader", "it has no leader: most of its members are down or cut off"),
    ("request timed out", "it did not agree in time: most of its members are down, cut off or slow"),
    ("leader changed", "its leader changed at this moment"),
)
_STALE_TOKEN = ("invalid auth token", "user name is empty", "auth store is old", "in header is old")
_NO_USERS = "authentication is not enabled"


class Rejected(DriverError):
    """etcd understood, and did nothing."""

    def __init__(self, said: str) -> None:
        super().__init__(next((meaning for word, meaning in _MEANINGS if word in said), f"it says: {short(said)}"),
                         Cause.FORBIDDEN)
        self.said = said


class NoAnswer(DriverError):
    """No endpoint answered. `unsure`: a request may have been carried out all the same."""

    def __init__(self, text: str, unsure: bool, cause: Cause = Cause.OTHER) -> None:
        super().__init__(text, cause)
        self.unsure = unsure


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """What etcd answered."""

    body: Mapping[str, Any]
    repeated: bool  # an attempt before this one may have been carried out as well


@dataclass(frozen=True, slots=True)
class Login:
    """A user of etcd."""

    user: str
    password: str


class Gateway:
    """The endpoints of one etcd. The one that answered last is asked first."""

    def __init__(self, endpoints: Sequence[str], timeout: float, ssl: tls.SSLContext | None = None,
                 login: Login | None = None) -> None:
        """`timeout`: seconds for one endpoint to answer."""
        self._endpoints = [endpoint.rstrip("/") for endpoint in endpoints]
        self._timeout = timeout
        self._ssl = ssl
        self._login = login
        self._token: str | None = None  # "" when etcd wants none
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, path: str, body: Mapping[str, Any], rounds: int = 1) -> GatewayAnswer:
        """Post to the endpoints in turn until one answers, and all of them again in further rounds.

        Only what may happen twice is asked for. Raises NoAnswer, and Rejected when all that answered refused.
        """
        unsure = False
        failed: dict[str, DriverError] = {}
        for number in range(rounds):
            if number:
                await asyncio.sleep(_PAUSE)
            for endpoint in list(self._endpoints):
                try:
                    found = await self._attempt(endpoint, path, body)
                except Rejected as error:
                    failed[endpoint] = error
                    unsure |= "timed out" in error.said or "leader changed" in error.said
                except NoAnswer as error:
                    failed[endpoint] = error
                    unsure |= error.unsure
                else:
                    self._endpoints.remove(endpoint)
                    self._endpoints.insert(0, endpoint)
                    return GatewayAnswer(found, unsure)
        raise self._told(failed, unsure)

    def _told(self, failed: Mapping[str, DriverError], unsure: bool) -> DriverError:
        refusals = {error.said for error in failed.values() if isinstance(error, Rejected)}
        if len(refusals) == 1 and not unsure and all(isinstance(error, Rejected) for error in failed.values()):
            return Rejected(refusals.pop())
        text = "; ".join(f"{urlsplit(endpoint).netloc}: {error}" for endpoint, error in failed.items())
        causes = {error.cause for error in failed.values()}
        return NoAnswer(f"no endpoint of etcd does what it is asked: {text}", unsure,
                        causes.pop() if len(causes) == 1 else Cause.OTHER)

    async def close(self) -> None:
        """Drop the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _attempt(self, endpoint: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One endpoint, once; twice when its token had run out. Raises Rejected, NoAnswer."""
        await self._log_in(endpoint)
        try:
            return await self._post(endpoint, path, body)
        except Rejected as error:
            if self._login is None or not any(word in error.said for word in _STALE_TOKEN):
                raise
        self._token = None
        await self._log_in(endpoint)
        return await self._post(endpoint, path, body)

    async def _log_in(self, endpoint: str) -> None:
        if self._login is None or self._token is not None:
            return
        try:
            found = await self._post(endpoint, "/v3/auth/authenticate",
                                     {"name": self._login.user, "password": self._login.password})
        except Rejected as error:
            if _NO_USERS not in error.said:
                raise
            self._token = ""
            return
        except NoAnswer as error:
            raise NoAnswer(str(error), unsure=False, cause=error.cause) from None  # a log-in changes nothing
        self._token = str(found.get("token", ""))

    async def _post(self, endpoint: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {"Authorization": self._token} if self._token else {}
        try:
            async with asyncio.timeout(self._timeout):
                async with self._open().post(f"{endpoint}{path}", json=body, headers=headers,
                                             allow_redirects=False) as answer:
                    status, raw = answer.status, await bounded(answer, _SIZE_LIMIT)
        except (OSError, aiohttp.ClientError, DriverError) as error:
            never_sent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            raise NoAnswer(why_http(error, endpoint.startswith("https://")), not never_sent,
                           cause_of_http(error)) from None
        return _document(status, raw)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=True if self._ssl is None else self._ssl),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout * 0.8),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _document(status: int, raw: bytes) -> Mapping[str, Any]:
    """An answer of the gateway. Raises Rejected for a refusal, NoAnswer for what etcd never says."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):  # it may be something between us and etcd
        raise NoAnswer(f"what answers there ({status}) is not etcd 3.4 or newer", unsure=True)
    if status == 200 and "error" not in found:
        return found
    said = found.get("message") or found.get("error")
    raise Rejected(said if isinstance(said, str) else f"an error without words ({status})")

"""One device request through the sprayers: the same request again at the other one when the first fails or hangs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tuiha.lab.load.tally import Tally

CONNECT = 1.0  # seconds to connect to a sprayer
GOOD = frozenset({200, 201, 403, 404, 410})  # answers that asking another sprayer does not change
LONGEST_DELAY = 60.0  # seconds: the most that a device obeys of a Retry-After
BACK_OFF = (0.2, 5.0)  # seconds: the first and the longest pause after a failed request


class NoSprayer(Exception):
    """One attempt brought no good answer; the text is a short reason, fit for counting."""


class Later(Exception):
    """The pool says when to come back (503 or 429 with Retry-After)."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"retry after {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Request:
    """What a device asks. `wait`: how long the pool may keep it, seconds."""

    method: str
    path: str
    wait: float = 0.0
    body: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """A good answer."""

    status: int
    body: dict[str, Any]
    server: str | None  # the user's monitoring server, as the answer names it
    forwarded: bool  # another pool server forwarded the request to it


@dataclass(slots=True)
class UserEntry:
    """A user's way into the pool: log-in, the sprayer used now, and whether anybody answered the user yet."""

    user: str
    authorization: str  # the Authorization header
    sprayer: int = 0
    first_answered: bool = field(default=False)
    passes: str = ""  # the Cookie header: what servers gave it


class Sprayed:
    """Sends requests of devices through the sprayers and counts what comes of them.

    `patience` is how long an answer may take beyond the request's own wait, seconds: more than the pool may hold
    a request while it changes its database. `scheme`: http, or https with the session's context.
    """

    def __init__(
        self, sprayers: list[str], tally: Tally, session: aiohttp.ClientSession, patience: float = 8.0,
        scheme: str = "http",
    ) -> None:
        if not sprayers:
            raise ValueError("devices need the address of a sprayer")
        self._sprayers = sprayers
        self._tally = tally
        self._session = session
        self._patience = patience
        self._scheme = scheme

    async def ask(self, entry: UserEntry, request: Request) -> DeviceAnswer:
        """The good answer to a request, however long that takes: repeated, the same, until there is one."""
        self._tally.requests += 1
        pause = BACK_OFF[0]
        while True:
            try:
                return await self._everywhere(entry, request)
            except Later as later:
                self._tally.delayed += 1
                await asyncio.sleep(min(later.seconds, LONGEST_DELAY) + random.uniform(0, 0.25))
            except NoSprayer as reason:
                self._tally.failures += 1
                self._tally.failed_because(f"failed: {reason}")
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, BACK_OFF[1])

    async def _everywhere(self, entry: UserEntry, request: Request) -> DeviceAnswer:
        """Each sprayer once (a single one twice), beginning with the one in use. Raises Later, or the last NoAnswer."""
        last = NoSprayer("not asked")
        for number in range(max(2, len(self._sprayers))):
            if number:
                self._tally.retries += 1
                self._tally.failed_because(f"retried: {last}")
            used = entry.sprayer
            try:
                return await self._once(entry, request, self._sprayers[used])
            except NoSprayer as reason:
                last = reason
                if entry.sprayer == used:  # another device of the user may have gone on already
                    entry.sprayer = (used + 1) % len(self._sprayers)
        raise last

    async def _once(self, entry: UserEntry, request: Request, sprayer: str) -> DeviceAnswer:
        timeout = aiohttp.ClientTimeout(total=request.wait + self._patience, sock_connect=CONNECT)
        headers = {"Authorization": entry.authorization} | ({"Cookie": entry.passes} if entry.passes else {})
        learned = entry.first_answered
        try:
            async with self._session.request(
                request.method, f"{self._scheme}://{sprayer}{request.path}", headers=headers, timeout=timeout,
                json=request.body, allow_redirects=False,
            ) as response:
                if response.cookies:
                    entry.passes = "; ".join(f"{name}={one.value}" for name, one in response.cookies.items())
                if response.status in GOOD:
                    body = await response.json(content_type=None)
                    return self._counted(entry, sprayer, response, body, learned)
                retry_after = response.headers.get("Retry-After")
                if response.status in (429, 503) and retry_after is not None:
                    raise Later(_seconds(retry_after))
                raise NoSprayer(f"HTTP {response.status}")
        except aiohttp.ConnectionTimeoutError as error:
            raise NoSprayer("no connection in time") from error
        except TimeoutError as error:
            raise NoSprayer(f"no answer in time (wait {request.wait:g} s)") from error
        except aiohttp.ClientConnectorError as error:
            raise NoSprayer("no connection") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoSprayer(type(error).__name__) from error

    def _counted(
        self, entry: UserEntry, sprayer: str, response: aiohttp.ClientResponse, body: object, learned: bool
    ) -> DeviceAnswer:
        if not isinstance(body, dict):
            raise NoSprayer("not a JSON object")
        tally = self._tally
        tally.by_sprayer[sprayer] = tally.by_sprayer.get(sprayer, 0) + 1
        forwarded = "X-Tuiha-Forwarded-By" in response.headers
        if learned:
            tally.answers += 1
            tally.direct += not forwarded
        entry.first_answered = True
        return DeviceAnswer(response.status, body, response.headers.get("X-Tuiha-Server"), forwarded)


def _seconds(retry_after: str) -> float:
    """A Retry-After in seconds; the form with a date, which the pool never sends, counts as one second."""
    return float(retry_after) if retry_after.isdigit() else 1.0


def now() -> float:
    """The clock of a load: seconds, monotonic, the same for mailer and devices."""
    return time.monotonic()

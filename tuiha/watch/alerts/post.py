"""One JSON document posted to a receiver, within a deadline; the answer within a limit."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tuiha.config.secrets import without_secrets

_MOST = 512 * 1024  # bytes of a document: PagerDuty's limit
_ANSWER = 64 * 1024  # bytes of an answer
_FULL = 429  # too many requests: later it may go well
_SAID = 300  # characters of an answer that are shown


class Undelivered(Exception):
    """A receiver does not have what it was sent. The text is for people, without secrets.

    `refused`: the receiver will not take it a second time either.
    """

    def __init__(self, text: str, refused: bool = False) -> None:
        super().__init__(without_secrets(text))
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered."""

    status: int
    text: str

    @property
    def refused(self) -> bool:
        """Whether the same request would fail again: it is wrong, or its log-in is."""
        return 400 <= self.status < 500 and self.status != _FULL

    @property
    def shown(self) -> str:
        """The answer in one short line."""
        words = " ".join(self.text.split())[:_SAID]
        return f"HTTP {self.status}" + (f": {words}" if words else "")


@dataclass(frozen=True)
class ReceiverDoor:
    """Where a receiver is, and how it is spoken to."""

    address: str  # http(s)://HOST:PORT
    seconds: float  # for a document and its answer
    headers: Mapping[str, str]
    context: ssl.SSLContext | None = None  # None: what the system trusts

    async def send(self, method: str, path: str, document: Any = None) -> Answer:
        """Send a document, or none. Raises Undelivered when there is no whole answer."""
        body = None if document is None else json.dumps(document).encode()
        if body is not None and len(body) > _MOST:
            raise Undelivered(f"the document has {len(body)} bytes; {self.address} takes {_MOST}", refused=True)
        headers = {**self.headers, "Content-Type": "application/json"}
        trusted: ssl.SSLContext | bool = True if self.context is None else self.context
        try:
            async with asyncio.timeout(self.seconds), aiohttp.ClientSession() as session, session.request(
                    method, self.address + path, data=body, headers=headers, ssl=trusted,
                    allow_redirects=False) as answer:
                text = await answer.content.read(_ANSWER)
                return Answer(answer.status, text.decode("utf-8", "replace"))
        except TimeoutError:
            raise Undelivered(f"no answer from {self.address} in {self.seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Undelivered(f"{self.address}: {error or type(error).__name__}") from None

"""A drill's own device of a user, beside those of the load: it shows within seconds what its user is told, and when."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tuiha.lab.load.books import Place, plain_id
from tuiha.lab.load.devices import LoadUser

DEVICE = "drill"
_WAIT = 5  # seconds of a long poll
_PATIENCE = 15.0
_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One change that came."""

    at: float  # monotonic seconds
    message_id: str
    place: Place | None
    unreadable: bool


@dataclass(slots=True)
class Guest:
    """A device that polls until it is cancelled; what it is answered is kept."""

    user: LoadUser
    addresses: list[str]  # of pool servers; each request goes to the next one
    told: list[ToldChange] = field(default_factory=list)
    registered_at: float | None = None  # monotonic seconds
    last_status: int = 0
    _key: str = ""
    _requests: int = 0

    def arrived(self, message_id: str, place: Place | None = None) -> float | None:
        """When it was told of a mail, by its id or by its place; None: not yet."""
        return next((one.at for one in self.told
                     if one.message_id == message_id or (place is not None and one.place == place)), None)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Register, and poll for ever."""
        path = f"/v1/devices/{DEVICE}"
        while self.registered_at is None:
            answer = await self._ask(session, "PUT", path, {"kind": "drill"})
            if answer is not None and "key" in answer:
                self._key, self.registered_at = answer["key"], time.monotonic()
        while True:
            answer = await self._ask(session, "GET", f"{path}/changes?since={self._key}&wait={_WAIT}")
            if answer is not None and "key" in answer:
                self._key = answer["key"]
                self.told += [_told(change) for change in answer.get("changes", ())]

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str,
                   body: dict[str, str] | None = None) -> dict[str, Any] | None:
        """The body of an answer, also of a 410; None, after a pause, for every other one."""
        self._requests += 1
        url = self.addresses[self._requests % len(self.addresses)] + path
        authorization = aiohttp.encode_basic_auth(self.user.name, self.user.password)
        try:
            async with session.request(method, url, json=body, timeout=aiohttp.ClientTimeout(total=_PATIENCE),
                                       headers={"Authorization": authorization}) as answer:
                self.last_status = answer.status
                if answer.status in (200, 201, 410):
                    found: dict[str, Any] = await answer.json(content_type=None)
                    return found
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            self.last_status = 0
        await asyncio.sleep(_PAUSE)
        return None


def _told(change: dict[str, Any]) -> ToldChange:
    place = (change["mailbox"], change["uid"]) if change.get("mailbox") and change.get("uid") else None
    return ToldChange(time.monotonic(), plain_id(change.get("message_id") or ""), place, bool(change.get("unreadable")))

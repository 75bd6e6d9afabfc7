"""The drill's witness: writes and reads through every server directly, not through sprayers, and notes each answer.

It registers devices of its own users with names that are used once, and reads the users' devices: a set that only
grows. Whatever was acknowledged must be in every read that is sent later, whichever server answers it, and in the
database at the end. A write without an acknowledgement is sent again, the same, until there is one.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from tuiha.lab.drill.observation.records import Ack, DrillRecording, Read, Unacknowledged
from tuiha.lab.load.devices import LoadUser
from tuiha.server.pool import forwarder
from tuiha.server.pool.signatures import Proof

_PAGE = 40  # devices of one user, before the next user's turn: answers stay small
_PAUSE = 0.08  # seconds between two requests to one server
_AGAIN = 0.1
_PATIENCE = 30.0  # seconds: longer than any pause of a drill, so that what a paused server still releases is seen
_NAME = "witness-"

Body = dict[str, Any]


class DrillWitness:
    """A lane of writes and a lane of reads to each server: a commit that waits keeps no server from being read."""

    def __init__(
        self, recording: DrillRecording, session: aiohttp.ClientSession, users: Sequence[LoadUser], proof: Proof
    ) -> None:
        self._proof = proof  # the server answers by itself, also for a user that is monitored elsewhere
        self._recording = recording
        self._session = session
        self._users = users
        self._user = users[0]
        self._numbers = itertools.count()

    async def write(self, server: str, address: str) -> None:
        """Write through one server until cancelled."""
        while True:
            number = next(self._numbers)
            self._user = user = self._whose(number)
            while not await self._write(server, address, user, f"{_NAME}{number}"):  # noqa: ASYNC110
                await asyncio.sleep(_AGAIN)
            await asyncio.sleep(_PAUSE)

    def _whose(self, number: int) -> LoadUser:
        """Everybody once, so that the pool knows them all before anything happens to it; then each a page."""
        everybody = len(self._users)
        return self._users[number if number < everybody else (number - everybody) // _PAGE % everybody]

    async def read(self, server: str, address: str) -> None:
        """Read through one server until cancelled: the user that is written to now."""
        while True:
            await self._read(server, address, self._user)
            await asyncio.sleep(_PAUSE)

    async def _write(self, server: str, address: str, user: LoadUser, device: str) -> bool:
        sent = time.time()
        url = f"{address}/v1/devices/{quote(device, safe='')}"
        acknowledged = False
        try:
            acknowledged = await self._ask("PUT", url, user, {"kind": "witness"}) is not None
        finally:  # also at the end of the drill, with a write under way
            if not acknowledged:
                self._recording.attempts.append(Unacknowledged(server, user.name, device, sent))
        if acknowledged:
            self._recording.acks.append(Ack(server, user.name, device, sent, time.time()))
        return acknowledged

    async def _read(self, server: str, address: str, user: LoadUser) -> None:
        sent = time.time()
        told = await self._ask("GET", f"{address}/v1/me", user, None)
        if told is not None:
            received = time.time()
            devices = frozenset(device["device"] for device in told["devices"])
            self._recording.reads.append(Read(server, user.name, devices, sent, received))

    async def _ask(self, method: str, url: str, user: LoadUser, body: dict[str, str] | None) -> Body | None:
        """The answer's body; None when there is no good answer."""
        authorization = aiohttp.encode_basic_auth(user.name, user.password)
        marker, nonce = self._proof.sign(forwarder.target(method, URL(url).raw_path_qs), authorization)
        headers = {"Authorization": authorization, forwarder.FORWARDED: marker}
        timeout = aiohttp.ClientTimeout(total=_PATIENCE, sock_connect=2.0)
        try:
            async with self._session.request(method, url, headers=headers, json=body, timeout=timeout) as answer:
                if answer.status not in (200, 201):
                    return None
                found: Body = await answer.json()
                return found
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return None
        finally:
            self._proof.answered(nonce)

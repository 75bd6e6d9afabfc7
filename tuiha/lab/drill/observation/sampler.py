"""The drill's sampler: asks every server and both databases five times a second, each on its own, and writes it down.

It knows the control interface and PostgreSQL, and nothing of how servers or operations work inside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from tuiha.lab.drill.observation.records import DrillRecording, LeaseRow, Sample, Status
from tuiha.lab.load.database import LoadDatabase
from tuiha.model.reports import ServerState
from tuiha.pooldb.connection import OwnConnection
from tuiha.pooldb.errors import FAILED
from tuiha.pooldb.statements.audit import SAMPLE

EVERY = 0.2  # seconds from one look to the next
_PATIENCE = 1.5  # seconds for an answer
_TICK = 0.05  # seconds; a stall that is shorter is not worth a word


class Sampler:
    """Looks until it is cancelled, and appends to the recording."""

    def __init__(self, recording: DrillRecording, session: aiohttp.ClientSession, token: str) -> None:
        self._recording = recording
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connections: dict[str, OwnConnection] = {}

    async def server(self, name: str, address: str) -> None:
        """Ask one server again and again."""
        await _every(lambda: self._status(name, f"{address}/control/status"))

    async def database(self, node: LoadDatabase) -> None:
        """Look into one database again and again."""
        try:
            await _every(lambda: self._sample(node))
        finally:
            self._drop(node.name)

    async def stalls(self) -> None:
        """Note how long this recorder itself was kept from running."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK)
            seconds = time.monotonic() - before - _TICK
            if seconds > _TICK:
                self._recording.stalls.append((time.time(), seconds))

    async def _status(self, name: str, url: str) -> None:
        sent = time.time()
        try:
            async with asyncio.timeout(_PATIENCE), self._session.get(url, headers=self._headers) as answer:
                told = await answer.json()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return  # what does not answer says nothing: no evidence in either direction
        self._recording.statuses.append(Status(
            name, sent, time.time(), told["database"], told["epoch"], told["lease_seconds"],
            held=told["state"] == ServerState.WAITING.wire))

    async def _sample(self, node: LoadDatabase) -> None:
        sent = time.time()
        try:
            async with asyncio.timeout(_PATIENCE):
                row = await (await self._open(node)).fetchrow(SAMPLE)
        except FAILED:
            self._drop(node.name)
            return
        if row is not None:
            self._recording.samples.append(read(node.name, row, sent, time.time()))

    async def _open(self, node: LoadDatabase) -> OwnConnection:
        if node.name not in self._connections:
            self._connections[node.name] = await node.connect("tuiha drill")
        return self._connections[node.name]

    def _drop(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            connection.terminate()


def read(database: str, row: Any, sent: float, received: float) -> Sample:
    """A row of the look as a sample."""
    import json

    leases = tuple(LeaseRow(server, epoch, float(at)) for server, epoch, at in json.loads(row["leases"]))
    return Sample(database, sent, received, not row["standby"], row["epoch"], row["active"], row["state"],
                  row["changed_at"], leases, json.loads(row["sessions"]), tuple(row["followers"]),
                  row["waits"])


async def _every(look: Callable[[], Awaitable[None]]) -> None:
    while True:
        began = time.monotonic()
        await look()
        await asyncio.sleep(max(0.02, EVERY - (time.monotonic() - began)))

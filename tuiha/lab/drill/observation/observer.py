"""Sampler and witness in a thread with an event loop of its own: what operations do on theirs delays nothing here."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.lab.drill.observation.records import DrillRecording
from tuiha.lab.drill.observation.sampler import Sampler
from tuiha.lab.drill.observation.witness import DrillWitness
from tuiha.lab.load.database import LoadDatabase
from tuiha.lab.load.devices import LoadUser
from tuiha.pooldb.statements.audit import DEVICES_BY_USER
from tuiha.server.http.tokens import Tokens
from tuiha.server.pool.signatures import Proof


class ObserverFailed(Exception):
    """The observer ended before it was told to: its recording says nothing. The text is for people."""


class Observer:
    """Records from `start` to `stop`. Servers that join later are added."""

    def __init__(self, pool: Pool, base: Path, databases: Sequence[LoadDatabase], users: Sequence[LoadUser]) -> None:
        self.recording = DrillRecording()
        self.databases = databases
        self._token = resolve(pool.control.viewer, base)
        tokens = Tokens.read(pool.control, base)
        self._proof = Proof("drill", lambda: tokens)
        self.users = users
        self._servers = {server.name: server.address for server in pool.servers}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._group: asyncio.TaskGroup | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="drill-observer", daemon=True)

    def start(self) -> None:
        """Begin; returns when the tasks are running."""
        self._thread.start()
        self._ready.wait(10.0)

    def add_server(self, name: str, address: str) -> None:
        """Look at one more server from now on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._server, name, address)

    def end(self) -> None:
        """Stop looking; also when it was stopped before, or never started."""
        if self._thread.ident is None:
            return
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop ended a moment ago
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)

    def stop(self) -> DrillRecording:
        """End and return what was recorded, in order. Raises ObserverFailed."""
        self.end()
        if self._failure is not None or self._thread.is_alive():
            raise ObserverFailed(f"the drill's observer failed: {self._failure!r}")
        for records in (self.recording.statuses, self.recording.samples, self.recording.acks, self.recording.reads):
            records.sort(key=lambda record: record.received)
        return self.recording

    def _run(self) -> None:
        try:
            asyncio.run(self._observe())
        except BaseException as error:  # noqa: BLE001 - kept for whoever stops this thread
            self._failure = error
        finally:
            self._ready.set()

    async def _observe(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            self._sampler = Sampler(self.recording, session, self._token)
            self._witness = DrillWitness(self.recording, session, self.users, self._proof)
            tasks: list[asyncio.Task[None]] = []
            self._tasks = tasks
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._begin(self._sampler.stalls())
                for node in self.databases:
                    self._begin(self._sampler.database(node))
                for name, address in self._servers.items():
                    self._server(name, address)
                self._ready.set()
                await self._stop.wait()
                for task in tasks:
                    task.cancel()

    def _server(self, name: str, address: str) -> None:
        self._begin(self._sampler.server(name, address))
        self._begin(self._witness.write(name, address))
        self._begin(self._witness.read(name, address))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None
        self._tasks.append(self._group.create_task(work))


async def kept(
    databases: Sequence[LoadDatabase], active: str, users: Sequence[LoadUser]
) -> Mapping[str, frozenset[str]]:
    """User -> devices in the active database. Raises OSError or asyncpg's errors when it does not answer."""
    node = next(node for node in databases if node.name == active)
    async with asyncio.timeout(10.0):
        connection = await node.connect("tuiha drill")
        try:
            rows = await connection.fetch(DEVICES_BY_USER, [user.name for user in users])
        finally:
            connection.terminate()
    found: dict[str, set[str]] = {user.name: set() for user in users}
    for user, device in rows:
        found[user].add(device)
    return {user: frozenset(devices) for user, devices in found.items()}

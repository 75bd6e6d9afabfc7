"""A TCP proxy that hurts what passes it: the faults of a network, made on one machine without privileges.

It stands between two real processes and is steered from Python. What a fault holds back is kept and flows on when it is
mended, as TCP sends again what was lost: a stream never misses bytes in its middle.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

_CHUNK = 65536  # bytes taken at once
_AHEAD = 64  # chunks kept in each direction before the sender has to wait
_CONNECT = 5.0  # seconds to reach the target
_QUIET = 0.5  # of a round's seconds: who was quiet for this part of it counts as quiet, so that all go in one round
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset at once


# When to deliver, and what: bytes, nothing for the end of the stream, None for a reset.
_Kept = asyncio.Queue[tuple[float, bytes | None]]


class ProxyWay(Enum):
    """A direction through the proxy."""

    TO_TARGET = "to the target"
    TO_CLIENT = "to the client"


@dataclass(frozen=True, slots=True)
class Trap:
    """Resets the first connection in which `pattern` passes.

    With `delivered` the target still gets the pattern (and then the end of the connection) and only the client sees the
    reset: a commit that is done while nobody hears of it. Without it the pattern never arrives.
    """

    way: ProxyWay
    pattern: bytes
    delivered: bool


@dataclass(eq=False, slots=True)
class _Connection:
    """One client's connection and the proxy's own to the target."""

    client: asyncio.StreamWriter
    target: asyncio.StreamWriter
    orphan: bool = False  # the target's side is gone and the client has not been told
    ends: dict[ProxyWay, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=dict)
    passed_at: float = field(default_factory=time.monotonic)  # when a byte passed last

    def reset(self) -> None:
        """Reset both sides."""
        _reset(self.client)
        _reset(self.target)


class Proxy:
    """Listens on a free port of the loopback and passes connections on to one target.

    An asynchronous context manager. All orders are plain calls from the proxy's own event loop; `mend` ends every
    fault, and faults that may be on together add up.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[_Connection] = set()
        self._open = {way: asyncio.Event() for way in ProxyWay}
        self._latency = 0.0
        self._refusing = False
        self._trap: Trap | None = None
        self._rounds: asyncio.Task[None] | None = None  # of a fault that comes again and again
        self.accepted = 0  # connections since the start
        self.trapped = 0  # connections that a trap has reset
        self.quieted = 0  # connections that were reset because nothing passed
        self.passed = dict.fromkeys(ProxyWay, 0)  # bytes delivered in each direction

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.mend()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """The port that it listens on. Raises RuntimeError outside `async with`."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the proxy does not listen: use it as `async with Proxy(...)`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many connections are open through it."""
        return len(self._connections)

    # Faults

    def mend(self) -> None:
        """End every fault: what was held back flows on. Connections that a fault ended stay ended."""
        self._stop_rounds()
        self._latency, self._refusing, self._trap = 0.0, False, None
        for connection in [one for one in self._connections if one.orphan]:
            connection.reset()
        for way in ProxyWay:
            self._open[way].set()

    def latency(self, seconds: float) -> None:
        """Deliver everything later by so much, in each direction, without making the stream any thinner."""
        self._latency = seconds

    def cut(self) -> None:
        """Let nothing through in either direction. Nobody is told: connections stay, new ones are accepted and mute."""
        for way in ProxyWay:
            self._open[way].clear()

    def one_way(self, open_way: ProxyWay) -> None:
        """Let through in this direction only."""
        self.cut()
        self._open[open_way].set()

    def reset(self) -> None:
        """Reset every open connection, on both sides. New ones are not touched."""
        for connection in list(self._connections):
            connection.reset()

    def refuse(self) -> None:
        """Reset every open connection, and each new one as soon as it comes."""
        self._refusing = True
        self.reset()

    def half_open(self) -> None:
        """End every open connection for the target only: the client goes on talking to nobody, until `mend`."""
        for connection in self._connections:
            connection.orphan = True
            _reset(connection.target)

    def trap(self, trap: Trap) -> None:
        """Wait for bytes and reset the connection that carries them; once."""
        self._trap = trap

    def flap(self, whole: float, cut: float) -> None:
        """Cut and let through by turns, each for so many seconds, beginning with a cut, until `mend`."""
        self._begin_rounds(self._flap(whole, cut), "flapping")

    def quiet(self, seconds: float) -> None:
        """Reset all connections on which nothing has passed for so long, all at once and again after that time, until
        `mend`: as a firewall does whose table forgets them.
        """
        self._begin_rounds(self._cut_quiet(seconds), "quiet")

    def _begin_rounds(self, work: Coroutine[None, None, None], name: str) -> None:
        self._stop_rounds()
        self._rounds = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(self._rounds)
        self._rounds.add_done_callback(self._tasks.discard)

    async def _cut_quiet(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            since = time.monotonic() - seconds * _QUIET
            for connection in [one for one in self._connections if one.passed_at < since]:
                connection.reset()
                self.quieted += 1

    async def _flap(self, whole: float, cut: float) -> None:
        while True:
            self.cut()
            await asyncio.sleep(cut)
            for way in ProxyWay:
                self._open[way].set()
            await asyncio.sleep(whole)

    def _stop_rounds(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
            self._rounds = None

    # Passing on

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        if self._refusing or task is None:
            _reset(client)
            return
        self._tasks.add(task)
        try:
            await self._pass(reader, client)
        except asyncio.CancelledError:
            # Only closing the proxy cancels: the stream's own callback would report it as an error.
            return
        finally:
            self._tasks.discard(task)
            _reset(client)

    async def _pass(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        await self._open[ProxyWay.TO_TARGET].wait()
        try:
            async with asyncio.timeout(_CONNECT):
                answers, target = await asyncio.open_connection(*self._to)
        except OSError:  # also a timeout: the client sees a reset, as from a host without such a port
            return
        connection = _Connection(client, target)
        connection.ends = {ProxyWay.TO_TARGET: (reader, target), ProxyWay.TO_CLIENT: (answers, client)}
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as ways:
                for way in ProxyWay:
                    ways.create_task(self._carry(connection, way))
            await _finish(client)
            await _finish(target)
        finally:
            self._connections.discard(connection)
            _reset(target)

    async def _carry(self, connection: _Connection, way: ProxyWay) -> None:
        """Carry one direction to its end."""
        kept: _Kept = asyncio.Queue(_AHEAD)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(connection, way, kept))
            both.create_task(self._deliver(connection, way, kept))

    async def _take(self, connection: _Connection, way: ProxyWay, kept: _Kept) -> None:
        reader, _ = connection.ends[way]
        clock = asyncio.get_running_loop()
        data: bytes | None = b"begin"
        while data:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = None
            await kept.put((clock.time() + self._latency, data))

    async def _deliver(self, connection: _Connection, way: ProxyWay, kept: _Kept) -> None:
        _, writer = connection.ends[way]
        clock = asyncio.get_running_loop()
        while True:
            due, data = await kept.get()
            await asyncio.sleep(max(0.0, due - clock.time()))
            await self._open[way].wait()
            if connection.orphan:
                if way is ProxyWay.TO_CLIENT or not data:
                    return
                continue
            if data is None:
                connection.reset()
                return
            if not data:
                with contextlib.suppress(OSError):  # reset meanwhile
                    writer.write_eof()
                return
            if writer.is_closing():  # it hung up meanwhile; the other direction tells the one that still sends
                continue
            if await self._springs(connection, way, data):
                return
            connection.passed_at = time.monotonic()
            with contextlib.suppress(OSError):  # the other direction finds the end and tells the client
                writer.write(data)
                await writer.drain()
                self.passed[way] += len(data)

    async def _springs(self, connection: _Connection, way: ProxyWay, data: bytes) -> bool:
        """Whether the trap was set off by this; the connection is over then."""
        trap = self._trap
        if trap is None or trap.way is not way or trap.pattern not in data:
            return False
        self._trap = None
        if trap.delivered and way is ProxyWay.TO_TARGET:
            connection.target.write(data)
            await connection.target.drain()
            _reset(connection.client)
            await _finish(connection.target)
        connection.reset()
        self.trapped += 1
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a side at once; its peer sees a reset."""
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    writer.transport.abort()


async def _finish(writer: asyncio.StreamWriter) -> None:
    """Close a side in order: what was written still arrives."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

"""Doubles of mail servers and their network in virtual time: connections in memory, and a middlebox that cuts some.

A day of a thousand users passes in seconds; the real network needs the day.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from tests.doubles.mail_server import FakeMailServer
from tests.proof.virtual import VirtualLoop

COST = 0.01  # seconds of a mail server's processor that a log-in takes
PROCESSORS = 8  # of one mail server: it lets in 800 users a second
WAY = (0.001, 0.005)  # seconds from one end to the other


class End(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, network: Network, way: float) -> None:
        super().__init__()
        self._network, self._way = network, way
        self._coming = deque[Callable[[], object]]()  # to this end, in order
        self._closed = False
        self.other: End
        self.protocol: asyncio.Protocol

    def comes(self, what: Callable[[], object]) -> None:
        """After the way; timers of the same moment keep no order."""
        self._coming.append(what)
        asyncio.get_running_loop().call_later(self._way, lambda: self._coming.popleft()())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """As asyncio's."""
        if not self._closed:
            self._network.touched(self)
            self.other.comes(lambda: self.other.take(bytes(data)))

    def take(self, data: bytes) -> None:
        """From the other end."""
        if not self._closed:
            self.protocol.data_received(data)

    def close(self) -> None:
        """As asyncio's."""
        self._end(None)

    def abort(self) -> None:
        """As asyncio's."""
        self._end(ConnectionResetError())

    def _end(self, error: Exception | None) -> None:
        if not self._closed:
            self.ends(None)
            self.other.comes(lambda: self.other.ends(error))

    def ends(self, error: Exception | None) -> None:
        """It is over, for this end."""
        if not self._closed:
            self._closed = True
            self._network.forget(self)
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, error)

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self._closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's."""
        return default

    def pause_reading(self) -> None:
        """As asyncio's; what comes is little."""

    def resume_reading(self) -> None:
        """As asyncio's."""


class Network:
    """Mail servers by port, and the connections to them."""

    def __init__(self, servers: int, random: Random) -> None:
        self.servers = {port: FakeMailServer(PROCESSORS) for port in range(1, servers + 1)}
        for server in self.servers.values():
            server.cost = COST
        self._random = random
        self._touched: dict[End, float] = {}  # clients' ends -> when a byte passed last

    def connect(self, client: asyncio.Protocol, port: int) -> End:
        """Connect a client's protocol to a mail server, which serves it as asyncio's server does."""
        way = self._random.uniform(*WAY)
        here, there = End(self, way), End(self, way)
        here.other, there.other = there, here
        here.protocol = client
        there.protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(), self.servers[port].serve)
        self._touched[here] = asyncio.get_running_loop().time()
        client.connection_made(here)
        there.protocol.connection_made(there)
        return here

    def touched(self, end: End) -> None:
        """A byte passes."""
        client = end if end in self._touched else end.other
        if client in self._touched:
            self._touched[client] = asyncio.get_running_loop().time()

    def forget(self, end: End) -> None:
        """It is over."""
        self._touched.pop(end, None)

    async def cut(self, quiet: float, every: float) -> None:
        """Reset, now and again, all connections that were quiet for so many seconds."""
        while True:
            before = asyncio.get_running_loop().time() - quiet
            for end in [end for end, at in self._touched.items() if at <= before]:
                for one in (end, end.other):
                    one.ends(ConnectionResetError())
            await asyncio.sleep(every)


class SimulatedLoop(VirtualLoop):
    """An event loop on virtual time, whose connections lead to simulated mail servers."""

    network: Network

    async def create_connection(  # type: ignore[override]  # its overloads are for what no mail client asks for
        self, factory: Callable[[], Any], host: Any = None, port: Any = None, **_: Any
    ) -> Any:
        """As asyncio's."""
        protocol = factory()
        end = self.network.connect(protocol, port)
        await asyncio.sleep(0)
        return end, protocol

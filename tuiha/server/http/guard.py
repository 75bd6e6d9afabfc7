"""The connections of a pool server: how many there may be, and how long a peer may take.

A guard stands between the transport and the HTTP protocol and sees bytes come and go. A request whose handler runs has
no limit here: a long poll is not slow. What is limited is a peer that does not send, or does not read.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ssl import SSLContext
from typing import Any, cast

from aiohttp import web

from tuiha.config.pace import Limits
from tuiha.server.http.marks import DEVICE_PATHS, SHARE, TurnedAway, share

log = logging.getLogger("tuiha.connections")

_SWEEP = 1.0  # seconds between two looks for peers that took too long
AT_A_TIME = 32  # connections that are accepted in one turn of the event loop
_WAITING = 1024  # connections that wait in the kernel until they are accepted
_KEPT_FREE = 64  # file descriptors for the database, the mail servers and the log
_BODY = json.dumps({"type": "about:blank", "status": 503, "title": "Too many connections",
                    "detail": "This server has as many connections as it may have. Try again later."}).encode()
# At one of several times, so that those who are refused together do not return together.
_REFUSALS = [b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: %d\r\n"
             b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (seconds, len(_BODY), _BODY)
             for seconds in range(1, 11)]


_MARK = f"{SHARE}: ".lower().encode()
_ENDS = b"\r\n\r\n"
_POLLS = tuple(f"GET {path}".encode() for path in DEVICE_PATHS)
_SHED = (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nX-Tuiha-Full: %b\r\n"
         b"Retry-After: %d\r\nContent-Length: %d\r\n\r\n%b")
_FULL = json.dumps({"type": "about:blank", "status": 503, "title": "The pool cannot serve this now",
                    "detail": "This server has more requests than it can answer in time. "
                              "Repeat the same request after the time in Retry-After."}).encode()


def whole_poll(data: bytes) -> bool:
    """Whether these bytes are one whole request of a device that has no body: nothing follows it, and nothing lacks."""
    if not data.startswith(_POLLS) or not data.endswith(_ENDS) or data.count(_ENDS) != 1:
        return False
    lines = data.lower()
    return lines.partition(b"\r\n")[0].endswith(b" http/1.1") and b"\ncontent-length" not in lines \
        and b"\ntransfer-encoding" not in lines and b"\nconnection" not in lines


def _share(data: bytes) -> int:
    """What SHARE says in a request that nobody has read."""
    if _MARK not in data:  # as our sprayers write it: in the great crowd each look costs
        return 0
    return share(data.partition(_MARK)[2].partition(b"\r\n")[0].decode("latin-1"))


class Outgoing:
    """A transport that looks, right before bytes are handed to the socket, whether they may still go out."""

    def __init__(self, transport: asyncio.Transport, may_go: Callable[[], bool]) -> None:
        self._transport = transport
        self._may_go = may_go

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or break the connection off: its peer does not know then what came of its request."""
        if self._may_go():
            self._transport.write(data)
        else:
            self._break_off()

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """As `write`."""
        if self._may_go():
            self._transport.writelines(parts)
        else:
            self._break_off()

    def _break_off(self) -> None:
        log.warning("an answer came too late to be released")
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's."""
        return getattr(self._transport, name)


class Guarded(asyncio.Protocol):
    """One connection: passes everything on to the HTTP protocol, and remembers what it waits for."""

    def __init__(self, inner: asyncio.Protocol, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard
        self._refused = False
        self._busy = False
        self._more = False  # bytes of the next request came while this one was served
        self._heading = False  # a request has begun and its headers are not complete
        self._parted = False  # the HTTP protocol has a part of the next request
        self.peer = ""
        self.transport: asyncio.Transport | None = None
        self.outgoing: asyncio.Transport | None = None  # the same, as the HTTP protocol has it
        self.until: float | None = None  # loop time at which the peer must have sent; None: it is our turn
        self.stalled: float | None = None  # loop time by which the peer must have read

    @property
    def idle(self) -> bool:
        """Nothing is asked, nothing is under way."""
        return not self._busy and not self._heading

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it."""
        self.transport = cast(asyncio.Transport, transport)
        self.outgoing = cast(asyncio.Transport, Outgoing(self.transport, self._guard.may_go))
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""
        if not self._guard.enter(self):
            self._refused = True
            self.transport.write(random.choice(_REFUSALS))
            self.transport.close()
            return
        self.heading()
        self._inner.connection_made(self.outgoing)

    def heading(self) -> None:
        """A request has to come whole from now on."""
        self._heading, self.until = True, self._guard.now() + self._guard.limits.header_time
        self._guard.not_idle(self)

    def began(self) -> None:
        """Its headers are there, and its handler runs."""
        self._busy, self._heading, self._more, self.until = True, False, False, None
        self._parted = False
        self._guard.not_idle(self)

    def came_whole(self) -> None:
        """Its body is there too: what comes now belongs to the next request."""
        self._more = False

    def ended(self) -> None:
        """It is answered."""
        self._busy, self._parted = False, self._more
        if self._more:
            self.heading()
        else:
            self.until = self._guard.now() + self._guard.limits.idle
            self._guard.is_idle(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._refused or self._shed(data):
            return
        self._parted = True
        if self._busy:
            self._more = True
        elif not self._heading:
            self.heading()
        self._inner.data_received(data)

    def _shed(self, data: bytes) -> bool:
        """Turn a request away unread when there are far too many."""
        if self._busy or self._parted or self.transport is None or self.transport.get_write_buffer_size():
            return False
        # Only while aiohttp waits for the next request are these bytes the beginning of one: it may still drop a body
        # that nobody wanted, or have another request in hand. It offers no public way to know.
        waiter = getattr(self._inner, "_waiter", None)
        if waiter is None or waiter.done():
            return False
        away = self._guard.sheds(_share(data)) if whole_poll(data) else None
        if away is None:
            return False
        self.transport.write(_SHED % (away.word.encode(), away.seconds, len(_FULL), _FULL))
        self._heading, self.until = False, self._guard.now() + self._guard.limits.idle
        self._guard.is_idle(self)
        return True

    def eof_received(self) -> bool | None:
        """The peer sends no more."""
        return None if self._refused else self._inner.eof_received()

    def pause_writing(self) -> None:
        """The peer does not read as fast as it is answered."""
        self.stalled = self._guard.now() + self._guard.limits.answer_time
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self.stalled = None
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        if not self._refused:
            self._guard.leave(self)
            self._inner.connection_lost(error)


class Guard:
    """All connections of a server."""

    def __init__(self, limits: Limits, may_go: Callable[[], bool] = lambda: True,
                 sheds: Callable[[int], TurnedAway | None] = lambda _: None) -> None:
        """`may_go`: whether what is being written in this context may still be released. `sheds`: whether a request is
        turned away unread, given the share that the sprayer turned away, of a thousand.
        """
        self.limits = limits
        self.may_go = may_go
        self.sheds = sheds
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = limits.connections if files == resource.RLIM_INFINITY else max(16, files - _KEPT_FREE)
        self.most = min(limits.connections, room)
        self.now: Callable[[], float] = time.monotonic
        self._of: dict[asyncio.BaseTransport, Guarded] = {}
        self._peers: Counter[str] = Counter()
        self._idle: dict[Guarded, None] = {}  # the one that is idle for longest comes first
        self._refused = 0
        self._slow = 0

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._of)

    def __iter__(self) -> Iterator[Guarded]:
        """The connections there are."""
        return iter(list(self._of.values()))

    def enter(self, connection: Guarded) -> bool:
        """Take a new connection. One that nobody uses makes room when there is none."""
        if len(self._of) >= self.most and self._idle:
            self._drop(next(iter(self._idle)))
        too_many = len(self._of) >= self.most or self._peers[connection.peer] >= self.limits.connections_per_address
        if too_many or connection.outgoing is None:
            self._refused += 1
            return False
        self._of[connection.outgoing] = connection
        self._peers[connection.peer] += 1
        return True

    def leave(self, connection: Guarded) -> None:
        """A connection is over."""
        self._idle.pop(connection, None)
        if connection.outgoing is not None and self._of.pop(connection.outgoing, None) is not None:
            self._peers[connection.peer] -= 1
            if self._peers[connection.peer] <= 0:
                del self._peers[connection.peer]

    def is_idle(self, connection: Guarded) -> None:
        """It may make room for another one. Of a peer that has gone the handler goes on, and nothing else is left."""
        if connection.outgoing in self._of:
            self._idle[connection] = None

    def not_idle(self, connection: Guarded) -> None:
        """It is used again."""
        self._idle.pop(connection, None)

    def of(self, request: web.BaseRequest) -> Guarded | None:
        """The connection of a request; None when it is gone, or when nobody guards it."""
        return None if request.transport is None else self._of.get(request.transport)

    def _drop(self, connection: Guarded) -> None:
        if connection.transport is not None:
            (connection.transport.close if connection.idle else connection.transport.abort)()
        self.leave(connection)

    def sweep(self) -> None:
        """Drop whoever took too long."""
        now = self.now()
        for connection in self:
            late = connection.until is not None and now > connection.until
            stalled = connection.stalled is not None and now > connection.stalled
            if late or stalled:
                self._slow += stalled or not connection.idle
                self._drop(connection)

    async def run(self) -> None:
        """Sweep until cancelled, and log in one line what was refused since the last one."""
        while True:
            await asyncio.sleep(_SWEEP)
            self.sweep()
            if self._refused or self._slow:
                log.warning("connections refused or dropped",
                            extra={"refused": self._refused, "slow": self._slow, "connections": len(self)})
                self._refused = self._slow = 0


class GuardedSite(web.TCPSite):
    """Listens, and puts a guard before each connection. `runner` is set up."""

    def __init__(self, runner: web.AppRunner, guard: Guard, host: str, port: int, ssl: SSLContext | None) -> None:
        super().__init__(runner, host, port, ssl_context=ssl, reuse_address=True)
        self._guard = guard
        self._listen = (host, port, ssl)

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be bound."""
        await web.BaseSite.start(self)
        server, (host, port, ssl) = self._runner.server, self._listen
        assert server is not None, "the runner is set up"
        # asyncio takes as many connections in one turn of the loop as it was told to let wait. When thousands come back
        # after a loss, the turns belong to others too: so it takes a few, and the kernel lets many wait.
        listening = self._server = await asyncio.get_running_loop().create_server(
            lambda: Guarded(server(), self._guard), host, port, ssl=ssl, backlog=AT_A_TIME, reuse_address=True,
            ssl_handshake_timeout=self._guard.limits.header_time if ssl is not None else None,
        )
        for one in listening.sockets:
            with one.dup() as same:
                same.listen(_WAITING)

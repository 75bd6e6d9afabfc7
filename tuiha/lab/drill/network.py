"""The network of a drill: a fault proxy in each way between two parts that a scenario wants to hurt.

The proxies have a thread and an event loop of their own, so that neither the operation nor the observer slows the
pool's traffic down.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.lab.parts.proxy import Proxy

COORDINATOR = "coordinator"
MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one part to another, the one that connects first."""

    client: str  # a server, sprayer or database (that follows the other), `coordinator`, `members` (it and servers)
    target: str  # a server, database or mail server

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.client} to {self.target}"


def link(text: str) -> Link:
    """A link from its short form, "s2>db1"."""
    client, _, target = text.partition(">")
    return Link(client, target)


def spread(wanted: Link, parts: Mapping[str, tuple[str, ...]]) -> list[Link]:
    """The single links that one with names of groups stands for. `parts`: group -> its members."""
    clients = parts.get(wanted.client, (wanted.client,))
    return [Link(client, target) for client in clients for target in parts.get(wanted.target, (wanted.target,))]


class Network:
    """The proxies, by the link that they are in. Opened and closed with the stage."""

    def __init__(self) -> None:
        self._proxies: dict[Link, Proxy] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="drill-network", daemon=True)
        self._thread.start()

    @property
    def links(self) -> tuple[Link, ...]:
        """Every link that has a proxy."""
        return tuple(self._proxies)

    async def open(self, wanted: Link, host: str, port: int) -> int:
        """Put a proxy into a link to this target; returns the port to connect to."""
        proxy = Proxy(host, port)
        await self._there(proxy.__aenter__())
        self._proxies[wanted] = proxy
        return proxy.port

    async def hurt(self, wanted: Link, fault: Callable[[Proxy], None]) -> None:
        """Do something to the proxy of a link, in its own thread."""
        proxy = self._proxies[wanted]

        async def do() -> None:
            fault(proxy)

        await self._there(do())

    def trapped(self, wanted: Link) -> int:
        """How many connections of a link a trap has reset."""
        return self._proxies[wanted].trapped

    def quieted(self, wanted: Link) -> int:
        """How many connections of a link were cut because they were quiet."""
        return self._proxies[wanted].quieted

    async def close(self) -> None:
        """End every proxy and the thread."""
        for proxy in self._proxies.values():
            await self._there(proxy.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 5.0)
        if not self._thread.is_alive():
            self._loop.close()

    async def _there(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

"""From which address a device speaks: the peer's, or what a sprayer says of its own peer.

A sprayer brings the connections of many devices from one address, and names each device's in X-Forwarded-For. That
header is believed from sprayers alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import hdrs, web

log = logging.getLogger("tuiha.clients")

CLIENT: web.RequestKey[str] = web.RequestKey("client", str)  # the device's address, for limits; "": not known
_RESOLVE = 5.0  # seconds to look the sprayers' names up
_HOPS = 10  # addresses in a header that are looked at


class Clients:
    """Tells the address of a request's device."""

    def __init__(self, proxies: Iterable[str], hosts: Iterable[str] = ()) -> None:
        """`proxies`: addresses and networks of sprayers; `hosts`: names and addresses, to be looked up by `learn`."""
        self._networks = [ip_network(one, strict=False) for one in proxies]
        self._hosts = sorted(set(hosts))

    async def learn(self) -> None:
        """Look up the sprayers' hosts; one that has no address is not believed."""
        await asyncio.gather(*(self._learn(host) for host in self._hosts))

    async def _learn(self, host: str) -> None:
        try:
            async with asyncio.timeout(_RESOLVE):
                found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            log.warning("a sprayer's address was not found: what it says of devices' addresses is not believed",
                        extra={"host": host})
            return
        self._networks += [ip_network(str(address[0]).partition("%")[0]) for *_, address in found]

    def of(self, request: web.Request) -> str:
        """The device's address; of an IPv6 address its /64, as a device has all of that."""
        peer = _address(request.remote or "")
        if peer is None:
            return ""
        return _told(self.behind(peer, request.headers.getall(hdrs.X_FORWARDED_FOR, [])))

    def through_a_sprayer(self, request: web.Request) -> bool:
        """Whether a sprayer passed the request on."""
        peer = _address(request.remote or "")
        return peer is not None and hdrs.X_FORWARDED_FOR in request.headers and self._believed(peer)

    def behind(self, peer: IPv4Address | IPv6Address, headers: Sequence[str]) -> IPv4Address | IPv6Address:
        """The first address, seen from here, that is no sprayer's."""
        named = [one.strip() for header in headers for one in header.split(",")]
        client = peer
        for text in reversed(named[-_HOPS:]):
            if not self._believed(client):
                break
            further = _address(text)
            if further is None:
                break
            client = further
        return client

    def _believed(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _told(address: IPv4Address | IPv6Address) -> str:
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)

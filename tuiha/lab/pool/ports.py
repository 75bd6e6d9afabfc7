"""Loopback ports for an embedded pool, which no other pool takes while this one has them."""

from __future__ import annotations

import random
import socket

# Below the ports that the kernel gives to outgoing connections: nothing takes one while its owner is down.
PORTS = range(18000, 32000)


class Ports:
    """Ports that one process has claimed for its children.

    A port that is free to bind is not enough: two pools that start at once would choose the same, and a part that is
    down for a moment would find its port taken. A claim is a socket with the port in its abstract name, which the
    kernel gives to one process of a network namespace and takes back when that ends, however it ends.
    """

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def take(self, count: int) -> list[int]:
        """Claim so many ports that nothing listens on. Raises OSError when there are not enough."""
        found: list[int] = []
        candidates = random.sample(PORTS, len(PORTS))
        while len(found) < count and candidates:
            port = candidates.pop()
            if port not in self._claims and self._claim(port):
                found.append(port)
        if len(found) < count:
            for port in found:
                self._claims.pop(port).close()
            raise OSError(f"{count} free ports were wanted on 127.0.0.1 between {PORTS.start} and {PORTS.stop}, "
                          f"{len(found)} were found")
        return found

    def _claim(self, port: int) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0tuiha-port-{port}")
        except OSError:
            claim.close()
            return False
        if not is_free(port):
            claim.close()
            return False
        self._claims[port] = claim
        return True


def is_free(port: int) -> bool:
    """Whether nothing has that port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

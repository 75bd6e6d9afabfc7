"""Knocking at the other servers' ports: one that refuses is a fact, silence is not.

A process that was killed leaves a host that refuses connections; one that is stopped, or busy, still has a port that
takes them, and keeps its users until its heartbeat is old. A firewall may refuse, too: so a refusal counts only when
the same server took a connection before, and once. Who is wrong all the same does no harm: a takeover makes a
new generation, and whoever was taken for gone records nothing under the old one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from tuiha.model.users.placement import Candidate
from tuiha.pooldb.errors import DatabaseError
from tuiha.server.database.access import OutcomeUnknown, Unavailable

log = logging.getLogger("tuiha.refusals")

_EVERY = 0.4  # seconds
_ANSWER = 0.3  # seconds for an answer; none is no refusal
_TWICE = 2  # refusals in a row
_OFTEN = 10  # times that it is told in a row; after that it is most likely a firewall's word, and told now and then
_NEIGHBOURS = 3  # of a server: in a large pool each one is watched by as many


class Refusals:
    """Looks whether the servers that come next by name are there. `gone` is told who is not, again and again."""

    def __init__(
        self, server: str, others: Callable[[], Iterable[Candidate]], gone: Callable[[str], Awaitable[bool]]
    ) -> None:
        """`gone`: tells the pool; whether the pool takes that server for dead now."""
        self._server = server
        self._others = others
        self._gone = gone
        self._refused: Counter[str] = Counter()
        self._reached: set[str] = set()  # took a connection, and were not taken for dead since

    async def run(self) -> None:
        """Knock until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.round()

    async def round(self) -> None:
        """Knock once at each neighbour that is taken for alive."""
        neighbours = next_by_name(self._server, [one for one in self._others() if one.alive])
        found = await asyncio.gather(*(refused(one.address) for one in neighbours))
        answers = {one.name: answer for one, answer in zip(neighbours, found, strict=True)}
        self._reached |= {name for name, answer in answers.items() if answer is False}
        self._refused = Counter({
            name: self._refused[name] + 1 for name, answer in answers.items() if answer and name in self._reached})
        for name, times in self._refused.items():
            if times >= _TWICE and (times <= _OFTEN or times % _OFTEN == 0):
                try:
                    if await self._gone(name):
                        self._reached.discard(name)
                except (Unavailable, OutcomeUnknown, DatabaseError) as error:  # an earlier schema has no table
                    log.info("not told", extra={"refused": name, "reason": str(error)})


def next_by_name(server: str, others: Iterable[Candidate]) -> list[Candidate]:
    """The servers that follow one by name, as in a ring: each is watched by as many as it watches."""
    ring = sorted((one for one in others if one.name != server), key=lambda one: (one.name < server, one.name))
    return ring[:_NEIGHBOURS]


async def refused(address: str) -> bool | None:
    """Whether the host at this address says that nobody listens there; None when it says nothing."""
    url = urlsplit(address)
    try:
        if url.port is None:
            return None  # port 0 would refuse
        async with asyncio.timeout(_ANSWER):
            _, writer = await asyncio.open_connection(url.hostname, url.port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError, ValueError):
        return None
    writer.transport.abort()
    return False

"""Pushing into the sprayers' maps who is monitored here, for those that shall not learn it from answers.

Each server pushes its own users and nobody else's: a user that moved is overwritten by the server that has it now. A
sprayer that starts anew has lost all of it (another process id), and gets all of it again. An entry that is wrong for
a moment costs a request that is forwarded once, so nothing here is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.drivers.sprayers.runtime import fits_map

log = logging.getLogger("tuiha.push")

_TALK = 10.0  # seconds for one look or push


class Pusher:
    """Keeps the maps of some sprayers up to date with the users of one pool server."""

    def __init__(
        self, server: str, sprayers: Sequence[Haproxy], users: Callable[[], Collection[str] | None],
        interval: float = 1.0,
    ) -> None:
        """`users` answers the names of those who are monitored here, None while that is not sure; `interval`: seconds
        between two looks.
        """
        self._server = server
        self._users = users
        self._interval = interval
        self._followers = [_Map(sprayer) for sprayer in sprayers]

    def wake(self) -> None:
        """Users came or went: push now."""
        for follower in self._followers:
            follower.wanted.set()

    async def run(self) -> None:
        """Push until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for follower in self._followers:
                tasks.create_task(self._follow(follower))

    async def _follow(self, follower: _Map) -> None:
        while True:
            follower.wanted.clear()
            users = self._users()
            try:
                if users is not None:
                    async with asyncio.timeout(_TALK):
                        await follower.push(self._server, frozenset(users))
                    follower.tell("")
            except (DriverError, TimeoutError) as error:
                follower.tell(str(error) or "no answer")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await follower.wanted.wait()


class _Map:
    """One sprayer's map, and what was pushed into it."""

    def __init__(self, sprayer: Haproxy) -> None:
        self.wanted = asyncio.Event()
        self._sprayer = sprayer
        self._process: int | None = None
        self._pushed: frozenset[str] = frozenset()
        self._problem = ""

    async def push(self, server: str, users: frozenset[str]) -> None:
        """Write what is not there yet. Raises DriverError."""
        process = await self._sprayer.process()
        if process != self._process:
            if self._process is not None:
                log.warning("started anew, its map is pushed again",
                            extra={"sprayer": self._sprayer.name, "users": len(users)})
            self._process, self._pushed = process, frozenset()
        new = {user for user in users - self._pushed if fits_map(user)}  # the others' requests are forwarded
        if new:
            await self._sprayer.put_map(dict.fromkeys(sorted(new), server))
            log.debug("pushed", extra={"sprayer": self._sprayer.name, "users": len(new)})
        self._pushed = users

    def tell(self, problem: str) -> None:
        """Log when it becomes unreachable, and when it is back."""
        if problem and not self._problem:
            log.warning("users cannot be pushed", extra={"sprayer": self._sprayer.name, "reason": problem})
        elif self._problem and not problem:
            log.info("users are pushed again", extra={"sprayer": self._sprayer.name})
        self._problem = problem

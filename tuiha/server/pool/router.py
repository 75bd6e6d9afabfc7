"""Which server serves a user's device, and the binding that follows from a device being here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from tuiha.config.pace import Binding
from tuiha.model.users.placement import Biases, BoundUser, Candidate, choose
from tuiha.server.http.problems import unavailable
from tuiha.server.pool.bindings import Bindings, Owned, SeenBinding
from tuiha.server.pool.membership import Standing

_RECONSIDER = 10.0  # seconds after which a user of this server is compared with the other servers again


class Routed(Protocol):
    """A user, as far as routing goes."""

    @property
    def id(self) -> int:
        """Its id in the enterprise database."""

    @property
    def name(self) -> str:
        """Its canonical name."""

    @property
    def cluster(self) -> str:
        """Its mail cluster."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a user is monitored."""

    server: str
    address: str
    local: bool


class Router:
    """Routes users, and moves them where the rules of `model.binding.choose` say."""

    def __init__(self, server: str, bindings: Bindings, standing: Standing, settings: Binding) -> None:
        self._server = server
        self._bindings = bindings
        self._standing = standing
        self._settings = settings
        self._biases = Biases(settings.local_bias, settings.current_bias)
        self._considered: dict[int, float] = {}
        self._moves = settings.moves

    def beaten(self) -> None:
        """A heartbeat went by: figures are fresh, and so is the allowance of voluntary moves."""
        self._moves = self._settings.moves

    async def route(self, user: Routed) -> Route:
        """The server that monitors this user, bound now if nobody did. Raises Problem 503, access.Unavailable."""
        now = time.monotonic()
        owned = user.id in self._bindings.owned
        if owned and now - self._considered.get(user.id, 0.0) < _RECONSIDER:
            return self._to(self._server)
        for _ in range(3):  # every round means that another server was faster: rare, and never for long
            seen = await self._bindings.look(user.id)
            server = self._decide(seen)
            if await self._settle(user, seen, server):
                self._considered[user.id] = now
                return self._to(server)
        raise unavailable("the user is being moved between servers", retry_after=1)

    def _decide(self, seen: SeenBinding | None) -> str:
        candidates = self._standing.candidates
        bound = seen.bound if seen else None
        server = choose(candidates, bound, self._server, self._biases)
        if server is None:
            raise unavailable("no server of the pool may take this user")
        if bound is None or bound.expired or server == bound.server:
            return server
        current = candidates.get(bound.server)
        if _keeps(current) and self._moves <= 0:
            return bound.server
        return server

    async def _settle(self, user: Routed, seen: SeenBinding | None, server: str) -> bool:
        """Make the binding say `server`. False when it changed meanwhile."""
        bound: BoundUser | None = seen.bound if seen else None
        if bound is not None and not bound.expired and bound.server == server:
            if seen is not None and seen.seconds_left < self._settings.expire * 0.9:
                await self._bindings.touch(user.id, bound)
            if server == self._server and user.id not in self._bindings.owned:
                await self._bindings.refresh()
            return True
        current = self._standing.candidates.get(bound.server) if bound is not None else None
        if bound is not None and not bound.expired and _keeps(current):
            self._moves -= 1
        lost = bound is not None and (current is None or not current.alive)
        settled = await self._bindings.bind(Owned(user.id, user.name, user.cluster, 0), server, bound, lost)
        if settled and server != self._server and server in self._standing.candidates:
            self._standing.candidates[server] = self._standing.candidates[server].with_one_more()
        return settled

    def _to(self, server: str) -> Route:
        candidate = self._standing.candidates.get(server)
        return Route(server, candidate.address if candidate else "", server == self._server)


def _keeps(current: Candidate | None) -> bool:
    """Whether a move away from this server is voluntary: it lives and could go on."""
    return current is not None and current.alive and current.availability_index > -200

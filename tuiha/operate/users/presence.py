"""Which pool servers take part at this moment: asked again at each look, as servers die and return meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tuiha.model.facts import ServerFacts
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.world import World
from tuiha.pooldb.leases import WITH_LEASE, oldest_renewal

_FRESH = 2.0  # seconds for which a look is good


@dataclass(frozen=True, slots=True)
class Present:
    """The servers of one moment."""

    answering: Mapping[str, ServerFacts]  # may be asked and told
    leased: frozenset[str]  # may serve and monitor, whether or not they answer

    @property
    def silent(self) -> frozenset[str]:
        """They may monitor users, and do not answer: slow, or cut off from here."""
        return self.leased - self.answering.keys()


class Presence:
    """Looks at most every two seconds."""

    def __init__(self, world: World, active: Active) -> None:
        self._world = world
        self._active = active
        self._found: Present | None = None
        self._looked = 0.0

    async def now(self) -> Present:
        """Who takes part now. Raises DatabaseGone."""
        if self._found is None or time.monotonic() - self._looked > _FRESH:
            lease = self._world.pool.lease
            servers = answering(await look(self._world))
            rows = await self._active.rows(WITH_LEASE, oldest_renewal(lease.seconds, lease.slack), patience=10.0)
            self._found = Present(servers, frozenset(row["server"] for row in rows))
            self._looked = time.monotonic()
        return self._found

"""What an operation cost devices, by the pool servers' own counters before it and after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuiha.model.operations.plans import Uncounted
from tuiha.operate.plans.look import safe
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.statements.servers import ADDRESSES

_SECONDS = 1.0  # for one server's answer

_NOTHING: Mapping[str, float] = {"delayed": 0.0, "failed": 0.0}

Counts = Mapping[str, Mapping[str, float]]  # server -> failed, delayed, started_at


@dataclass(frozen=True, slots=True)
class Cost:
    """Device requests while an operation ran. None: some server could not be asked before or after, so nobody knows."""

    delayed: int | None  # waited for a database, or were told when to ask again (503 with Retry-After)
    failed: int | None  # were answered with 5xx, and no time to ask again
    unknown: Mapping[str, Uncounted] = field(default_factory=dict)  # servers whose counters cannot be compared

    def figures(self) -> dict[str, object]:
        """As an operation's outcome has it."""
        found: dict[str, object] = {"requests_delayed": self.delayed, "requests_failed": self.failed}
        if self.unknown:
            found["requests_unknown_on"] = list(self.unknown)
            found["requests_unknown_why"] = {name: str(why) for name, why in self.unknown.items()}
        return found


async def counts(world: World, plan: Plan) -> dict[str, dict[str, float]]:
    """The counters of every server that answers within a second."""
    servers = await _servers(world, plan)
    found = await asyncio.gather(*(_ask(world, address) for address in servers.values()))
    return {name: answer for name, answer in zip(servers, found, strict=True) if answer is not None}


def cost(before: Counts, after: Counts, began: float) -> Cost:
    """The difference since `began` (unix seconds). A server that joined since counts from its start.

    One that did not tell at one end, or was started again, makes the sums unknown.
    """
    judged = {name: _lost(before.get(name), after.get(name), began) for name in sorted(before.keys() | after.keys())}
    unknown = {name: why for name, why in judged.items() if why is not None}
    if not before or unknown:
        return Cost(None, None, unknown)
    delayed, failed = (int(sum(now[figure] - before.get(name, _NOTHING)[figure] for name, now in after.items()))
                       for figure in ("delayed", "failed"))
    return Cost(delayed, failed)


def _lost(was: Mapping[str, float] | None, now: Mapping[str, float] | None, began: float) -> Uncounted | None:
    """Why a server's counters cannot be compared; None when they can."""
    if now is None:
        return Uncounted.SILENT_AFTER
    if was is None:
        return Uncounted.SILENT_BEFORE if now["started_at"] < began else None
    return Uncounted.RESTARTED if was["started_at"] != now["started_at"] else None


async def _servers(world: World, plan: Plan) -> dict[str, str]:
    """Name and address: of the plan when it has them, else of the pool's table, else of the configuration."""
    found: dict[str, str] = {server.name: server.address for server in world.pool.own_servers}
    told = plan.details.get("servers")
    if isinstance(told, Mapping):
        found |= {str(name): str(address) for name, address in told.items()}
    else:
        with contextlib.suppress(DatabaseGone):  # then the configuration's are asked
            found |= {row["name"]: row["address"] for row in await Active(world).rows(ADDRESSES, seconds=_SECONDS)}
    return {name: address for name, address in found.items() if safe(address)}


async def _ask(world: World, address: str) -> dict[str, float] | None:
    try:
        found: dict[str, Any] = await world.control.get(address, "counts", seconds=_SECONDS)
        return {figure: float(found[figure]) for figure in ("failed", "delayed", "started_at")}
    except (ControlError, KeyError, TypeError, ValueError):
        return None

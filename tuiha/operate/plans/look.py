"""What operations know of a pool before they plan: one look through the drivers, concluded like any other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

from tuiha.config.tls import is_loopback
from tuiha.model.facts import ServerFacts, Snapshot, Verdict
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict
from tuiha.model.reports import ServerState
from tuiha.operate.plans.plan import Check
from tuiha.operate.reach.world import World
from tuiha.watch.factory import guarded, rules_of
from tuiha.watch.once import CONFIRM, EXTRA
from tuiha.watch.poller import Poller
from tuiha.watch.targets import targets_of

_AWAY = frozenset({ServerState.DOWN, ServerState.UNKNOWN, ServerState.LEFT})


async def look(world: World) -> Snapshot:
    """Poll everything once, in parallel, servers that the database names included; one failed poll counts as down."""
    pool = world.pool
    targets = targets_of(pool, world.drivers, guarded(world.drivers.open_server))
    poller = Poller(targets, replace(rules_of(pool), down_after=1))
    settle = pool.watch.timeout + EXTRA
    async with asyncio.TaskGroup() as group:
        snapshot = await poller.round(group, settle)
        if not all(target.tried for target in targets.every()):
            poller.restart()
            snapshot = await poller.round(group, settle, only_new=True)
        if snapshot.verdict == Verdict.SPLIT:
            await asyncio.sleep(CONFIRM)
            snapshot = await poller.round(group, settle)
    await asyncio.gather(*(targets.servers[name].close() for name in targets.found))
    return snapshot


def answering(snapshot: Snapshot) -> dict[str, ServerFacts]:
    """The servers that answered this look, and may be told something: the token travels encrypted or stays here."""
    return {s.name: s for s in snapshot.servers if s.error is None and s.state not in _AWAY and safe(s.address)}


def safe(address: str) -> bool:
    """Whether a token may be sent there: encrypted, or inside this machine."""
    url = urlsplit(address)
    return url.scheme == "https" or is_loopback(url.hostname or "")


def whole(snapshot: Snapshot) -> Check:
    """The check that all of the pool is on one database that can be written: without it nothing may move."""
    active = next((d for d in snapshot.databases if d.name == snapshot.active), None)
    good = active is not None and active.reachable and bool(active.writable) \
        and snapshot.verdict not in (Verdict.SPLIT, Verdict.DISPUTED)
    found = Found.POOL(verdict=snapshot.verdict, active=snapshot.active)
    return Check(
        name=CheckId.POOL,
        subject=snapshot.pool,
        found=found,
        wanted=Wanted.POOL(),
        verdict=CheckVerdict.OK if good else CheckVerdict.NEVER,
        mend=None if good else Mend.LOOK_AT_STATUS(),
    )

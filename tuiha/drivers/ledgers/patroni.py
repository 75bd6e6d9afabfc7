"""The ledger of a pool whose pair Patroni manages: Patroni's store says who is active, and nobody here changes that.

Epoch is the timeline, active is the leader, SYNC is what Patroni may promote without losing an acknowledged write. What
Patroni has no place for is the intent that keeps operations apart: it stays in a ledger of the usual kinds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tuiha.drivers.databases.patroni_rest import PatroniCluster, PatroniMember, PatroniRest
from tuiha.drivers.protocols import DriverError, LeasedLedger, LedgerDriver
from tuiha.model.reports import LEADERLESS, LedgerRecord, Standby

_PATRONIS = ("epoch", "active", "standby", "system_identifier", "timeline", "phase")


class NoLeader(DriverError):
    """Patroni answers, and has no leader that is a primary. `in_step`: it may promote a node without losing a write."""

    def __init__(self, text: str, in_step: bool) -> None:
        super().__init__(text)
        self.in_step = in_step


@dataclass(frozen=True, slots=True)
class PatroniWord:
    """What one node's Patroni says; None where it does not answer, with why."""

    cluster: PatroniCluster | None
    node: PatroniMember | None
    error: str = ""


class PatroniLedger:
    """Reads Patroni on all nodes, and the intent in `intents`. Only the intent can be changed.

    Without `intents` it tells who is active, and no operation can be begun.
    """

    def __init__(self, pool: str, rests: Mapping[str, PatroniRest], intents: LedgerDriver | None) -> None:
        self.capabilities: frozenset[str] = frozenset({"poll"} if intents is None else {"poll", "replace"})
        self._pool = pool
        self._rests = rests
        self._intents = intents

    async def poll(self) -> LedgerRecord:
        """The record: who leads by Patroni, and the intent. Raises DriverError when either cannot be read.

        While there is no leader: the one that was noted with the last change of the intent, in phase LEADERLESS.
        """
        if self._intents is None:
            return await self._read()
        found, kept = await asyncio.gather(self._read(), self._intents.poll(), return_exceptions=True)
        if isinstance(kept, BaseException):
            raise kept
        if kept.pool != self._pool:
            raise DriverError(f"the ledger belongs to pool {kept.pool}, not to {self._pool}")
        if isinstance(found, NoLeader):
            return replace(kept, phase=LEADERLESS, standby=Standby.SYNC if found.in_step else Standby.STALE)
        if isinstance(found, BaseException):
            raise found
        return replace(found, intent=kept.intent, revision=kept.revision)

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Write the first record of the intents' ledger. Raises Conflict, DriverError."""
        return await self._kept().create(record)

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Change the intent. Raises Conflict; DriverError for anything that Patroni decides."""
        changed = [name for name in _PATRONIS if getattr(old, name) != getattr(new, name)]
        if changed:
            raise DriverError(f"Patroni decides on {', '.join(changed)}; nothing was changed")
        return await self._kept().replace(old, new)

    async def close(self) -> None:
        """Drop the connections."""
        for rest in self._rests.values():
            await rest.close()
        if self._intents is not None:
            await self._intents.close()

    def _kept(self) -> LedgerDriver:
        if self._intents is None:
            raise DriverError("the configuration names no ledger, and operations are kept apart by it; add ledger: "
                              "with a path, or with endpoints of etcd")
        return self._intents

    async def _read(self) -> LedgerRecord:
        names = list(self._rests)
        told = await asyncio.gather(*(_told(self._rests[name]) for name in names))
        return concluded(self._pool, dict(zip(names, told, strict=True)))


class LeasedPatroniLedger(PatroniLedger):
    """One whose intents' ledger knows whether an operation still has a living host."""

    def __init__(self, pool: str, rests: Mapping[str, PatroniRest], intents: LeasedLedger) -> None:
        super().__init__(pool, rests, intents)
        self.capabilities = frozenset({"poll", "replace", "lease"})
        self._leased = intents

    async def holder(self) -> str | None:
        """The host that holds the intent; None when nobody does. Raises DriverError."""
        return await self._leased.holder()


def open_patroni_ledger(pool: str, rests: Mapping[str, PatroniRest], intents: LedgerDriver | None) -> PatroniLedger:
    """The ledger of a pool under Patroni."""
    if isinstance(intents, LeasedLedger):
        return LeasedPatroniLedger(pool, rests, intents)
    return PatroniLedger(pool, rests, intents)


async def _told(rest: PatroniRest) -> PatroniWord:
    cluster, node = await asyncio.gather(rest.cluster(), rest.node("/leader"), return_exceptions=True)
    errors = [str(answer) for answer in (cluster, node) if isinstance(answer, DriverError)]
    for answer in (cluster, node):
        if isinstance(answer, BaseException) and not isinstance(answer, DriverError):
            raise answer
    return PatroniWord(None if isinstance(cluster, BaseException) else cluster,
                       None if isinstance(node, BaseException) else node, errors[0] if errors else "")


def concluded(pool: str, told: Mapping[str, PatroniWord]) -> LedgerRecord:
    """Who leads, by what all nodes say. Raises DriverError when nobody does, or nobody can be asked.

    A node that was cut off from the store may still tell of the leader of before: the highest timeline counts. The
    leader's own word on its timeline counts more than the store's, which follows a promotion a moment later.
    """
    clusters = {name: one.cluster for name, one in told.items() if one.cluster is not None}
    if not clusters:
        raise DriverError("Patroni cannot be asked: " + "; ".join(f"{name}: {one.error}" for name, one in told.items()))
    claims = [claim for cluster in clusters.values() if (claim := _claim(cluster, told)) is not None]
    if not claims:
        raise _nobody(clusters, told)
    timeline, leader, stale = max(claims)
    identifiers = {one.node.system_identifier for one in told.values() if one.node is not None} - {None}
    mine = told[leader].node
    identifier = mine.system_identifier if mine is not None else None
    if identifier is None and len(identifiers) == 1:
        identifier = identifiers.pop()
    if identifier is None:
        raise DriverError(f"Patroni does not tell the system identifier of {leader}")
    return LedgerRecord(pool, timeline, leader, Standby.STALE if stale else Standby.SYNC, identifier, timeline)


def _claim(cluster: PatroniCluster, told: Mapping[str, PatroniWord]) -> tuple[int, str, bool] | None:
    """Timeline, leader, and whether nobody is in step, by one node's answer; None when it names no leader that is one.

    Of two answers that differ in the last alone the careful one is the greater.
    """
    leader = cluster.leader
    if leader is None or leader not in told:
        return None
    node = told[leader].node
    if node is not None and not (node.primary and node.holds_lock):
        return None  # it has the lock and is not promoted yet, or has just lost it
    timeline = node.timeline if node is not None else cluster.members[leader].timeline
    if timeline is None or timeline < 1:
        return None
    in_step = any(member.in_step for name, member in cluster.members.items() if name != leader and name in told)
    return timeline, leader, not in_step


def _nobody(clusters: Mapping[str, PatroniCluster], told: Mapping[str, PatroniWord]) -> DriverError:
    leaders = {cluster.leader for cluster in clusters.values()} - {None}
    strange = sorted(str(leader) for leader in leaders if leader not in told)
    if strange:
        return DriverError(f"Patroni's leader is {', '.join(strange)}, which is not at database.nodes")
    in_step = any(member.in_step for cluster in clusters.values() for member in cluster.members.values()
                  if member.name in told)
    if not leaders:
        return NoLeader("Patroni has no leader at this moment", in_step)
    return NoLeader(f"Patroni's leader {', '.join(sorted(map(str, leaders)))} is not a primary at this moment", in_step)

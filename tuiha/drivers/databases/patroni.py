"""One node of a pair that Patroni manages: what PostgreSQL says, and what Patroni says, asked side by side."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tuiha.drivers.databases.patroni_rest import Config, PatroniCluster, PatroniMember, PatroniRest, open_rest
from tuiha.drivers.databases.postgres import Postgres, open_postgres
from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import DatabaseReport, Managed
from tuiha.words.states import in_words

if TYPE_CHECKING:
    from tuiha.config.parts import DatabaseNode
    from tuiha.drivers.site import Site


class Patroni:
    """Polls PostgreSQL, which knows best what it is, and Patroni, which knows what it shall be.

    A Patroni that cannot be asked is told in the report. What changes roles goes through `rest`.
    """

    capabilities: frozenset[str] = frozenset({"poll", "switchover", "failover", "reinitialize"})

    def __init__(self, postgres: Postgres, rest: PatroniRest) -> None:
        self.name = postgres.name
        self.address = postgres.address
        self.rest = rest
        self._postgres = postgres

    async def poll(self) -> DatabaseReport:
        """Ask both. Raises DriverError when PostgreSQL does not answer, with what Patroni says of that."""
        report, said = await asyncio.gather(self._postgres.poll(), self.managed(), return_exceptions=True)
        if isinstance(said, BaseException):
            raise said
        if isinstance(report, DriverError):
            raise DriverError(f"{report}; Patroni: {in_words(said)}", report.cause) from None
        if isinstance(report, BaseException):
            raise report
        return replace(report, managed=said)

    async def managed(self) -> Managed:
        """What Patroni says; its silence is in the answer."""
        node, cluster, config = await asyncio.gather(
            self.rest.node(), self.rest.cluster(), self.rest.config(), return_exceptions=True)
        for answer in (node, cluster, config):
            if isinstance(answer, BaseException) and not isinstance(answer, DriverError):
                raise answer
        if isinstance(node, BaseException):
            return Managed(error=str(node))
        return understood(self.name, node, None if isinstance(cluster, BaseException) else cluster,
                          None if isinstance(config, BaseException) else config)

    async def close(self) -> None:
        """Drop the connections."""
        await self._postgres.close()
        await self.rest.close()


def understood(name: str, node: PatroniMember, cluster: PatroniCluster | None, config: Config | None) -> Managed:
    """One picture of what Patroni says of a node. Without its store's word role and leader are unknown."""
    member = cluster.members.get(name) if cluster is not None else None
    return Managed(
        role=member.role if member is not None else None,
        state=(member.state if member is not None else None) or node.state,
        leader=cluster.leader if cluster is not None else None,
        timeline=node.timeline,
        lag_bytes=member.lag_bytes if member is not None else None,
        pending_restart=node.pending_restart,
        paused=node.paused or (cluster is not None and cluster.paused),
        scheduled=cluster.scheduled if cluster is not None else None,
        synchronous=config.synchronous if config is not None else None,
        strict=config.strict if config is not None else None,
        version=node.version,
    )


def open_patroni(node: DatabaseNode, site: Site) -> Patroni:
    """The driver of one database that Patroni manages."""
    return Patroni(open_postgres(node, site), open_rest(node, site))

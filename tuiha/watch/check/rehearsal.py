"""Asking the agents of the pair whether they could do what operations ask of them; nothing is done by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.drivers.agents import open_agents
from tuiha.drivers.agents.actions import Rehearsing
from tuiha.drivers.protocols import AgentError
from tuiha.model.databases.way_back import Rehearsal


async def rehearsals(pool: Pool, base: Path) -> list[Rehearsal]:
    """What each agent says of the way of its database to the partner."""
    nodes = {node.name: node for node in pool.database.nodes}
    agents = {name: agent for name, agent in open_agents(pool, base).items() if isinstance(agent, Rehearsing)}
    asked = []
    for name, agent in agents.items():
        partner = next((other for other in nodes if other != name), None)
        if partner is not None:
            asked.append(_rehearse(name, partner, agent))
    return list(await asyncio.gather(*asked))


async def _rehearse(name: str, partner: str, agent: Rehearsing) -> Rehearsal:
    try:
        return await agent.rehearse(partner)
    except AgentError as error:
        return Rehearsal(name, partner, error=str(error))

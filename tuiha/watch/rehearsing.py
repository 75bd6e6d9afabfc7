"""Asking the agents of the pair whether they could do what operations ask of them; nothing is done by it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.drivers.agents import open_agents
from tuiha.drivers.agents.actions import Rehearsing
from tuiha.drivers.protocols import AgentError
from tuiha.model.findings import Attempt

_BY_HAND = ("try it by hand: the agent's command with `rehearse` and the database's name appended "
            "(docs/operations.md, Agents)")
_THERE = "see that what listens at the agent's socket runs and may use what it names (docs/operations.md, Agents)"


def rehearsals(pool: Pool, base: Path) -> Iterator[Awaitable[Attempt]]:
    """One for each database that has an agent."""
    commands = {node.name for node in pool.database.nodes if node.agent is not None and node.agent.command is not None}
    for name, agent in open_agents(pool, base).items():
        if isinstance(agent, Rehearsing):
            yield _rehearse(name, agent, _BY_HAND if name in commands else _THERE)


async def _rehearse(name: str, agent: Rehearsing, remedy: str) -> Attempt:
    try:
        await agent.ready()
        error = None
    except AgentError as cause:
        error = str(cause)
    return Attempt(name, "the agent's rehearsal", error, f"operations cannot stop, start and rewind {name}", remedy,
                   well="went well: programs, paths and rights are there")

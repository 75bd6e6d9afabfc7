"""Asking the agents of the pair whether they could do what operations ask of them; nothing is done by it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.drivers.agents import open_agents
from tuiha.drivers.agents.actions import Rehearsing
from tuiha.drivers.protocols import AgentError
from tuiha.model.findings import Attempt


def rehearsals(pool: Pool, base: Path) -> Iterator[Awaitable[Attempt]]:
    """One for each database whose agent is a command: what it calls, on which host, is the operator's own."""
    commanded = {node.name for node in pool.database.nodes if node.agent is not None and node.agent.command is not None}
    for name, agent in open_agents(pool, base).items():
        if name in commanded and isinstance(agent, Rehearsing):
            yield _rehearse(name, agent)


async def _rehearse(name: str, agent: Rehearsing) -> Attempt:
    try:
        await agent.ready()
        error = None
    except AgentError as cause:
        error = str(cause)
    return Attempt(name, "the agent's rehearsal", error, f"operations cannot stop, start and rewind {name}",
                   "try it by hand: the agent's command with `rehearse` and the database's name appended "
                   "(docs/operations.md, Agents)", well="went well: programs, paths and rights are there")

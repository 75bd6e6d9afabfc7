"""Agents: what stops, starts, fences, rewinds and copies one database of the pair, on its own host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.secrets import environment
from tuiha.drivers.protocols import Agent

if TYPE_CHECKING:
    from tuiha.config.settings import Pool


def open_agents(pool: Pool, base: Path) -> dict[str, Agent]:
    """The agents of the pair by the names of their databases; a database without one is not in it."""
    from tuiha.drivers.agents.command import CommandAgent
    from tuiha.drivers.agents.socket import SocketAgent

    found: dict[str, Agent] = {}
    for node in pool.database.nodes:
        agent = node.agent
        if agent is not None and agent.socket is not None:
            found[node.name] = SocketAgent(node.name, base / agent.socket, agent.seconds)
        elif agent is not None and agent.command is not None:
            found[node.name] = CommandAgent(node.name, agent.command, agent.seconds, environment(pool))
    return found

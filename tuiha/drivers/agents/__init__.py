"""Agents: what stops, starts, fences, rewinds and copies one database of the pair, on its own host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.plugins import DriverKind
from tuiha.drivers.factory import imported
from tuiha.drivers.protocols import Agent
from tuiha.drivers.site import Site

if TYPE_CHECKING:
    from tuiha.config.settings import Pool


def open_agents(pool: Pool, base: Path) -> dict[str, Agent]:
    """The agents of the pair by the names of their databases; a database without one is not in it."""
    site = Site(pool, base)
    return {
        node.name: imported(DriverKind.AGENTS, node.agent.driver, f"database.nodes.{node.name}.agent.driver")(
            node, site
        )
        for node in pool.database.nodes
        if node.agent is not None
    }

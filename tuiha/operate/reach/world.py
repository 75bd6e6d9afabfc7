"""What operations reach a pool through: the drivers that look, the servers' control interface, the coordinator's role.

Opened once for a plan or a run, closed after it. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuiha.config import secrets
from tuiha.config.settings import Pool
from tuiha.config.tls import for_database
from tuiha.drivers.agents import open_agents
from tuiha.drivers.factory import Drivers, open_drivers
from tuiha.drivers.protocols import Agent
from tuiha.operate.reach.control import ControlClient
from tuiha.operate.reach.sql import Coordinator


class NoCredentials(Exception):
    """The configuration names no operator's token or no coordinator's role; the text says which."""


@dataclass(slots=True)
class World:
    """A pool, as operations reach it."""

    pool: Pool
    base: Path
    drivers: Drivers
    control: ControlClient
    databases: Mapping[str, Coordinator]  # by name, each with the coordinator's role
    extra: dict[str, Any] = field(default_factory=dict)  # what tests hand in
    agents: Mapping[str, Agent] = field(default_factory=dict)  # of the databases that have one, by name
    operation: str = ""  # the one that a runner runs: only while the ledger names it may its steps change the ledger


@asynccontextmanager
async def open_world(pool: Pool, base: Path) -> AsyncIterator[World]:
    """Open everything that operations need. Raises NoCredentials or ConfigError."""
    if pool.control.operator is None:
        raise NoCredentials("control.operator is not in the configuration: nobody may act with it")
    role = pool.database.roles.coordinator
    if role is None:
        raise NoCredentials("database.roles.coordinator is not in the configuration: nobody may act with it")
    drivers = open_drivers(pool, base)
    password, context = secrets.resolve(role.password, base), for_database(pool.database, base)
    control = ControlClient(pool, base, secrets.resolve(pool.control.operator, base))
    databases = {
        node.name: Coordinator(node.name, node.address, pool.database.name, role.user, password, context)
        for node in pool.database.nodes
    }
    try:
        yield World(pool, base, drivers, control, databases, agents=open_agents(pool, base))
    finally:
        await control.close()
        for database in databases.values():
            await database.close()
        await drivers.close()

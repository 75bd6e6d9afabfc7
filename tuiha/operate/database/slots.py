"""The pair's two replication slots, made and dropped with the coordinator's role.

PostgreSQL lets only a role with REPLICATION do that, and such a role can copy the whole cluster, hashes of passwords
included. So two functions of the database do it for the coordinator, for these two slots and no other
(config/postgresql.md, step 3). A pool that was set up before has no such functions, and a coordinator with REPLICATION.
"""

from __future__ import annotations

from tuiha.drivers.databases.commands import DROP_SLOT, DROP_SLOT_ITSELF, MAKE_SLOT, MAKE_SLOT_ITSELF, SLOTS_BY_FUNCTION
from tuiha.model.quotes import slot
from tuiha.operate.database.steps.base import sql, value
from tuiha.operate.reach.sql import Coordinator


async def make_slot(database: Coordinator, node: str) -> None:
    """See that a database has the slot of the other one. Raises StepFailed, StepUnknown."""
    await sql(database, MAKE_SLOT if await value(database, SLOTS_BY_FUNCTION) else MAKE_SLOT_ITSELF, slot(node))


async def drop_slot(database: Coordinator, node: str) -> None:
    """See that a database has no slot of the other one that nobody uses. Raises StepFailed, StepUnknown."""
    await sql(database, DROP_SLOT if await value(database, SLOTS_BY_FUNCTION) else DROP_SLOT_ITSELF, slot(node))

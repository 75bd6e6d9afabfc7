"""The pair's two replication slots, made and dropped with the coordinator's role.

PostgreSQL lets only a role with REPLICATION do that, and such a role can copy the whole cluster, hashes of passwords
included. So two functions of the database do it for the coordinator, for these two slots and no other
(config/postgresql.md, step 3). A pool that was set up before has no such functions, and a coordinator with REPLICATION.
"""

from __future__ import annotations

from tuiha.model.quotes import slot
from tuiha.operate.database.steps.base import sql, value
from tuiha.operate.reach.sql import Coordinator

BY_FUNCTION = "SELECT coalesce(has_function_privilege(to_regprocedure('public.make_slot(text)'), 'EXECUTE'), false)"
MAKE, DROP = "SELECT public.make_slot($1)", "SELECT public.drop_slot($1)"
MAKE_ITSELF = """
SELECT pg_create_physical_replication_slot($1)
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)
"""
DROP_ITSELF = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active"


async def make_slot(database: Coordinator, node: str) -> None:
    """See that a database has the slot of the other one. Raises StepFailed, StepUnknown."""
    await sql(database, MAKE if await value(database, BY_FUNCTION) else MAKE_ITSELF, slot(node))


async def drop_slot(database: Coordinator, node: str) -> None:
    """See that a database has no slot of the other one that nobody uses. Raises StepFailed, StepUnknown."""
    await sql(database, DROP if await value(database, BY_FUNCTION) else DROP_ITSELF, slot(node))

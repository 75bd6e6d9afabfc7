"""What is so after an operation on the pair, read back: what one that was taken back left, and the protection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

from tuiha.drivers.protocols import DriverError
from tuiha.model.quoting import wait_for
from tuiha.model.reports import STEADY, LedgerRecord, Standby
from tuiha.operate.database.steps import Job
from tuiha.operate.plan import Plan
from tuiha.operate.sql import Coordinator, DatabaseGone
from tuiha.operate.world import World

_SETTLING = 6.0  # seconds in which a secondary that was stopped meanwhile is synchronous again
_AGAIN = 0.25
_PRIMARY = """
SELECT epoch, active, state, current_setting('synchronous_standby_names') AS names,
       (SELECT count(*)::int FROM pg_stat_replication
         WHERE application_name = $1 AND state = 'streaming' AND sync_state = 'sync') AS sync
FROM pool_epoch
"""
_RECEIVES = "SELECT NOT pg_is_in_recovery() OR current_setting('primary_conninfo') <> ''"


async def left_by(world: World, plan: Plan) -> list[str]:
    """What is otherwise than before an operation that was taken back, each with what ends it; empty: nothing is."""
    job = Job.of(plan.details)

    async def look() -> list[str]:
        record = await _ledger(world)
        if isinstance(record, str):
            return [record]
        return [*_of_ledger(job, record), *await _of_primary(world, job), *await _of_secondary(world, job)]

    return await _settled(look)


async def unprotected(world: World, plan: Plan) -> list[str]:
    """Why losing the active database now would lose acknowledged writes; empty: it would not."""

    async def look() -> list[str]:
        record = await _ledger(world)
        if isinstance(record, str):
            return [record]
        partner = next((name for name in world.databases if name != record.active), "")
        if record.standby is not Standby.SYNC:
            return [_unprotected(record.active, f"the ledger says that {partner} is {record.standby}",
                                 f"`tuiha plan rejoin {partner}`, or `tuiha plan protect` when it streams")]
        if world.pool.database.manager is not None:
            return []  # the manager's word is the ledger's there
        row = await _row(world.databases[record.active], partner)
        if isinstance(row, str):
            return [f"UNPROTECTED, as far as can be told: {row}"]
        if row["names"] != wait_for(partner) or not row["sync"]:
            return [_unprotected(record.active, f"commits do not wait for {partner} alone", "`tuiha status`")]
        return []

    return await _settled(look)


def _unprotected(active: str, why: str, remedy: str) -> str:
    return f"UNPROTECTED: {why}; losing {active} now would lose acknowledged writes. Next: {remedy}"


async def _settled(look: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """The last finding within a few seconds: what is about to be whole again is waited for."""
    until = time.monotonic() + _SETTLING
    while True:
        found = await look()
        if not found or time.monotonic() >= until:
            return found
        await asyncio.sleep(_AGAIN)


async def _ledger(world: World) -> LedgerRecord | str:
    assert world.drivers.ledger is not None
    try:
        return await world.drivers.ledger.poll()
    except DriverError as error:
        return f"the ledger could not be read back: {error}"


def _of_ledger(job: Job, record: LedgerRecord) -> list[str]:
    found = []
    if (record.epoch, record.active) != (job.epoch, job.old):
        found.append(f"the ledger names {record.active} in epoch {record.epoch}, it named {job.old} in {job.epoch}")
    if record.phase != STEADY:
        found.append(f"the ledger's phase is {record.phase}")
    if record.standby != job.standby:
        found.append(f"UNPROTECTED: the ledger says that {job.new} is {record.standby}, it was {job.standby}: "
                     "`tuiha plan protect`")
    return found


async def _row(database: Coordinator, partner: str) -> asyncpg.Record | str:
    try:
        rows = await database.fetch(_PRIMARY, partner, seconds=2.0)
    except (DatabaseGone, asyncpg.PostgresError) as error:
        return f"{database.name} could not be asked: {error}"
    return rows[0] if rows else f"{database.name} has no epoch row"


async def _of_primary(world: World, job: Job) -> list[str]:
    row = await _row(world.databases[job.old], job.new)
    if isinstance(row, str):
        return [row]
    found = []
    if (row["epoch"], row["active"], row["state"]) != (job.epoch, job.old, "ACTIVE"):
        found.append(f"{job.old} says epoch {row['epoch']} of {row['active']}, {row['state']}")
    if job.standby == Standby.SYNC and row["names"] != wait_for(job.new):
        found.append(f"UNPROTECTED: commits on {job.old} do not wait for {job.new} any more: `tuiha plan protect`")
    elif job.standby == Standby.SYNC and not row["sync"]:
        found.append(f"{job.new} is not synchronous: commits on {job.old} wait for it; `tuiha plan degrade` if it "
                     "does not come back")
    return found


async def _of_secondary(world: World, job: Job) -> list[str]:
    """A secondary that was gone before is no matter of the operation."""
    try:
        receives = await world.databases[job.new].value(_RECEIVES, seconds=2.0)
    except (DatabaseGone, asyncpg.PostgresError):
        return []
    return [] if receives else [f"{job.new} does not receive from {job.old}: `tuiha plan rejoin {job.new}`"]

"""Steps on the pair: prepare, fence, stop, catch up, promote."""

from __future__ import annotations

import asyncio

from tuiha.drivers.databases.commands import CHECKPOINT, COUNT_SESSIONS, END_SESSIONS, PROMOTE
from tuiha.drivers.databases.positions import FLUSHED, IN_RECOVERY, REPLAYED
from tuiha.model.operations.evidence import Back, Done, Fault, StepId
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import EpochState, LedgerRecord, Standby
from tuiha.operate.database.steps.base import (
    Job,
    PairStep,
    agent_of,
    answering,
    by_agent,
    change_ledger,
    note_standby,
    own_agent,
    own_database,
    set_parameter,
    sql,
    tell_all,
    until,
    value,
)
from tuiha.operate.plans.kinds import Passed, Progress, StepFailed, StepUnknown
from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.statements.epochs import ACTIVE_EPOCH, FENCE, UNFENCE

# Requests wait meanwhile, and are told to come back when the hold is over: what takes longer is better taken back.
_ENDING = 20.0  # seconds for a fast stop; a checkpoint was made right before it
_LOOK_AGAIN = 0.5
_READY, _LOGGING_IN = 60.0, 2.5  # seconds for which a log-in ahead is kept, and within which it is made
_REPLAYING = 10.0  # seconds for the secondary to replay the last of what it has received


class Prepare(PairStep):
    """What takes long is done before anything waits: a checkpoint, no synchronous names on the secondary, log-ins."""

    place = "{old}, {new}"
    id = StepId.PREPARE
    limit = 120.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Checkpoint, setting, and log-ins; without one of these a server logs in later."""
        job = self.job
        await own_database(world, job, job.old)
        await nobody_to_wait_for(await own_database(world, job, job.new))
        await sql(world.databases[job.old], CHECKPOINT, seconds=self.limit)
        ready, _ = await tell_all(world, job.servers, "ready", {"database": job.new, "seconds": _READY}, _LOGGING_IN)
        return Done.PREPARED(old=job.old, new=job.new, ready=len(ready), servers=len(job.servers))


class FenceStep(PairStep):
    """The old primary takes no lease any more, and none of the pool's sessions is left on it."""

    place = "{old}"
    id = StepId.FENCE

    async def run(self, world: World, progress: Progress) -> Statement:
        """Fence the epoch row by a synchronous commit, end the sessions, read both back."""
        job, database = self.job, world.databases[self.job.old]
        await sql(database, FENCE, job.epoch, job.old)
        row = (await sql(database, ACTIVE_EPOCH))[0]
        if (row["epoch"], row["active"], row["state"]) != (job.epoch, job.old, EpochState.FENCED):
            raise StepFailed(Fault.HOLDS_EPOCH(database=job.old, epoch=row["epoch"], active=row["active"],
                                               state=row["state"]))
        users = pool_users(world)
        ended = await value(database, END_SESSIONS, users)
        if job.old in world.agents:
            # The stop that comes next waits for their end.
            return Done.FENCED(epoch=job.epoch, sessions=ended, left=None)

        async def look() -> bool:
            return bool(await value(database, COUNT_SESSIONS, users) == 0)

        return Done.FENCED(epoch=job.epoch, sessions=ended, left=not await until(look, 1.0))

    async def undo(self, world: World, progress: Progress) -> Statement:
        """ACTIVE again. A primary that died meanwhile is started; a secondary that was lost is given up first."""
        job, database = self.job, world.databases[self.job.old]
        await refuse_if_promoted(world, job)
        if not await answering(database, _LOOK_AGAIN, secondary=False):
            await _start(world, job, self.limit - 2.0)
        try:
            await database.fetch(UNFENCE, job.epoch, job.old, seconds=3.0)
        except DatabaseGone:
            await give_up_secondary(world, job.old, job.epoch, job.phase)
            await sql(database, UNFENCE, job.epoch, job.old)
        row = (await sql(database, ACTIVE_EPOCH))[0]
        if row["state"] != EpochState.ACTIVE:
            raise StepUnknown(Fault.STILL_SAYS(database=job.old, state=row["state"]))
        return Back.EPOCH(epoch=row["epoch"], active=row["active"], state=row["state"])


class Stop(PairStep):
    """A fast stop: the old primary sends everything, its last checkpoint included, before it ends."""

    place = "{old}"
    id = StepId.STOP
    limit = 60.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Stop it by its agent. Without one it stays, fenced, and its flush position counts."""
        name = self.job.old
        if name not in world.agents:
            position = int(await value(world.databases[name], FLUSHED))
            self.job.memory.position = position
            return Done.STAYS_FENCED(database=name, position=position)
        try:
            async with asyncio.timeout(_ENDING):
                stopped = await by_agent((await own_agent(world, self.job, name)).stop("fast"))
        except TimeoutError:
            raise StepUnknown(Fault.STOP_HANGS(database=name, seconds=_ENDING)) from None
        if not stopped.clean:
            raise StepFailed(Fault.STOP_UNCLEAN(database=name))
        self.job.memory.position = stopped.position
        return Done.STOPPED(position=stopped.position - 1, timeline=stopped.timeline)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Start it again. A stop that hangs is ended at once first: it would never answer again."""
        name = self.job.old
        await refuse_if_promoted(world, self.job)
        if name in world.agents and not await answering(world.databases[name], 0.0, secondary=False):
            await by_agent((await own_agent(world, self.job, name)).stop("immediate"))
        await _start(world, self.job, self.limit - 30.0)
        return Back.ANSWERS_AS_PRIMARY(database=name)


class CatchUp(PairStep):
    """The secondary has replayed all that the old primary wrote."""

    place = "{new}"
    id = StepId.CATCH_UP
    limit = 30.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Wait for the replay."""
        database = world.databases[self.job.new]
        if not await value(database, IN_RECOVERY):
            return Done.PROMOTED_ALREADY(new=self.job.new)
        wanted = self.job.memory.position
        if wanted is None:
            wanted = int((await by_agent(agent_of(world, self.job.old).position())).position)

        async def look() -> bool:
            return bool(await value(database, REPLAYED) >= wanted)

        if not await until(look, _REPLAYING):
            raise StepFailed(Fault.NOT_CAUGHT_UP(new=self.job.new, old=self.job.old, seconds=_REPLAYING))
        position = await value(database, REPLAYED)
        return Done.CAUGHT_UP(position=position)


class Promote(PairStep):
    """The point of no return."""

    place = "{new}"
    id = StepId.PROMOTE
    limit = 60.0
    undoable = False
    no_return = True

    async def run(self, world: World, progress: Progress) -> Statement:
        """pg_promote without waiting, and look: that is quicker than its own wait."""
        database = await own_database(world, self.job, self.job.new)
        if await value(database, IN_RECOVERY):
            await sql(database, PROMOTE)

        async def look() -> bool:
            try:
                return not await value(database, IN_RECOVERY)
            except StepFailed as error:  # it was told, and what it refuses is only to say so
                raise StepUnknown(str(error)) from None

        if not await until(look, self.limit - 5.0, 0.002):
            raise StepUnknown(Fault.STILL_IN_RECOVERY(new=self.job.new))
        return Done.PROMOTED(new=self.job.new)


async def promoted(world: World, job: Job, seconds: float = 1.5) -> Passed:
    """Whether the database that was to become active is out of recovery, by its own word."""
    try:
        recovering = await world.databases[job.new].value(IN_RECOVERY, seconds=seconds)
    except (DatabaseGone, DatabaseError):
        return Passed.UNKNOWN
    return Passed.NO if recovering else Passed.YES


async def row_of(world: World, name: str, *, writable: bool = False) -> tuple[int, str, str] | None:
    """A database's epoch row: epoch, active, state. None when it does not say, or is no primary and has to be one."""
    database = world.databases[name]
    try:
        if writable and await database.value(IN_RECOVERY, seconds=1.5):
            return None
        rows = await database.fetch(ACTIVE_EPOCH, seconds=1.5)
    except (DatabaseGone, DatabaseError):
        return None
    return (rows[0]["epoch"], rows[0]["active"], rows[0]["state"]) if rows else None


async def refuse_if_promoted(world: World, job: Job) -> None:
    """The old database is not to be used again beside a promoted one. Raises StepFailed."""
    if await promoted(world, job) is Passed.YES:
        raise StepFailed(Fault.PROMOTED(new=job.new, old=job.old))


def pool_users(world: World) -> list[str]:
    """The database roles that pool servers use."""
    roles = world.pool.database.roles
    return [role.user for role in (roles.pool, roles.owner) if role is not None]


async def nobody_to_wait_for(database: Coordinator) -> None:
    """A database that is about to be promoted must not wait for a secondary that does not follow it."""
    await set_parameter(database, "synchronous_standby_names", "")


async def _start(world: World, job: Job, seconds: float) -> None:
    """The former primary answers as the primary again, started by its agent if it has one.

    Nothing else may be concluded from its silence, least of all that its secondary is lost. Raises StepUnknown.
    """
    name = job.old
    if name in world.agents:
        await by_agent((await own_agent(world, job, name)).start())
    if not await answering(world.databases[name], seconds, secondary=False):
        raise StepUnknown(Fault.SILENT_PRIMARY(database=name))


async def give_up_secondary(world: World, active: str, epoch: int, phase: str) -> Statement:
    """The ledger says STALE first, and only then does the primary stop waiting for its secondary.

    A failover that began from the same record has changed the phase: only one of the two goes on.
    """
    def allowed(record: LedgerRecord) -> Statement | None:
        here = (record.active, record.epoch, record.phase) == (active, epoch, phase)
        return None if here else Fault.OTHER_PHASE(active=record.active, epoch=record.epoch, phase=record.phase)

    record = await change_ledger(world, allowed, standby=Standby.STALE)
    await nobody_to_wait_for(world.databases[active])
    await note_standby(world.databases[active], record.standby)
    return Done.LEDGER_STANDBY(standby=record.standby, active=active)

"""What is so after an operation on the pair, read back: what one that was taken back left, and the protection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tuiha.drivers.databases.positions import IS_PRIMARY_OR_RECEIVES
from tuiha.drivers.protocols import DriverError
from tuiha.model.databases.durability import Durability, follows_first, gaps
from tuiha.model.operations.evidence import Left
from tuiha.model.operations.statements import Statement
from tuiha.model.quotes import slot
from tuiha.model.reports import STEADY, EpochState, LedgerRecord, Standby
from tuiha.operate.database.steps.base import Job, sql, waited_for
from tuiha.operate.plans.kinds import StepFailed, StepUnknown
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.statements.epochs import ACTIVE_EPOCH
from tuiha.words.obstacles import reason, remedy

_SETTLING = 6.0  # seconds in which a secondary that was stopped meanwhile is synchronous again
_AGAIN = 0.25


async def left_by(world: World, plan: Plan) -> list[Statement]:
    """What is otherwise than before an operation that was taken back, each with what ends it; empty: nothing is."""
    job = Job.of(plan.details)

    async def look() -> list[Statement]:
        record = await _ledger(world)
        if isinstance(record, Statement):
            return [record]
        return [*_of_ledger(job, record), *await _of_primary(world, job), *await _of_secondary(world, job)]

    return await _settled(look)


async def unprotected(world: World, plan: Plan) -> list[Statement]:
    """Why losing the active database now would lose acknowledged writes; empty: it would not."""

    async def look() -> list[Statement]:
        record = await _ledger(world)
        if isinstance(record, Statement):
            return [record]
        partner = next((name for name in world.databases if name != record.active), "")
        if record.standby is not Standby.SYNC:
            return [_unprotected(record.active, Left.STANDBY_IS(partner=partner, standby=record.standby),
                                 _brings_back(partner))]
        if world.pool.database.manager is not None:
            return []  # the manager's word is the ledger's there
        said = await _said(world.databases[record.active])
        return [Left.UNPROTECTED_PERHAPS(why=said)] if isinstance(said, Statement) else _of_commits(
            record.active, partner, said.commits)

    return await _settled(look)


def _unprotected(active: str, why: Statement | str, mend: Statement | str) -> Statement:
    return Left.UNPROTECTED(why=why, active=active, mend=mend)


def _brings_back(partner: str) -> Statement:
    return Left.REJOIN_OR_PROTECT(partner=partner)


async def _settled(look: Callable[[], Awaitable[list[Statement]]]) -> list[Statement]:
    """The last finding within a few seconds: what is about to be whole again is waited for."""
    until = time.monotonic() + _SETTLING
    while True:
        found = await look()
        if not found or time.monotonic() >= until:
            return found
        await asyncio.sleep(_AGAIN)


async def _ledger(world: World) -> LedgerRecord | Statement:
    assert world.drivers.ledger is not None
    try:
        return await world.drivers.ledger.poll()
    except DriverError as error:
        return Left.LEDGER_SILENT(error=error)


def _of_ledger(job: Job, record: LedgerRecord) -> list[Statement]:
    found = []
    if (record.epoch, record.active) != (job.epoch, job.old):
        found.append(Left.OTHER_ACTIVE(active=record.active, epoch=record.epoch, was_active=job.old,
                                       was_epoch=job.epoch))
    if record.phase != STEADY:
        found.append(Left.PHASE(phase=record.phase))
    if record.standby != job.standby:
        found.append(Left.STANDBY_CHANGED(partner=job.new, standby=record.standby, was=job.standby))
    return found


@dataclass(frozen=True, slots=True)
class _Said:
    """A primary of itself."""

    epoch: int
    active: str
    state: str
    commits: Durability  # what they wait for


async def _said(database: Coordinator) -> _Said | Statement:
    """Or why it does not say it."""
    try:
        rows = await sql(database, ACTIVE_EPOCH, seconds=2.0)
        commits = await waited_for(database)
    except (StepFailed, StepUnknown) as error:
        return Left.NOT_ASKED(database=database.name, error=error)
    if not rows:
        return Left.NO_EPOCH(database=database.name)
    epoch, active, state = rows[0]
    return _Said(epoch, active, state, commits)


def _of_commits(active: str, partner: str, commits: Durability) -> list[Statement]:
    """Why one of the active database may be acknowledged without its partner, or why all of them wait."""
    found = gaps(commits, partner, slot(partner))
    holes = frozenset(gap for gap in found if gap.hole)
    if holes:
        return [_unprotected(active, reason(commits, partner, holes), _brings_back(partner) if follows_first(found)
                             else Left.BY_COMMAND(command=remedy(commits, partner, holes)))]
    return [Left.COMMITS_WAIT(gaps=found, why=reason(commits, partner, found), active=active)] if found else []


async def _of_primary(world: World, job: Job) -> list[Statement]:
    said = await _said(world.databases[job.old])
    if isinstance(said, Statement):
        return [said]
    found = []
    if (said.epoch, said.active, said.state) != (job.epoch, job.old, EpochState.ACTIVE):
        found.append(Left.SAYS_EPOCH(database=job.old, epoch=said.epoch, active=said.active, state=said.state))
    if job.standby == Standby.SYNC:
        found += _of_commits(job.old, job.new, said.commits)
    return found


async def _of_secondary(world: World, job: Job) -> list[Statement]:
    """A secondary that was gone before is no matter of the operation."""
    try:
        receives = await world.databases[job.new].value(IS_PRIMARY_OR_RECEIVES, seconds=2.0)
    except (DatabaseGone, DatabaseError):
        return []
    return [] if receives else [Left.DOES_NOT_RECEIVE(partner=job.new, active=job.old)]

"""Steps on replication: cut off, fence what is gone, replay, rejoin, protect, give up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from tuiha.drivers.agents.actions import Keeping
from tuiha.drivers.databases.commands import CHECKPOINT, WAITING_COMMITS
from tuiha.drivers.databases.positions import (
    COUNT_RECEIVERS,
    FLUSHED_TEXT,
    FOLLOWER_HAS,
    HAS_PRIMARY,
    IN_RECOVERY,
    IS_PRIMARY_OR_REPLAYED,
    REPLAYED,
)
from tuiha.drivers.protocols import AgentError
from tuiha.model.databases.durability import gaps
from tuiha.model.operations.evidence import Back, Doing, Done, Fault, StepId
from tuiha.model.operations.statements import Statement
from tuiha.model.quotes import slot
from tuiha.model.reports import STEADY, LedgerRecord, Standby
from tuiha.operate.database.steps.base import (
    STEP,
    ForeignDatabase,
    PairStep,
    answering,
    change_ledger,
    followers,
    lacks,
    note_standby,
    own_agent,
    own_database,
    read_ledger,
    set_parameter,
    sql,
    still_ours,
    until,
    value,
    waited_for,
)
from tuiha.operate.database.steps.roles import give_up_secondary, nobody_to_wait_for, refuse_if_promoted
from tuiha.operate.database.stream import Stream, streams
from tuiha.operate.plans.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.leases import LAST_RENEWAL, boottime
from tuiha.pooldb.statements.epochs import DOUBTED
from tuiha.words.obstacles import reason, remedy

_STILL = 1.5  # seconds in which a replay that has anything to do makes a step
_CONNECTING = 2.0  # seconds in which a secondary that is there connects again
_STEADY = 20.0  # seconds for a secondary to stream for good
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds after each time that it did not become synchronous
_SAYS = 1.5  # seconds for a database to say what it has
_SURE = 2  # times in a row that the secondary must lack something: it may restart between two questions
_DISCARDING = 60.0  # seconds for the removal of data folders that were replaced
_QUIET = 0.03  # seconds between two looks that must both find no receiver
_FENCE = 2.0  # seconds for the agent of a host that may be gone: the pool waits meanwhile, and leases end anyway
_MUST_FENCE = 30.0  # and where no end of a lease stops a primary that waits for nobody


class Cut(PairStep):
    """The new primary receives nothing any more: from here on the old one can acknowledge no commit."""

    place = "{new}"
    id = StepId.CUT

    async def run(self, world: World, progress: Progress) -> Statement:
        """Empty primary_conninfo, wait until no receiver is left; that moment is what leases are counted from."""
        database = await own_database(world, self.job, self.job.new)
        await set_parameter(database, "primary_conninfo", "")
        quiet = 0

        async def look() -> bool:
            nonlocal quiet
            await asyncio.sleep(_QUIET)
            quiet = quiet + 1 if await value(database, COUNT_RECEIVERS) == 0 else 0
            return quiet >= 2

        if not await until(look, self.limit - 3.0):
            raise StepFailed(Fault.STILL_RECEIVES(new=self.job.new, old=self.job.old))
        self.job.memory.cut_at = boottime()
        await nobody_to_wait_for(database)
        renewed = await value(database, LAST_RENEWAL)
        return Done.CUT_OFF(new=self.job.new, renewed_at=renewed)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Let it receive again."""
        database = world.databases[self.job.new]
        await set_parameter(database, "primary_conninfo", None)

        async def look() -> bool:
            return bool(await value(database, HAS_PRIMARY))

        if not await until(look, self.limit - 5.0):
            raise StepUnknown(Fault.CONNECTION_EMPTY(new=self.job.new))
        return Back.RECEIVES_AGAIN(new=self.job.new, old=self.job.old)


class FenceOld(PairStep):
    """The old primary is stopped if its agent can be reached; else the end of the leases is what fences it."""

    place = "{old}"
    id = StepId.FENCE_IF_REACHED
    limit = 35.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Fence it. A primary that waited for nobody must be fenced: no end of leases stops it."""
        name, memory = self.job.old, self.job.memory
        try:
            async with asyncio.timeout(_MUST_FENCE if self.job.standby == Standby.STALE else _FENCE):
                ran = await (await own_agent(world, self.job, name)).fence()
        except ForeignDatabase:
            raise
        except (AgentError, StepFailed, TimeoutError) as error:
            if self.job.standby == Standby.STALE:
                raise StepFailed(Fault.CANNOT_BE_FENCED(database=name, why=str(error) or None)) from None
            return Done.NOT_REACHED(why=str(error) or None)
        memory.ran = bool(memory.ran) or ran
        if await _answers(world.databases[name]):
            if self.job.standby == Standby.STALE:
                raise StepFailed(Fault.ANSWERS_FENCED(database=name))
            return Done.FENCED_AND_ANSWERS(database=name, ran=ran)
        return Done.FENCED_BY_AGENT(database=name, ran=ran)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Start it again, unless it answers or was not running. One whose agent is silent may run: that is said."""
        name = self.job.old
        await refuse_if_promoted(world, self.job)
        if await answering(world.databases[name], 0.0, secondary=False):
            return Back.ANSWERS_AS_PRIMARY(database=name)
        if self.job.memory.ran is False:
            return Back.WAS_NOT_RUNNING(database=name)
        try:
            await (await own_agent(world, self.job, name)).start()
        except (AgentError, StepFailed) as error:
            if self.job.memory.ran:
                raise StepFailed(Fault.NOT_STARTED(database=name, why=str(error))) from None
            return Back.NOT_ASKED_TO_START(database=name, why=str(error))
        if not await answering(world.databases[name], self.limit - 5.0, secondary=False):
            raise StepUnknown(Fault.STARTED_SILENT(database=name))
        return Back.STARTED(database=name)


class ReplayStep(PairStep):
    """All that the new primary has received is replayed."""

    place = "{new}"
    id = StepId.REPLAY
    limit = 60.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Wait for the replay."""
        database = world.databases[self.job.new]
        still = _Still()

        async def look() -> bool:
            if await value(database, IS_PRIMARY_OR_REPLAYED):
                return True
            return still.at(await value(database, REPLAYED), time.monotonic())

        if not await until(look, self.limit - 5.0):
            raise StepFailed(Fault.NOT_REPLAYED(new=self.job.new))
        if self.job.standby == Standby.SYNC and await value(database, DOUBTED):
            raise StepFailed(Fault.DOUBTED(new=self.job.new))
        return Done.REPLAYED_ALL(new=self.job.new, torn=still.so)


class _Still:
    """Whether the replay stands still: what was received may end within a record that is never to be completed.

    A primary that dies while it sends leaves such an end; nobody was told that it is committed. The replay waits there
    for ever, and promoting replays whatever is whole all the same.
    """

    def __init__(self) -> None:
        self.so = False
        self._at: object = self  # no position yet
        self._since = 0.0

    def at(self, position: object, now: float) -> bool:
        """Note where the replay is; True when it has been there for a while."""
        if position != self._at:
            self._at, self._since = position, now
        self.so = now - self._since >= _STILL
        return self.so


class Acknowledged(StepFailed):
    """Commits would be acknowledged without the secondary: a setting, or another program, is in the way."""


class Protect(PairStep):
    """Every commit waits for the secondary, and only then does the ledger say so."""

    place = "{new}, {old}"
    id = StepId.PROTECT
    limit = 180.0
    undoable = False

    @property
    def primary(self) -> str:
        """Who waits; its epoch is the job's next one."""
        return self.job.new

    @property
    def secondary(self) -> str:
        """Who is waited for."""
        return self.job.old

    @property
    def epoch(self) -> int:
        """The epoch in which that is so."""
        return self.job.epoch + 1

    async def run(self, world: World, progress: Progress) -> Statement:
        """Set the name when it streams for good, see that nobody waits for long, and then change the ledger.

        A secondary that does not become `sync` within a fifth of a lease is not waited for any longer: no server has
        lost its lease by then. It is tried again, with growing pauses, within the limit.
        """
        primary, name = await own_database(world, self.job, self.primary), self.secondary
        await own_database(world, self.job, name)
        patience, began = world.pool.lease.seconds / 5, time.monotonic()
        for pause in _PAUSES:
            stream = Stream(primary, name)
            if not await until(stream.steady, _STEADY, 0.02):
                raise StepFailed(Fault.BREAKS_OFF(secondary=name, primary=self.primary))
            await still_ours(world)  # one that gave the secondary up meanwhile must not wait for it again
            if await self._waited_for(world, primary, stream, patience):
                await note_standby(primary, Standby.SYNC)
                record = await change_ledger(world, self._refusal, standby=Standby.SYNC)
                return Done.PROTECTED(partner=name, standby=record.standby, data=await self._discard(world))
            progress.tell(Doing.NOT_SYNCHRONOUS(secondary=name, seconds=patience, primary=self.primary))
            if time.monotonic() - began > self.limit / 2:
                break
            await asyncio.sleep(pause)
        raise StepFailed(Fault.NOT_SYNCHRONOUS(secondary=name, seconds=patience, primary=self.primary))

    async def _waited_for(self, world: World, primary: Coordinator, stream: Stream, patience: float) -> bool:
        """Have commits wait for the secondary; False, and they wait for nobody, when it takes too long."""
        before = (await read_ledger(world)).standby
        beside, kept, proof = primary.beside(), False, None
        await value(beside, IN_RECOVERY)  # it is connected before anybody waits
        seen = time.monotonic()
        try:
            await set_parameter(primary, "synchronous_standby_names", followers(self.secondary))
            proof = asyncio.create_task(self._flushed(beside, self.secondary))
            while not (stream.waited_for and proof.done()):
                await asyncio.sleep(STEP)
                await stream.steady()
                if stream.waited_for:
                    seen = time.monotonic()
                elif time.monotonic() - seen > patience:
                    return False
            if proof.result():
                await self._nobody_else(world, primary)
                kept = True
            return kept
        finally:
            if proof is not None:
                proof.cancel()
                await asyncio.gather(proof, return_exceptions=True)
            await beside.close()
            if not kept:
                await self._let_go(world, primary, before)

    async def _nobody_else(self, world: World, primary: Coordinator) -> None:
        """Nothing lets a commit be acknowledged without the secondary. Raises Acknowledged."""
        name = self.secondary
        answers = [await lacks(primary, world.databases[name], _SAYS) for _ in range(_SURE)]
        found = replace(await waited_for(primary), lacking=all(answers))
        holes = frozenset(gap for gap in gaps(found, name, slot(name)) if gap.hole)
        if holes:
            raise Acknowledged(Fault.HOLE(primary=self.primary, secondary=name, why=reason(found, name, holes),
                                          mend=remedy(found, name, holes)))

    async def _let_go(self, world: World, primary: Coordinator, before: Standby) -> None:
        """Commits wait for nobody; while the ledger counts on the secondary, only once it says STALE.

        It counts on it when the step is resumed, or takes another one back. Where it cannot be changed, commits go on
        waiting: that is the safe side. A ledger that does not answer says what it said `before`.
        """
        try:
            word = (await read_ledger(world)).standby
        except StepUnknown:
            word = before
        if word is Standby.SYNC:
            await give_up_secondary(world, self.primary, self.epoch, STEADY)
        else:
            await nobody_to_wait_for(primary)

    async def _discard(self, world: World) -> Statement | None:
        """The data folders that were replaced are not needed any more; what is left of them hinders nobody."""
        agent = world.agents.get(self.secondary)
        if not isinstance(agent, Keeping):
            return None
        try:
            async with asyncio.timeout(_DISCARDING):
                removed = await agent.discard()
        except (AgentError, TimeoutError) as error:
            return Done.DATA_STAYS(why=str(error) or None)
        return Done.DATA_REMOVED(folders=removed) if removed else None

    async def _flushed(self, database: Coordinator, name: str) -> bool:
        """A checkpoint: the setting has reached the process that commits ask. Then all before it is there."""
        await asyncio.sleep(0.05)
        await sql(database, CHECKPOINT, seconds=120.0)
        position = str(await value(database, FLUSHED_TEXT))

        async def look() -> bool:
            return bool(await value(database, FOLLOWER_HAS, name, position))

        return await until(look, 10.0, 0.01)

    def _refusal(self, record: LedgerRecord) -> Statement | None:
        here = (record.active, record.epoch, record.phase) == (self.primary, self.epoch, STEADY)
        return None if here else Fault.OTHER_PHASE(active=record.active, epoch=record.epoch, phase=record.phase)


class ProtectAfter(Protect):
    """After a failover: protected again if the old primary is there again."""

    id = StepId.PROTECT_IF_FOLLOWS

    async def run(self, world: World, progress: Progress) -> Statement:
        """Protect, or say why not. One that was rewound just now may break off once and connect again.

        What a DBA has to mend first does not keep the operation from its end: the pool serves, and the result says so.
        """
        primary = world.databases[self.primary]
        if not await until(lambda: streams(primary, self.secondary), _CONNECTING, 0.05):
            return Done.UNPROTECTED_NO_STREAM(secondary=self.secondary)
        try:
            return await super().run(world, progress)
        except Acknowledged as hole:
            return Done.UNPROTECTED(why=hole.said)


class ProtectHere(Protect):
    """The pair as it is: the active database waits for its partner again."""

    @property
    def says(self) -> Statement:
        """What it does: the other way round than after a change of roles."""
        return self.id(old=self.secondary, new=self.primary)

    @property
    def primary(self) -> str:
        """The active database."""
        return self.job.old

    @property
    def secondary(self) -> str:
        """Its partner."""
        return self.job.new

    @property
    def epoch(self) -> int:
        """No epoch begins."""
        return self.job.epoch


class GiveUp(PairStep):
    """The pool goes on without its secondary: first the ledger, so that nobody promotes it, then the primary."""

    place = "ledger, {old}"
    id = StepId.GIVE_UP

    async def run(self, world: World, progress: Progress) -> Statement:
        """Give the secondary up; read back that no commit waits."""
        await own_database(world, self.job, self.job.old)
        given_up = await give_up_secondary(world, self.job.old, self.job.epoch, STEADY)
        database = world.databases[self.job.old]

        async def look() -> bool:
            waiting = await value(database, WAITING_COMMITS)
            return bool(waiting == 0)

        if not await until(look, 5.0, 0.02):
            raise StepUnknown(Fault.COMMITS_WAIT(given_up=given_up))
        return Done.GIVEN_UP(given_up=given_up)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Protect again; fails while the secondary does not stream."""
        return await ProtectHere(self.job, self.number).run(world, progress)


async def _answers(database: Coordinator) -> bool:
    """Whether a database gives any answer at this moment."""
    try:
        await database.fetch(IN_RECOVERY, seconds=0.5)
    except DatabaseGone:
        return False
    except DatabaseError:
        pass
    return True


class ResetConnection(PairStep):
    """The new primary gets its own connection settings back, for the day when it follows again."""

    place = "{new}"
    id = StepId.RESET_CONNECTION
    undoable = False

    async def run(self, world: World, progress: Progress) -> Statement:
        """Take the empty setting out."""
        await set_parameter(world.databases[self.job.new], "primary_conninfo", None)
        found = await value(world.databases[self.job.new], HAS_PRIMARY)
        return Done.CONNECTION_RESET(set=bool(found))

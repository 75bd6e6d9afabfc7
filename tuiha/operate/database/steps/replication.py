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
from tuiha.model.quotes import slot
from tuiha.model.reports import STEADY, LedgerRecord, Standby
from tuiha.operate.database.steps.base import (
    STEP,
    Foreign,
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
    stamp,
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
from tuiha.pooldb.clock import boottime
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.leases import LAST_RENEWAL
from tuiha.pooldb.statements.epochs import DOUBTED
from tuiha.words.durability import reason, remedy

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
    action = "cut {new} off from {old}"

    async def run(self, world: World, progress: Progress) -> str:
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
            raise StepFailed(f"{self.job.new} still receives from {self.job.old}")
        self.job.memory.cut_at = boottime()
        await nobody_to_wait_for(database)
        renewed = await value(database, LAST_RENEWAL)
        since = f"; last lease renewed {stamp(renewed)}" if renewed is not None else ""
        return f"primary_conninfo is empty, no receiver; synchronous_standby_names of {self.job.new} is empty{since}"

    async def undo(self, world: World, progress: Progress) -> str:
        """Let it receive again."""
        database = world.databases[self.job.new]
        await set_parameter(database, "primary_conninfo", None)

        async def look() -> bool:
            return bool(await value(database, HAS_PRIMARY))

        if not await until(look, self.limit - 5.0):
            raise StepUnknown(f"primary_conninfo of {self.job.new} is reset, and still empty: nothing else sets it")
        return f"{self.job.new} may receive from {self.job.old} again: primary_conninfo is set"


class FenceOld(PairStep):
    """The old primary is stopped if its agent can be reached; else the end of the leases is what fences it."""

    place = "{old}"
    action = "fence {old}, if it can be reached"
    limit = 35.0

    async def run(self, world: World, progress: Progress) -> str:
        """Fence it. A primary that waited for nobody must be fenced: no end of leases stops it."""
        name, memory = self.job.old, self.job.memory
        try:
            async with asyncio.timeout(_MUST_FENCE if self.job.standby == Standby.STALE else _FENCE):
                ran = await (await own_agent(world, self.job, name)).fence()
        except Foreign:
            raise
        except (AgentError, StepFailed, TimeoutError) as error:
            if self.job.standby == Standby.STALE:
                raise StepFailed(f"{name} runs unprotected and cannot be fenced: {error or 'no answer'}") from None
            return f"not reached ({error or 'no answer'}): its leases end by time"
        memory.ran = bool(memory.ran) or ran
        before = "" if ran else f"{name} was not running before; "
        if await _answers(world.databases[name]):
            if self.job.standby == Standby.STALE:
                raise StepFailed(f"{name} runs unprotected, and still answers after its agent has fenced it")
            return f"{before}its agent says that {name} is fenced, and it still answers: its leases end by time"
        return f"{before}{name} is fenced by its agent, and does not answer"

    async def undo(self, world: World, progress: Progress) -> str:
        """Start it again, unless it answers or was not running. One whose agent is silent may run: that is said."""
        name = self.job.old
        await refuse_if_promoted(world, self.job)
        if await answering(world.databases[name], 0.0, secondary=False):
            return f"{name} answers as the primary"
        if self.job.memory.ran is False:
            return f"{name} was not running"
        try:
            await (await own_agent(world, self.job, name)).start()
        except (AgentError, StepFailed) as error:
            if self.job.memory.ran:
                raise StepFailed(f"{name} was stopped, and is not started: {error}") from None
            return f"{name} could not be asked to start: {error}"
        if not await answering(world.databases[name], self.limit - 5.0, secondary=False):
            raise StepUnknown(f"{name} was started, and does not answer as the primary")
        return f"{name} is started, and answers as the primary"


class Replay(PairStep):
    """All that the new primary has received is replayed."""

    place = "{new}"
    action = "{new} replays all that it received"
    limit = 60.0

    async def run(self, world: World, progress: Progress) -> str:
        """Wait for the replay."""
        database = world.databases[self.job.new]
        still = _Still()

        async def look() -> bool:
            if await value(database, IS_PRIMARY_OR_REPLAYED):
                return True
            return still.at(await value(database, REPLAYED), time.monotonic())

        if not await until(look, self.limit - 5.0):
            raise StepFailed(f"{self.job.new} did not replay all that it received")
        if self.job.standby == Standby.SYNC and await value(database, DOUBTED):
            raise StepFailed(f"{self.job.new} may lack acknowledged writes: a server saw that commits did not wait "
                             "for it. Plan again: the plan says what can be lost")
        return f"{self.job.new} has replayed all that it received" + (
            ", but for the beginning of a record whose end never came" if still.so else "")


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
    action = "commits on {new} wait for {old}, then ledger SYNC"
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

    async def run(self, world: World, progress: Progress) -> str:
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
                raise StepFailed(f"{name} does not keep streaming from {self.primary}: commits would wait for it")
            await still_ours(world)  # one that gave the secondary up meanwhile must not wait for it again
            if await self._waited_for(world, primary, stream, patience):
                await note_standby(primary, Standby.SYNC)
                record = await change_ledger(world, self._refusal, standby=Standby.SYNC)
                return f"{name} streams, sync; ledger {record.standby}: protected{await self._discard(world)}"
            progress.tell(f"{name} was not synchronous within {patience:g} s: {self.primary} waits for nobody again")
            if time.monotonic() - began > self.limit / 2:
                break
            await asyncio.sleep(pause)
        raise StepFailed(f"{name} did not become synchronous within {patience:g} s; {self.primary} waits for nobody")

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
            raise Acknowledged(f"{self.primary} would acknowledge commits without {name}: "
                               f"{reason(found, name, holes)}. Next: {remedy(found, name, holes)}")

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

    async def _discard(self, world: World) -> str:
        """The data folders that were replaced are not needed any more; what is left of them hinders nobody."""
        agent = world.agents.get(self.secondary)
        if not isinstance(agent, Keeping):
            return ""
        try:
            async with asyncio.timeout(_DISCARDING):
                removed = await agent.discard()
        except (AgentError, TimeoutError) as error:
            return f"; data folders that were replaced stay: {error or 'not removed in time'}"
        return f"; {removed} replaced data folders removed" if removed else ""

    async def _flushed(self, database: Coordinator, name: str) -> bool:
        """A checkpoint: the setting has reached the process that commits ask. Then all before it is there."""
        await asyncio.sleep(0.05)
        await sql(database, CHECKPOINT, seconds=120.0)
        position = str(await value(database, FLUSHED_TEXT))

        async def look() -> bool:
            return bool(await value(database, FOLLOWER_HAS, name, position))

        return await until(look, 10.0, 0.01)

    def _refusal(self, record: LedgerRecord) -> str | None:
        here = (record.active, record.epoch, record.phase) == (self.primary, self.epoch, "STEADY")
        return None if here else f"{record.active} is active in epoch {record.epoch}, phase {record.phase}"


class ProtectAfter(Protect):
    """After a failover: protected again if the old primary is there again."""

    action = "commits on {new} wait for {old}, if it follows"

    async def run(self, world: World, progress: Progress) -> str:
        """Protect, or say why not. One that was rewound just now may break off once and connect again.

        What a DBA has to mend first does not keep the operation from its end: the pool serves, and the result says so.
        """
        primary = world.databases[self.primary]
        if not await until(lambda: streams(primary, self.secondary), _CONNECTING, 0.05):
            return f"not protected: {self.secondary} does not follow; `tuiha plan rejoin {self.secondary}`"
        try:
            return await super().run(world, progress)
        except Acknowledged as hole:
            return f"not protected: {hole}"


class ProtectHere(Protect):
    """The pair as it is: the active database waits for its partner again."""

    action = "commits on {old} wait for {new}, then ledger SYNC"

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
    action = "ledger STALE, then {old} waits for nobody"

    async def run(self, world: World, progress: Progress) -> str:
        """Give the secondary up; read back that no commit waits."""
        await own_database(world, self.job, self.job.old)
        text = await give_up_secondary(world, self.job.old, self.job.epoch, "STEADY")
        database = world.databases[self.job.old]

        async def look() -> bool:
            waiting = await value(database, WAITING_COMMITS)
            return bool(waiting == 0)

        if not await until(look, 5.0, 0.02):
            raise StepUnknown(f"{text}; commits still wait")
        return f"{text}; no commit waits"

    async def undo(self, world: World, progress: Progress) -> str:
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
    action = "{new} may follow again one day"
    undoable = False

    async def run(self, world: World, progress: Progress) -> str:
        """Take the empty setting out."""
        await set_parameter(world.databases[self.job.new], "primary_conninfo", None)
        found = await value(world.databases[self.job.new], HAS_PRIMARY)
        return "primary_conninfo is set again" if found else "primary_conninfo is reset"

"""Steps that make a database the secondary of the other one.

Nothing foreign is touched, and nothing is thrown away for a fault that throwing away does not mend: before each way the
agent tells whose data it has, and what is in the way back is named before the database is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from tuiha.drivers.agents.actions import Measuring, Rehearsing
from tuiha.drivers.databases.commands import CHECKPOINT, DATA_BYTES, SETTINGS
from tuiha.drivers.protocols import Agent, AgentError
from tuiha.model.databases.way_back import AT_LEAST, Rehearsal, mends_nothing, obstacles
from tuiha.model.operations.evidence import Doing, Done, Fault, StepId
from tuiha.model.operations.statements import Code, Statement, plain
from tuiha.model.quotes import slot
from tuiha.operate.database.checks import room_for_copy
from tuiha.operate.database.slots import drop_slot, make_slot
from tuiha.operate.database.steps.base import PairStep, answering, own_agent, own_database, sql, until, value
from tuiha.operate.database.steps.roles import nobody_to_wait_for
from tuiha.operate.database.stream import Stream, streams
from tuiha.operate.plans.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.reach.world import World

_FOLLOWING = 5.0  # seconds for one that streams already to show that it keeps streaming

Work = Callable[[], Coroutine[Any, Any, Any]]


class _Words(NamedTuple):
    """What is said of a way while it is tried, and when it was gone."""

    trying: Code
    done: Code


class Follows(PairStep):
    """A step after which the old primary follows the new one."""

    place = "{old}"
    undoable = False

    @property
    def follower(self) -> str:
        """Who becomes the secondary."""
        return self.job.old

    @property
    def leader(self) -> str:
        """Of whom."""
        return self.job.new


class PartnerFollows(Follows):
    """A step after which the partner of the active database follows it, whatever it was."""

    place = "{new}"

    @property
    def follower(self) -> str:
        """The partner."""
        return self.job.new

    @property
    def leader(self) -> str:
        """The active database."""
        return self.job.old


class Rejoin(Follows):
    """The old primary becomes the secondary: as it is, else rewound, else as a fresh copy."""

    id = StepId.REJOIN
    limit = 3600.0
    clean = False  # the old primary ended cleanly and the new one had everything: nothing to rewind

    async def run(self, world: World, progress: Progress) -> Statement:
        """Try the ways in turn, the cheapest first; read back that it streams, and keeps streaming."""
        name, leader = self.follower, self.leader
        primary = await own_database(world, self.job, leader)
        await own_database(world, self.job, name)
        if await streams(primary, name) and await until(Stream(primary, name).steady, _FOLLOWING, 0.02):
            return await self._settled(world, Done.FOLLOWS_ALREADY(follower=name))
        await own_agent(world, self.job, name)
        await drop_slot(primary, leader)
        await make_slot(primary, name)
        await self._nothing_in_the_way(world)
        await sql(primary, CHECKPOINT, seconds=120.0)  # pg_rewind reads the timeline from the last one
        failures: list[Statement] = []
        for how, work, seconds in self._ways(world):
            agent = await own_agent(world, self.job, name)
            progress.tell(Doing.TRYING(follower=name, way=how.trying()))
            try:
                await _follow(agent, leader, work(agent))
            except AgentError as error:
                failures.append(plain(str(error)))
                continue
            if await until(Stream(primary, name).steady, seconds, 0.02):
                return await self._settled(world, Done.STREAMS(follower=name, leader=leader, how=how.done()))
            failures.append(Fault.NO_STREAM(how=how.done(), seconds=seconds))
            await self._nothing_in_the_way(world)
        raise StepFailed(Fault.DOES_NOT_FOLLOW(follower=name, leader=leader, why=failures))

    def _ways(self, world: World) -> list[tuple[_Words, Callable[[Agent], Work], float]]:
        """Words, work while it is stopped, and seconds until it must stream."""
        first: list[tuple[_Words, Callable[[Agent], Work], float]] = []
        if self.clean:
            first = [(_Words(Doing.STARTING, Done.NO_REWIND), lambda _: _nothing, 5.0)]
        return [*first, (_Words(Doing.REWINDING, Done.REWOUND), lambda agent: lambda: agent.rewind(self.leader), 15.0),
                (_Words(Doing.COPYING, Done.FRESH_COPY), lambda agent: lambda: self._copy(world, agent), 120.0)]

    async def _copy(self, world: World, agent: Agent) -> None:
        """A fresh copy beside the data that is there, when there is room for it. Raises AgentError, StepFailed."""
        if isinstance(agent, Measuring):
            needed = room_for_copy(int(await value(world.databases[self.leader], DATA_BYTES)))
            free = await agent.space()
            if free < needed:
                raise StepFailed(Fault.NO_ROOM(follower=self.follower, free=free, needed=needed))
        await agent.base_backup(self.leader)

    async def _nothing_in_the_way(self, world: World) -> None:
        """Raises StepFailed with what keeps it from following whatever its data is: no copy mends that."""
        found = await rehearsed(world, self.follower, self.leader)
        rows = await sql(world.databases[self.leader], SETTINGS, list(AT_LEAST))
        leading = {row["name"]: row["setting"] for row in rows}
        faults = [one for one in obstacles(found, self.job.identifier, leading, secondary=False) if mends_nothing(one)]
        if faults:
            raise StepFailed(Fault.CANNOT_FOLLOW(
                follower=self.follower, leader=self.leader,
                why=[Fault.IN_THE_WAY(found=one.value, wanted=one.limit, mend=one.remedy) for one in faults]))

    async def _settled(self, world: World, how: Statement) -> Statement:
        """What is left of the old role goes: its slot for the other, its waiting for the other."""
        name, leader = self.follower, self.leader
        database = world.databases[name]
        if not await answering(database, 30.0, secondary=True):
            raise StepUnknown(Fault.NO_LOG_IN(follower=name, leader=leader))
        await nobody_to_wait_for(database)
        await drop_slot(database, leader)
        return Done.FOLLOWS(how=how, slot=slot(name), leader=leader, follower=name)


class RejoinClean(Rejoin):
    """After a clean stop nothing has to be rewound."""

    clean = True


class RejoinIfThere(Rejoin):
    """After a failover the old primary's host may be gone: then that is left for later."""

    id = StepId.REJOIN_IF_THERE

    async def run(self, world: World, progress: Progress) -> Statement:
        """Rejoin, or say why not."""
        try:
            return await super().run(world, progress)
        except StepFailed as error:
            return Done.LEFT_FOR_REJOIN(old=self.job.old, why=error.said)


class RejoinHere(PartnerFollows, Rejoin):
    """The partner of the active database becomes its secondary."""

    id = StepId.REJOIN

    @property
    def says(self) -> Statement:
        """What it does: the other way round than after a change of roles."""
        return self.id(old=self.follower, new=self.leader)


async def rehearsed(world: World, name: str, partner: str) -> Rehearsal:
    """What the agent of a database says of its way to the partner; with the reason when it says nothing."""
    agent = world.agents.get(name)
    try:
        if isinstance(agent, Rehearsing):
            return await agent.rehearse(partner)
    except AgentError as error:
        return Rehearsal(name, partner, error=str(error))
    return Rehearsal(name, partner, error="it has no agent that tries it", tried=False)


async def _follow(agent: Agent, leader: str, work: Work) -> None:
    """Stop, change, have it follow, start. A database that crashed cannot be stopped cleanly, and need not be."""
    try:
        await agent.stop("fast")
    except AgentError:
        await agent.fence()
    await work()
    await agent.follow(leader)
    await agent.start()


async def _nothing() -> None:
    """No change."""

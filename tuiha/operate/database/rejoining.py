"""Steps that make a database the secondary of the other one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from tuiha.drivers.protocols import Agent, AgentError
from tuiha.model.quoting import slot
from tuiha.operate.database.pair import streams
from tuiha.operate.database.roles import nobody_to_wait_for
from tuiha.operate.database.slots import drop_slot, make_slot
from tuiha.operate.database.steps import PairStep, agent_of, answering, sql, until
from tuiha.operate.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.world import World


class _Words(NamedTuple):
    """What is said of a way while it is tried, and when it was gone."""

    trying: str
    done: str


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

    action = "{old} becomes the secondary of {new}"
    limit = 3600.0
    clean = False  # the old primary ended cleanly and the new one had everything: nothing to rewind

    async def run(self, world: World, progress: Progress) -> str:
        """Try the ways in turn, the cheapest first; read back that it streams."""
        name, leader = self.follower, self.leader
        primary = world.databases[leader]
        if await streams(primary, name):
            return await self._settled(world, f"{name} follows already")
        agent = agent_of(world, name)
        await drop_slot(primary, leader)
        await make_slot(primary, name)
        await sql(primary, "CHECKPOINT", seconds=120.0)  # pg_rewind reads the timeline from the last one
        failures = []
        for how, work, seconds in self._ways(agent):
            progress.tell(f"{name}: {how.trying}")
            try:
                await _follow(agent, leader, work)
            except AgentError as error:
                failures.append(str(error))
                continue
            if await until(lambda: streams(primary, name), seconds, 0.02):
                return await self._settled(world, f"{name} streams from {leader}; {how.done}")
            failures.append(f"{how.done}: does not stream after {seconds:g} s")
        raise StepFailed(f"{name} does not follow {leader}: {'; '.join(failures)}")

    def _ways(self, agent: Agent) -> list[tuple[_Words, Callable[[], Coroutine[Any, Any, Any]], float]]:
        """Words, work while it is stopped, and seconds until it must stream."""
        first = [(_Words("starting it as it is", "no rewind was needed"), _nothing, 5.0)] if self.clean else []
        return [*first, (_Words("rewinding", "rewound"), lambda: agent.rewind(self.leader), 15.0),
                (_Words("copying", "a fresh copy"), lambda: agent.base_backup(self.leader), 120.0)]

    async def _settled(self, world: World, text: str) -> str:
        """What is left of the old role goes: its slot for the other, its waiting for the other."""
        name, leader = self.follower, self.leader
        database = world.databases[name]
        if not await answering(database, 30.0, secondary=True):
            raise StepUnknown(f"{name} follows {leader}, and the coordinator cannot log in to it")
        await nobody_to_wait_for(database)
        await drop_slot(database, leader)
        return f"{text}; slot {slot(name)} on {leader}, none left on {name}"


class RejoinClean(Rejoin):
    """After a clean stop nothing has to be rewound."""

    clean = True


class RejoinIfThere(Rejoin):
    """After a failover the old primary's host may be gone: then that is left for later."""

    action = "{old} becomes the secondary of {new}, if it is there"

    async def run(self, world: World, progress: Progress) -> str:
        """Rejoin, or say why not."""
        try:
            return await super().run(world, progress)
        except StepFailed as error:
            return f"left for `tuiha plan rejoin {self.job.old}`: {error}"


class RejoinHere(PartnerFollows, Rejoin):
    """The partner of the active database becomes its secondary."""

    action = "{new} becomes the secondary of {old}"


async def _follow(agent: Agent, leader: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
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

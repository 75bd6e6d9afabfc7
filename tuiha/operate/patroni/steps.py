"""Steps that have Patroni change the roles of its pair, and verify on the servers what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from tuiha.drivers.databases.patroni import Patroni
from tuiha.drivers.databases.patroni_rest import PatroniRest
from tuiha.drivers.protocols import DriverError
from tuiha.model.operations.evidence import Doing, Done, Fault, StepId
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import LEADERLESS, LedgerRecord, Standby
from tuiha.operate.database.steps.base import Job, PairStep, read_ledger, tell_all, until
from tuiha.operate.database.steps.rejoin import Follows, PartnerFollows
from tuiha.operate.database.steps.servers import Attach, Verify
from tuiha.operate.database.stream import streams
from tuiha.operate.plans.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.reach.world import World
from tuiha.words.states import in_words

_LOOK = 0.2  # seconds between two questions to Patroni, which has better things to do
_FOLLOWING = 280.0  # seconds for Patroni to rewind and start a former leader
_RELEASE = 2.0


def patroni_of(world: World, name: str) -> Patroni:
    """The driver of a node under Patroni. Raises StepFailed when the configuration says that it is not."""
    driver = world.drivers.databases[name]
    if not isinstance(driver, Patroni):
        raise StepFailed(Fault.NOT_UNDER_PATRONI(database=name))
    return driver


async def begun(world: World, job: Job) -> LedgerRecord | None:
    """Patroni's word when the new leader is a primary on a later timeline; None when it is not, or nobody answers."""
    assert world.drivers.ledger is not None
    try:
        record = await world.drivers.ledger.poll()
    except DriverError:
        return None
    new = record.phase != LEADERLESS and record.active == job.new and record.timeline > job.timeline
    return record if new else None


async def there(world: World, job: Job) -> Job:
    """The job as the steps on servers know it: the epoch after its own is the new timeline. Raises StepUnknown."""
    record = await begun(world, job)
    if record is None:
        raise StepUnknown(Fault.PATRONI_DENIES(new=job.new, timeline=job.timeline))
    return replace(job, epoch=record.epoch - 1)


class Agreed(PairStep):
    """Patroni sees what the plan saw: nothing has been asked of it yet."""

    place = "Patroni"
    id = StepId.PATRONI_AGREES

    async def run(self, world: World, progress: Progress) -> Statement:
        """Ask it once more."""
        job, moment = self.job, time.time()
        record = await read_ledger(world)
        if record.phase == LEADERLESS and job.phase != LEADERLESS:
            raise StepFailed(Fault.LEADER_LOST())
        if record.phase == LEADERLESS:
            found = in_words(await patroni_of(world, job.new).managed())
            return Done.NOBODY_LEADS(new=job.new, said=found, begun_at=moment)
        if (record.active, record.epoch, str(record.standby)) != (job.old, job.epoch, job.standby):
            raise StepFailed(Fault.LEADS_INSTEAD(leader=record.active, timeline=record.timeline,
                                                 standby=record.standby))
        said = await patroni_of(world, job.new).managed()
        if said.error is not None or said.scheduled is not None:
            why = said.error or Fault.SWITCHOVER_SCHEDULED(at=said.scheduled)
            raise StepFailed(Fault.PATRONI_SAYS(database=job.new, why=why))
        return Done.AGREED(old=job.old, timeline=record.timeline, new=job.new, said=in_words(said), begun_at=moment)


class AskPatroni(PairStep):
    """What changes the roles: asked of Patroni, done by it. It cannot be called back."""

    place = "Patroni"
    limit = 90.0
    undoable = False
    no_return = True
    path: ClassVar[str]

    def body(self) -> Mapping[str, Any]:
        """What is asked for."""
        raise NotImplementedError

    async def run(self, world: World, progress: Progress) -> Statement:
        """Ask, and watch for the new leader: it is there a second before Patroni answers."""
        job = self.job
        if (record := await begun(world, job)) is not None:
            return Done.LEADS_ALREADY(new=job.new, timeline=record.timeline)
        asked = asyncio.create_task(patroni_of(world, job.new).rest.tell(self.path, self.body(), self.limit - 5.0))
        try:
            record = await self._watched(world, asked, progress)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        if record is not None:
            return Done.LEADS(new=job.new, timeline=record.timeline, led_at=time.time())
        raise StepUnknown(Fault.NO_LEADER_IN_TIME(seconds=self.limit, new=job.new))

    async def _watched(self, world: World, asked: asyncio.Task[tuple[int, str]], progress: Progress,
                       ) -> LedgerRecord | None:
        """The new leader's record; None when there is none in time. Raises StepFailed when Patroni refuses."""
        job, found, refused = self.job, None, False

        async def look() -> bool:
            nonlocal found, refused
            refused = asked.done() and asked.exception() is None and asked.result()[0] >= 300
            found = await begun(world, job)
            return found is not None or refused

        await until(look, self.limit - 5.0, _LOOK)
        if found is None and refused:
            await self._refused(world, asked.result()[1])
        return found

    async def _refused(self, world: World, why: str) -> None:
        """Patroni says that it did nothing: servers go on at once. Raises StepFailed, or StepUnknown if it did."""
        record = await read_ledger(world)
        if record.phase != LEADERLESS and record.active != self.job.old:
            raise StepUnknown(Fault.REFUSED_AND_LEADS(why=why, leader=record.active, timeline=record.timeline))
        _, failed = await tell_all(world, self.job.servers, "release", {}, _RELEASE)
        raise StepFailed(Fault.REFUSED_BY_PATRONI(why=why, old=self.job.old, failed=failed))


class AskSwitchover(AskPatroni):
    """POST /switchover: the leader stops cleanly, the one in step takes over."""

    id = StepId.ASK_SWITCHOVER
    path = "/switchover"

    def body(self) -> Mapping[str, Any]:
        """From whom to whom."""
        return {"leader": self.job.old, "candidate": self.job.new}


class AskFailover(AskPatroni):
    """POST /failover: the candidate takes over, whatever has become of the leader."""

    id = StepId.ASK_FAILOVER
    path = "/failover"

    def body(self) -> Mapping[str, Any]:
        """To whom."""
        return {"candidate": self.job.new}


class Follow(Attach):
    """Servers attach to Patroni's leader; the first of them begins the epoch when all have let the old one go."""

    limit = 60.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Tell each, and wait for its lease in the epoch that is the new timeline."""
        return await Attach(await there(world, self.job), self.number).run(world, progress)


class VerifyThere(Verify):
    """Every server by its own word and by the new leader's sessions; none on the old one."""

    async def run(self, world: World, progress: Progress) -> Statement:
        """Ask each server and both databases."""
        return await Verify(await there(world, self.job), self.number).run(world, progress)


class OldFollows(Follows):
    """Patroni makes the former leader the secondary, and commits wait for it again."""

    id = StepId.PATRONI_REJOINS
    limit = 300.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Wait for it; Patroni rewinds or copies as it is set to."""
        name, leader = self.follower, self.leader
        assert world.drivers.ledger is not None

        async def look() -> bool:
            said = in_words(await patroni_of(world, name).managed())
            progress.tell(Doing.SAID_BY_PATRONI(database=name, said=said))
            return await in_step(world, leader) and await streams(world.databases[leader], name)

        if not await until(look, _FOLLOWING, 0.2):
            said = in_words(await patroni_of(world, name).managed())
            raise StepFailed(Fault.NOT_IN_STEP(database=name, leader=leader, seconds=_FOLLOWING, said=said))
        return Done.IN_STEP(database=name, leader=leader)


class OldFollowsIfThere(OldFollows):
    """After a failover the former leader's host may be gone: then that is left for later."""

    id = StepId.PATRONI_REJOINS_IF_THERE

    async def run(self, world: World, progress: Progress) -> Statement:
        """Wait for it, or say why not."""
        said = await patroni_of(world, self.follower).managed()
        if said.error is not None:
            return Done.LEFT_TO_PATRONI(database=self.follower, why=said.error)
        return await super().run(world, progress)


class Reinitialize(PartnerFollows, OldFollows):
    """The partner's data is thrown away and copied from the leader, by Patroni."""

    id = StepId.REINITIALIZE
    limit = 3600.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Ask for it, unless it follows by now; wait until it is in step."""
        if not await streams(world.databases[self.leader], self.follower):
            rest: PatroniRest = patroni_of(world, self.follower).rest
            try:
                status, said = await rest.tell("/reinitialize", {"force": True, "from_leader": True}, 30.0)
            except DriverError as error:
                raise StepUnknown(str(error)) from None
            if status >= 300:
                raise StepFailed(Fault.REINITIALIZE_REFUSED(database=self.follower, why=said))
        return await super().run(world, progress)


async def in_step(world: World, leader: str) -> bool:
    """Whether Patroni counts on the partner of its leader."""
    assert world.drivers.ledger is not None
    try:
        record = await world.drivers.ledger.poll()
    except DriverError:
        return False
    return record.active == leader and record.phase != LEADERLESS and record.standby is Standby.SYNC

"""Steps on the pool servers: hold, let the old database go, attach to the new one, verify."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.drivers.databases.commands import SESSIONS_BY_SERVER
from tuiha.drivers.protocols import AgentError
from tuiha.model.operations.evidence import Back, Doing, Done, Fault, StepId
from tuiha.model.operations.statements import Statement
from tuiha.operate.database.steps.base import PairStep, sql, tell_all
from tuiha.operate.database.steps.roles import pool_users, refuse_if_promoted
from tuiha.operate.plans.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.plans.look import safe
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.leases import MAY_HOLD, boottime, lease_end
from tuiha.pooldb.statements.servers import ADDRESSES

_STEP = 0.01
_AGAIN = 0.1
_ANSWER = 2.0  # seconds a server has for one answer
_ATTACHING = 3.0  # seconds for which it waits for a lease before it says that it has none


class ServerStep(PairStep):
    """A step on all pool servers that take part."""

    @property
    def where(self) -> str:
        """The servers."""
        names = list(self.job.servers)
        return ", ".join(names) if len(names) <= 4 else f"{names[0]}..{names[-1]} ({len(names)})"

    async def joined(self, world: World) -> dict[str, str]:
        """Name and address of the servers that the new primary knows and the plan does not: they joined since."""
        rows = await sql(world.databases[self.job.new], ADDRESSES)
        return {row["name"]: row["address"] for row in rows
                if row["name"] not in self.job.servers and safe(row["address"])}


class HoldStep(ServerStep):
    """Requests queue at the servers, bounded in number and time; nothing reaches the old primary any more."""

    id = StepId.HOLD
    limit = 15.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Hold every server. One that cannot fails the step; a hold ends by itself if nobody ends it."""
        began = time.time()
        seconds = world.pool.hold.seconds
        held, failed = await tell_all(world, self.job.servers, "hold", {"seconds": seconds}, seconds + 1.0)
        if failed:
            raise StepFailed(Fault.NOT_HELD(failed=failed))
        return Done.HELD(servers=len(held), held_at=began)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Release. A server that does not answer releases by itself when its hold ends."""
        released, failed = await tell_all(world, self.job.servers, "release", {}, _ANSWER)
        return Back.RELEASED(servers=len(released), seconds=world.pool.hold.seconds, later=failed)


class LetGo(ServerStep):
    """No server has a lease on the old primary: each one says so, or its lease has ended."""

    id = StepId.LET_GO
    limit = 60.0

    async def run(self, world: World, progress: Progress) -> Statement:
        """Tell all; go on at once when all have confirmed, else when no lease can be left."""
        job = self.job
        began = boottime()
        body = {"epoch": job.epoch, "database": job.new}
        gone, _ = await tell_all(world, job.servers, "attach", body, _ANSWER)
        confirmed = set(await self._without_lease(world, {n: job.servers[n] for n in gone}))
        missing = {name: seconds for name, seconds in (await self._leased(world)).items() if name not in confirmed}
        if not missing:
            return Done.ALL_LET_GO(servers=len(confirmed), old=job.old, epoch=job.epoch)
        longest = max(missing.values())
        end = leases_end(job.memory.cut_at, longest, world.pool.lease.slack, began)
        while (left := end - boottime()) > 0:
            progress.tell(Doing.WAITING_FOR_LEASES(seconds=left, servers=sorted(missing)))
            await asyncio.sleep(min(left, 0.5))
        return Done.LEASES_ENDED(servers=len(confirmed), old=job.old, missing=sorted(missing), seconds=longest)

    async def _without_lease(self, world: World, servers: Mapping[str, str]) -> list[str]:
        """Those that say that they have no lease, or one in a later epoch."""
        async def ask(name: str, address: str) -> str | None:
            try:
                status = await world.control.get(address, "status", seconds=_ANSWER)
            except ControlError:
                return None
            on_old = status["database"] == self.job.old and bool(status["lease_seconds"])
            return None if on_old else name

        found = await asyncio.gather(*(ask(name, address) for name, address in servers.items()))
        return [name for name in found if name is not None]

    async def _leased(self, world: World) -> dict[str, float]:
        """Who may hold a lease, and its seconds, by the new primary: one that counts was there before the cut."""
        lease = world.pool.lease
        rows = await sql(world.databases[self.job.new], MAY_HOLD, self.job.epoch, lease.seconds, lease.slack)
        return {row["server"]: row["seconds"] for row in rows}

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Send them back."""
        await refuse_if_promoted(world, self.job)
        body = {"epoch": self.job.epoch, "database": self.job.old}
        back, failed = await tell_all(world, self.job.servers, "attach", body, _ANSWER)
        return Back.SENT_BACK(servers=len(back), old=self.job.old, failed=failed)


def leases_end(cut_at: float | None, seconds: float, slack: float, now: float) -> float:
    """The boottime after which no lease of so many seconds holds on a primary that was cut off at `cut_at`.

    A resumed runner does not know that moment, nor whether this host slept since: it counts from now.
    """
    return lease_end(now if cut_at is None else cut_at, seconds, slack)


class Attach(ServerStep):
    """Servers attach to the new primary, verify who it is, take leases, and release what waits."""

    id = StepId.ATTACH
    limit = 20.0
    undoable = False

    async def run(self, world: World, progress: Progress) -> Statement:
        """Tell each and wait for its lease. One that is not reached has no lease anywhere, and follows the ledger.

        Raises StepUnknown when servers answer and none has a lease.
        """
        done = await self._told(world, self.job.servers, self.limit / 2)
        if not any(isinstance(found, tuple) or found.answered for found in done.values()):
            done |= await self._told(world, await self.joined(world), self.limit / 4)
        on_new = {name: found for name, found in done.items() if isinstance(found, tuple)}
        missing = {name: found.why for name, found in done.items() if isinstance(found, _NotYet)}
        if any(found.answered for found in done.values() if isinstance(found, _NotYet)) and not on_new:
            raise StepUnknown(Fault.NO_SERVER_YET(new=self.job.new, servers=missing))
        if not on_new:
            return Done.NOBODY_SERVED(new=self.job.new, missing=missing)
        waited = sum(queue for _, queue in on_new.values())
        last = max((moment for moment, _ in on_new.values()), default=time.time())
        return Done.ATTACHED(servers=len(on_new), new=self.job.new, requests=waited, served_at=last, later=missing)

    async def _told(self, world: World, servers: Mapping[str, str], seconds: float) -> dict[str, _Attached]:
        until = time.monotonic() + seconds
        return dict(zip(servers, await asyncio.gather(
            *(self._attach(world, name, address, until) for name, address in servers.items())), strict=True))

    async def _attach(self, world: World, name: str, address: str, until: float) -> _Attached:
        """The moment at which its lease was seen and the requests that waited; or why there is none."""
        job, queue, why, waits, answered = self.job, 0, "no answer", True, False
        body = {"epoch": job.epoch + 1, "database": job.new, "seconds": _ATTACHING}
        while time.monotonic() < until:
            try:
                if waits:
                    status = await world.control.post(address, "attach", body, seconds=_ATTACHING + _ANSWER)
                    waits = "lease_seconds" in status
                    if not waits:  # the version before: it answers at once, holds on, and must not be told again
                        await world.control.post(address, "release", {}, seconds=_ANSWER)
                if not waits:
                    status = await world.control.get(address, "status", seconds=_ANSWER)
            except ControlError as error:
                why, answered = str(error), error.status is not None
                await asyncio.sleep(_AGAIN)
                continue
            answered = True
            queue = max(queue, status["queue"] or 0)
            if (status["database"], status["epoch"]) == (job.new, job.epoch + 1) and status["lease_seconds"]:
                return time.time(), queue
            why = status["reason"] or "no lease yet"
            await asyncio.sleep(_STEP)
        return _NotYet(why, answered)


@dataclass(frozen=True, slots=True)
class _NotYet:
    """A server that has no lease on the new primary."""

    why: str
    answered: bool  # it could be asked


_Attached = tuple[float, int] | _NotYet  # when its lease was seen, and the requests that waited


class Verify(ServerStep):
    """Every server by its own word and by the new primary's sessions; none on the old one."""

    id = StepId.VERIFY
    limit = 15.0
    undoable = False

    async def run(self, world: World, progress: Progress) -> Statement:
        """Ask each server and both databases until they agree; a server may be about to take its lease again."""
        give_up = time.monotonic() + self.limit - 2 * _ANSWER - 1.0
        while True:
            try:
                return await self._verified(world)
            except StepFailed:
                if time.monotonic() > give_up:
                    raise
            await asyncio.sleep(_AGAIN)

    async def _verified(self, world: World) -> Statement:
        """What all say. Raises StepFailed when they do not agree."""
        job = self.job
        said, silent = await self._said(world)
        wrong = {name: Fault.ON(where=where) for name, where in said.items() if where != job.new}
        if wrong:
            raise StepFailed(Fault.NOT_ON(new=job.new, servers=wrong))
        rows = await sql(world.databases[job.new], SESSIONS_BY_SERVER, pool_users(world))
        sessions = {row["server"]: row["sessions"] for row in rows}
        unseen = [name for name in said if name not in sessions]
        if unseen:
            raise StepFailed(Fault.NO_SESSION(new=job.new, servers=unseen))
        return Done.VERIFIED(new=job.new, sessions={name: sessions[name] for name in said}, old=await self._old(world),
                             silent=silent)

    async def _said(self, world: World) -> tuple[dict[str, Statement | str], dict[str, Statement | str]]:
        """Name -> database with a lease in the new epoch (else a few words), and who does not answer."""
        async def ask(name: str, address: str) -> tuple[str, Statement | str, bool]:
            try:
                status = await world.control.get(address, "status", seconds=_ANSWER)
            except ControlError as error:
                return name, str(error), False
            return name, self._where(status), True

        found = await asyncio.gather(*(ask(name, address) for name, address in self.job.servers.items()))
        if not any(good for _, _, good in found):
            found += await asyncio.gather(*(ask(name, address) for name, address in (await self.joined(world)).items()))
        return {n: said for n, said, good in found if good}, {n: said for n, said, good in found if not good}

    def _where(self, status: Mapping[str, Any]) -> Statement | str:
        if status["epoch"] != self.job.epoch + 1 or not status["lease_seconds"]:
            lease = status["lease_seconds"] or 0.0
            return Fault.SAYS(database=status["database"], epoch=status["epoch"], lease=lease)
        return str(status["database"])

    async def _old(self, world: World) -> Statement:
        """That the old primary has no session of the pool. Raises StepFailed when it has."""
        old = self.job.old
        try:
            rows = await world.databases[old].fetch(SESSIONS_BY_SERVER, pool_users(world), seconds=1.0)
        except (DatabaseGone, DatabaseError):
            return await _stopped(world, old)
        # A server that looks for its database may knock there; without a lease it does nothing.
        visits = [row["server"] for row in rows]
        return Done.OLD_VISITS(old=old, servers=visits) if visits else Done.OLD_EMPTY(old=old)


async def _stopped(world: World, name: str) -> Statement:
    """In words, whether a database that does not answer is known to be stopped."""
    agent = world.agents.get(name)
    if agent is None:
        return Done.OLD_SILENT(old=name)
    try:
        await agent.position()
    except AgentError:
        return Done.OLD_SILENT(old=name)
    return Done.OLD_STOPPED(old=name)

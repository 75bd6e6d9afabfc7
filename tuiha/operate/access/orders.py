"""Orders on who may come in: given to any server that lives, read back from the database, and then from all servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.facts import ServerFacts, Snapshot
from tuiha.model.operations.evidence import Back, Doing, Done, Fault
from tuiha.model.operations.statements import Statement
from tuiha.operate.mail import service
from tuiha.operate.plans.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.plans.look import answering, look
from tuiha.operate.plans.plan import PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World
from tuiha.operate.users import common
from tuiha.pooldb.leases import MAY_HOLD
from tuiha.pooldb.statements.access import ACCESS_NUMBER, COUNT_USER, IS_DISABLED_BY_ID
from tuiha.pooldb.statements.epochs import EPOCH_NUMBER

REASON = 256  # characters of a reason that a server accepts; the operation's journal has all of it
_ANSWER = 12.0  # seconds: a server may hold the order while the pool changes its database
_SAID = 5.0  # seconds that a server may take to say what it has seen
_PATIENCE = 10.0  # seconds that a database is looked for
_REFUSED = frozenset({400, 401, 403, 404, 409})  # answers that repeating the same order does not change
_AGAIN = 0.5  # seconds until a part is asked for again; the step's limit ends it
_LOOK = 2.0  # seconds until those who have not said that they saw it are looked for again


@dataclass(frozen=True, slots=True)
class AccessOrder:
    """What a server is told, and how its effect is read in the database."""

    path: str
    body: Mapping[str, Any]
    statement: str  # reads one truth value
    arguments: tuple[Any, ...]
    wanted: bool
    evidence: Statement


def users_disabled(user: str, user_id: int, reason: str) -> tuple[AccessOrder, AccessOrder]:
    """The order to disable a user, and the one to enable it."""
    who = {"user": user, "user_id": user_id}
    state = (IS_DISABLED_BY_ID, (user_id,))
    return (
        AccessOrder("users/disable", who | {"reason": reason[:REASON]}, *state, True, Done.DISABLED(user=user)),
        AccessOrder("users/enable", who, *state, False, Done.ENABLED(user=user)),
    )


Failures = list[tuple[str, ControlError]]


async def _tell(
    world: World, tellers: Iterable[ServerFacts], path: str, body: Mapping[str, Any]
) -> tuple[Any, Failures]:
    """The answer of the first server that gives one, and what the others before it said."""
    failures: Failures = []
    for teller in tellers:
        try:
            return await world.control.post(teller.address, path, body, seconds=_ANSWER), failures
        except ControlError as error:
            failures.append((teller.name, error))
    return None, failures


def _why(failures: Failures) -> Statement:
    return Fault.NO_TELLER_TOLD(failures={name: str(error) for name, error in failures})


async def give(world: World, order: AccessOrder) -> Statement:
    """Give an order and read its effect back. Raises StepFailed when it was refused, else StepUnknown."""
    _, failures = await _tell(world, service.tellers(await look(world)), order.path, order.body)
    found = await Active(world).value(order.statement, *order.arguments, patience=_PATIENCE)
    if found is order.wanted:
        return Done.BY_ROW(what=order.evidence)
    if found is None or all(error.status is not None for _, error in failures):
        raise StepFailed(_why(failures))
    raise StepUnknown(_why(failures))


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One order; undone by the opposite one, which all servers have seen then too."""

    planned: PlannedStep
    order: AccessOrder
    back: AccessOrder | None  # None: what it orders was so before

    async def run(self, world: World, progress: Progress) -> Statement:
        """Give the order. Raises StepFailed, StepUnknown."""
        return await give(world, self.order)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Give the opposite one. Raises StepFailed, StepUnknown."""
        if self.back is None:
            return Back.WAS_SO()
        said = await give(world, self.back)
        seen = await seen_by_all(world, progress, self.back.body["user_id"], 10.0)
        return Back.ORDERED(said=said, seen=seen)


@dataclass(frozen=True, slots=True)
class SeenStep:
    """Every server that may serve has seen the last announcement about a user, and acts on it."""

    planned: PlannedStep
    user_id: int
    alone: bool = False  # no poll of the user may wait either

    async def run(self, world: World, progress: Progress) -> Statement:
        """Ask until all have. Raises StepUnknown, naming those that did not say so."""
        return await seen_by_all(world, progress, self.user_id, self.planned.limit_seconds - 5.0, alone=self.alone)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Nothing was changed."""
        return Back.NOTHING_CHANGED()


async def seen_by_all(
    world: World, progress: Progress, user_id: int, seconds: float, *, alone: bool = False
) -> Statement:
    """Ask every server that answers, until all have seen it and nobody else can have a lease.

    Raises StepUnknown: a server with a lease that does not answer may not have seen it.
    """
    active, lease = Active(world), world.pool.lease
    number = int(await active.value(ACCESS_NUMBER, user_id, patience=_PATIENCE))
    servers, looked = answering(await look(world)), time.monotonic()

    async def read() -> tuple[bool, Statement]:
        nonlocal servers, looked
        if time.monotonic() - looked > _LOOK:
            servers, looked = answering(await look(world)), time.monotonic()
        said = await asyncio.gather(*(_said(world, server, user_id) for server in servers.values()))
        told = dict(zip(servers, said, strict=True))
        seen = [name for name, (reached, _) in told.items() if reached >= number]
        polls = sum(waiting for _, waiting in told.values())
        epoch = await active.value(EPOCH_NUMBER, patience=_PATIENCE)
        leased = {row["server"] for row in await active.rows(MAY_HOLD, epoch, lease.seconds, lease.slack)}
        missing = sorted((set(servers) | leased) - set(seen))
        progress.tell(Doing.SEEN(servers=len(seen), missing=missing))
        if missing:
            return False, Fault.NOT_SEEN(servers=missing)
        return not (alone and polls), Done.SEEN(servers=seen, number=number, polls=polls if alone else None)

    good, found = await common.settled(read, seconds, 0.1)
    if not good:
        raise StepUnknown(Fault.NOT_SEEN_IN_TIME(found=found))
    return found


async def _said(world: World, server: ServerFacts, user_id: int) -> tuple[int, int]:
    """The last announcement that a server has seen, -1 without an answer, and the user's polls that wait there."""
    try:
        told = await world.control.get(server.address, f"access?user_id={user_id}", seconds=_SAID)
        return int(told["number"]), int(told["waiting"])
    except (ControlError, KeyError, TypeError, ValueError):
        return -1, 0


async def unaware(world: World, snapshot: Snapshot) -> list[str]:
    """The servers that answer and know nothing of announcements: they are of an earlier version."""

    async def one(server: ServerFacts) -> bool:
        try:
            await world.control.get(server.address, "access")
        except ControlError as error:
            return error.status == 404
        return False

    servers = answering(snapshot)
    old = await asyncio.gather(*(one(server) for server in servers.values()))
    return [name for name, is_old in zip(servers, old, strict=True) if is_old]


@dataclass(frozen=True, slots=True)
class ForgetUserStep:
    """A user's history is deleted in parts, and the user with the last one."""

    planned: PlannedStep
    user: str
    user_id: int
    changes: int  # when it was planned

    async def run(self, world: World, progress: Progress) -> Statement:
        """Delete until the user is gone, also for all that a killed runner left. Raises StepFailed, StepUnknown."""
        deleted, gone, body = 0, False, {"user": self.user, "user_id": self.user_id}
        tellers = service.tellers(await look(world))
        while not gone:
            told, failures = await _tell(world, tellers, "users/forget", body)
            if told is None:
                tellers = await self._others(world, failures)
                continue
            deleted, gone = deleted + told["deleted"], told["gone"]
            of = max(self.changes, deleted)
            progress.tell(Doing.DELETING(deleted=deleted, changes=of), deleted, of)
        if await Active(world).value(COUNT_USER, self.user_id, patience=_PATIENCE):
            raise StepFailed(Fault.STILL_THERE(user=self.user))
        return Done.FORGOTTEN(user=self.user, changes=deleted)

    async def _others(self, world: World, failures: Failures) -> list[ServerFacts]:
        """The servers that can be told now that those of before could not. Raises StepFailed when all refused."""
        if failures and all(error.status in _REFUSED for _, error in failures):
            raise StepFailed(_why(failures))
        await asyncio.sleep(_AGAIN)
        return service.tellers(await look(world))

    async def undo(self, world: World, progress: Progress) -> Statement:
        """There is no way back."""
        return Back.GONE_FOR_GOOD()

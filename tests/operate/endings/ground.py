"""Operations on a real pool that are killed in a step, cut off from one server, and resumed with another one dead.

Every one of them has to end, done or taken back, as soon as the network is whole again; and until then whoever looks
has to be told how it stands and what can be done.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from unittest import mock
from urllib.parse import urlsplit

from tests.operate.access.devices import Phone, passwords, phones
from tests.operate.endings import mortal
from tests.operate.pools import bind, names
from tests.until import until
from tuiha.cli.commands.look.status import code
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.operations.intent import Condition
from tuiha.model.problems.operation import running
from tuiha.operate import api
from tuiha.operate.plans.look import answering, look
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.records.state import OperationState
from tuiha.operate.run import launch
from tuiha.watch.once import look_once
from tuiha.words.next import command

RUNNER = (sys.executable, "-m", "tests.operate.endings.mortal")
CUT_OFF, DEAD = "s2", "s3"  # the server that the runner does not reach, and the one that dies
# Reached only by a runner that reaches every server: it is cut off when it is resumed.
BEYOND = frozenset({("forget-user", 3), ("forget-user", 4)})
SOON = 240.0  # seconds: for one run of an operation on a busy machine


@dataclass
class Ending:
    """What came of one operation that was killed in one step."""

    kind: str
    step: int
    told: bool = False  # status said that it was interrupted, with exit code 1, its step and a way out
    cut: str = ""  # what it was after it was resumed while it was still cut off
    whole: str = ""  # and after it was resumed with the network whole
    settled: bool = False
    free: bool = False  # the ledger names no operation any more
    steps: list[str] = field(default_factory=list)

    @property
    def stuck(self) -> bool:
        """Whether it did not end."""
        return not (self.settled and self.free)


class Ground:
    """One pool, and operations in it."""

    def __init__(self, pool: EmbeddedPool, world: World) -> None:
        self.pool, self.world = pool, world
        self.base, self.config = pool.folder, pool.config_path
        self.users = names(pool)

    @property
    def settings(self) -> Pool:
        """As it is configured."""
        return load(self.config)

    async def prepared(self) -> None:
        """All servers answer, take users, have some, and mail1 is in service; nobody is disabled or refused."""
        for name in ("s1", CUT_OFF, DEAD):
            if name not in answering(await look(self.world)):
                await self.pool.start(name)
        await until(self._whole, seconds=SOON)
        for server in answering(await look(self.world)).values():
            await self.world.control.post(server.address, "accept")
        await until(self._spread, seconds=SOON)

    async def _spread(self) -> bool:
        """Bind users to all three servers; False while servers take users over at the same time.

        The first user may be disabled: no server monitors it.
        """
        users = self.users[1:]
        try:
            await bind(self.world, dict(zip(users, [DEAD, "s1", CUT_OFF] * len(users), strict=False)))
        except ControlError:
            return False
        return True

    async def _whole(self) -> bool:
        servers = answering(await look(self.world))
        return len(servers) == 3 and all(server.lease_seconds for server in servers.values())

    @property
    def operator(self) -> api.Operator:
        """Who operates."""
        return api.Operator(self.settings, self.base, self.config, "ada")

    async def planned(self, kind: str, *target: str, **options: str) -> Plan:
        """A plan, whatever it would have to override."""
        return await self.operator.plan(kind, target, options)

    async def end(self, operation: str) -> OperationState:
        """Follow it to its end, however it is."""
        async with asyncio.timeout(SOON):
            return [state async for state in self.operator.follow(operation)][-1]

    async def applied(self, plan: Plan) -> str:
        """Begin it."""
        overrides = [check.name for check in plan.stopped_by]
        return await self.operator.apply(plan, plan.confirm, "a test", overrides)

    async def done(self, kind: str, *target: str, **options: str) -> None:
        """Carry one out as it is, to make ready for another."""
        state = await self.end(await self.applied(await self.planned(kind, *target, **options)))
        assert state.state == "done", state.text

    async def ended(self, plan: Plan, step: int) -> Ending:
        """Kill it in that step while it is cut off from a server; kill another server; resume until it has ended."""
        ending = Ending(plan.kind, step)
        port = urlsplit(answering(await look(self.world))[CUT_OFF].address).port
        with Runners(dies=step, cut=None if (plan.kind, step) in BEYOND else port):
            operation = await self.applied(plan)
            state = await self.end(operation)
        if state.interrupted:
            ending.told = await self._told(operation)
            await self.pool.kill(DEAD)
            with Runners(cut=port):
                await self.operator.resume(operation)
                state = await self.end(operation)
        ending.cut = state.state
        if not state.settled:
            ending.told = ending.told and await self._told(operation)
            with Runners():
                await self.operator.resume(operation)
                state = await self.end(operation)
        ending.whole, ending.settled = state.state, state.settled
        ending.steps = [f"{one.planned.number} {one.state}: {one.evidence}" for one in state.steps]
        ledger = self.world.drivers.ledger
        assert ledger is not None
        ending.free = (await ledger.poll()).intent is None
        return ending

    async def _told(self, operation: str) -> bool:
        """Whether a look says that it has stopped, where, and what ends it."""
        give_up = time.monotonic() + SOON
        while time.monotonic() < give_up:
            snapshot = await look_once(self.settings, self.base)
            found = running(snapshot)
            if found is not None and found.condition is not Condition.RUNNING:
                out = [problem for problem in snapshot.problems if command(problem.next) == f"tuiha resume {operation}"]
                return found.id == operation and code(snapshot) == 1 and bool(out)
            await asyncio.sleep(0.5)
        return False


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """A pool of three servers with some users."""
    async with EmbeddedPool(servers=3, users=18, load=False) as pool, \
            open_world(load(pool.config_path), pool.folder) as world:
        with mock.patch.object(launch, "RUNNER", RUNNER), mock.patch("tuiha.model.operations.intent.SILENCE", 3.0):
            yield Ground(pool, world)


class Runners:
    """How runners that are started meanwhile behave."""

    def __init__(self, *, dies: int | None = None, cut: int | None = None) -> None:
        self._told = {mortal.DIES: dies, mortal.CUT: cut}

    def __enter__(self) -> None:
        for name, value in self._told.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = str(value)

    def __exit__(self, *_: object) -> None:
        for name in self._told:
            os.environ.pop(name, None)


async def _with_device(on: Ground, user: str) -> None:
    async with phones(on.world) as (session, addresses):
        await Phone(session, addresses, user, passwords(on.pool)[user], "phone").register("s1")


async def _in_service(on: Ground) -> bool:
    return bool(await Active(on.world).value("SELECT in_service FROM mail_server WHERE name = 'mail1'"))


async def _disabled(on: Ground) -> bool:
    return bool(await Active(on.world).value("SELECT disabled_at IS NOT NULL FROM app_user WHERE name = $1",
                                             on.users[0]))


async def _disable(on: Ground) -> Plan:
    return await on.planned("disable-user", on.users[0])


async def _enable_user(on: Ground) -> Plan:
    if not await _disabled(on):
        await on.done("disable-user", on.users[0])
    return await on.planned("enable-user", on.users[0])


async def _forget(on: Ground) -> Plan:
    return await on.planned("forget-user", on.users.pop())


async def _revoke(on: Ground) -> Plan:
    user = on.users.pop()
    await _with_device(on, user)
    return await on.planned("revoke-device", user, "phone")


async def _allow(on: Ground) -> Plan:
    user = on.users.pop()
    await _with_device(on, user)
    await on.done("revoke-device", user, "phone")
    return await on.planned("allow-device", user, "phone")


async def _move(on: Ground) -> Plan:
    return await on.planned("move", on.users[2], DEAD)


async def _rebalance(on: Ground) -> Plan:
    await bind(on.world, dict.fromkeys(on.users[1:], "s1"))
    before, plan = "", await on.planned("rebalance", trigger="0", band="0", rate="0")
    while plan.id != before:  # until every heartbeat has said how full its server is now
        await asyncio.sleep(2.0)
        before, plan = plan.id, await on.planned("rebalance", trigger="0", band="0", rate="0")
    return plan


async def _drain(on: Ground) -> Plan:
    return await on.planned("drain", DEAD, rate="0")


async def _enable(on: Ground) -> Plan:
    await on.done("drain", DEAD, rate="0")
    return await on.planned("enable", DEAD)


async def _failover_mail(on: Ground) -> Plan:
    return await on.planned("failover-mail", "mail1")


async def _return_mail(on: Ground) -> Plan:
    if await _in_service(on):
        await on.done("failover-mail", "mail1")
    return await on.planned("return-mail", "mail1")


PLANS: Mapping[str, tuple[Callable[[Ground], Awaitable[Plan]], int]] = {  # kind -> its plan, and how many steps it has
    "move": (_move, 1), "rebalance": (_rebalance, 2), "drain": (_drain, 5), "enable": (_enable, 2),
    "failover-mail": (_failover_mail, 2), "return-mail": (_return_mail, 2), "disable-user": (_disable, 2),
    "enable-user": (_enable_user, 2), "revoke-device": (_revoke, 2), "allow-device": (_allow, 2),
    "forget-user": (_forget, 4),
}


async def one(on: Ground, kind: str, step: int) -> Ending:
    """Prepare, plan, kill in that step, and bring it to its end."""
    await on.prepared()
    if kind == "failover-mail" and not await _in_service(on):
        await on.done("return-mail", "mail1")
    if kind == "disable-user" and await _disabled(on):
        await on.done("enable-user", on.users[0])
    return await on.ended(await PLANS[kind][0](on), step)

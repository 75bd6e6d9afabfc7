"""Pool servers in the sprayers: out of them without cutting anybody off, and in again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers.haproxy import ADMIN, Haproxy
from tuiha.model.operations.evidence import Back, Doing, Done, Fault
from tuiha.model.operations.judgements import NO_ANSWER, Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId
from tuiha.model.operations.statements import Statement, plain
from tuiha.model.reports import BackendReport, BackendState
from tuiha.operate.plans.kinds import Progress, StepFailed
from tuiha.operate.plans.plan import Check, PlannedStep
from tuiha.operate.reach.world import World
from tuiha.operate.users import common

_Order = Callable[[Haproxy, str], Awaitable[None]]
_TIMEOUT = 3.0  # seconds, of one sprayer
_IDLE = 70.0  # seconds until what a sprayer still sends to a drained server has ended; a long poll lasts 55


Backends = Mapping[str, BackendReport]  # by pool server, those of them that were asked about
Seen = Mapping[str, "Backends | str"]  # by sprayer: how it sees them, or why it could not be asked


async def seen(world: World, servers: Collection[str]) -> dict[str, Backends | str]:
    """Sprayer -> how it sees these servers, those that it has; a text when the sprayer does not answer."""

    async def one(name: str) -> Backends | str:
        try:
            async with asyncio.timeout(_TIMEOUT):
                report = await world.drivers.sprayers[name].poll()
        except TimeoutError:
            return "no answer"
        except DriverError as error:
            return str(error)
        return {backend.server: backend for backend in report.backends if backend.server in servers}

    found = await asyncio.gather(*(one(name) for name in world.drivers.sprayers))
    return dict(zip(world.drivers.sprayers, found, strict=True))


def away(found: Seen) -> list[str]:
    """The sprayers that do not answer."""
    return [name for name, told in found.items() if isinstance(told, str)]


async def steerable(world: World, found: Seen) -> list[Check]:
    """For each sprayer that answers: may it be steered from here? Its runtime socket is asked for its level."""

    async def one(name: str) -> Check:
        sprayer = world.drivers.sprayers[name]
        if not isinstance(sprayer, Haproxy):
            return common.check(CheckId.STEERABLE, name, False, Found.ONLY_LOOKS(), Wanted.STEERABLE(), common.NEVER,
                                Mend.STEER_BY_HAND())
        try:
            async with asyncio.timeout(_TIMEOUT):
                level = await sprayer.level()
        except (TimeoutError, DriverError) as error:
            return common.check(CheckId.STEERABLE, name, False, str(error) or NO_ANSWER, Wanted.LEVEL_ADMIN(),
                                common.NEVER, Mend.SOCKET_OF_LEVEL_ADMIN())
        return common.check(CheckId.STEERABLE, name, level == ADMIN, Found.LEVEL(level=level), Wanted.LEVEL_ADMIN(),
                            common.NEVER, Mend.SOCKET_OF_LEVEL_ADMIN())

    return list(await asyncio.gather(*(one(name) for name in found if name not in away(found))))


def reachable(found: Seen) -> Check:
    """The check that all sprayers answer."""
    missing = {name: told for name, told in found.items() if isinstance(told, str)}
    return common.check(CheckId.SPRAYERS, "sprayers", not missing, Found.SPRAYERS(missing=missing, all=len(found)),
                        Wanted.ALL_SPRAYERS(), common.BAD, Mend.GO_ON_WITHOUT())


def view(found: Seen) -> Statement:
    """How the sprayers see the servers, as evidence."""
    return Done.SPRAYERS(sprayers={name: _view(told) for name, told in found.items()})


def _view(told: Backends | str) -> Statement:
    if isinstance(told, str):
        return plain(told)
    return Done.BACKENDS(servers={server: Done.BACKEND(state=backend.state, sessions=backend.sessions)
                                  for server, backend in told.items()})


def _backends(found: Seen) -> list[BackendReport]:
    return [backend for told in found.values() if not isinstance(told, str) for backend in told.values()]


@dataclass(frozen=True, slots=True)
class OutStep:
    """New users go elsewhere. Health checks rest meanwhile: a server that takes nobody answers 503 to them, and the
    sprayer would cut off whoever is still there.
    """

    planned: PlannedStep
    servers: tuple[str, ...]
    skipped: frozenset[str]  # sprayers that did not answer when this was planned

    async def run(self, world: World, progress: Progress) -> Statement:
        """Drain in every sprayer. Raises StepFailed."""
        await _each(world, self.servers, self.skipped, _out)

        async def read() -> tuple[bool, Statement]:
            found = await seen(world, self.servers)
            return all(backend.state is not BackendState.UP for backend in _backends(found)), view(found)

        good, said = await common.settled(read, 5.0)
        if not good:
            raise StepFailed(Fault.STILL_GIVES(view=said))
        return said

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Let them have users again."""
        await _each(world, self.servers, self.skipped, _in)
        return _undone(await seen(world, self.servers))


@dataclass(frozen=True, slots=True)
class QuietStep:
    """Wait until no device is connected through a sprayer any more; then its health is checked again."""

    planned: PlannedStep
    servers: tuple[str, ...]
    skipped: frozenset[str]

    async def run(self, world: World, progress: Progress) -> Statement:
        """Wait, at most a long poll's time. Devices that stay longer are cut off by the server's stop, not by this."""

        async def read() -> tuple[bool, Statement]:
            found = await seen(world, self.servers)
            sessions = sum(backend.sessions for backend in _backends(found))
            progress.tell(Doing.SESSIONS(sessions=sessions))
            return sessions == 0, view(found)

        good, said = await common.settled(read, _IDLE, 0.3)
        if not good:
            return Done.SESSIONS_END(view=said)
        await _each(world, self.servers, self.skipped, _checked)
        return said

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Nothing but health checks was changed, and these belong to the step that drained."""
        return Back.NOTHING_UNDONE()


@dataclass(frozen=True, slots=True)
class InStep:
    """Sprayers give these servers users again."""

    planned: PlannedStep
    servers: tuple[str, ...]
    skipped: frozenset[str]

    async def run(self, world: World, progress: Progress) -> Statement:
        """Make each ready in every sprayer. Raises StepFailed when one does not find it healthy."""
        await _each(world, self.servers, self.skipped, _in)

        async def read() -> tuple[bool, Statement]:
            found = await seen(world, self.servers)
            return all(backend.state is BackendState.UP for backend in _backends(found)), view(found)

        good, said = await common.settled(read, 10.0)
        if not good:
            raise StepFailed(Fault.NOT_HEALTHY(view=said))
        return said

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Take them out again."""
        await _each(world, self.servers, self.skipped, _out)
        return _undone(await seen(world, self.servers))


def _undone(found: Seen) -> Statement:
    """How the sprayers see servers after an undo; one that does not answer may keep what it was told."""
    silent = any(isinstance(told, str) for told in found.values())
    return Back.SPRAYERS_SILENT(view=view(found)) if silent else view(found)


async def _out(sprayer: Haproxy, server: str) -> None:
    await sprayer.set_checks(server, False)
    await sprayer.set_state(server, "drain")


async def _in(sprayer: Haproxy, server: str) -> None:
    await sprayer.set_checks(server, True)
    await sprayer.set_state(server, "ready")


async def _checked(sprayer: Haproxy, server: str) -> None:
    await sprayer.set_checks(server, True)


async def _each(world: World, servers: Sequence[str], skipped: frozenset[str], order: _Order) -> None:
    """Give every sprayer that answers an order for each of these servers that it has. Raises StepFailed.

    One that has stopped to answer since the plan is passed over, and the evidence says so: its health checks follow
    what the server itself says, and one that is started again begins as it is configured.
    """
    found = await seen(world, servers)
    if found and all(isinstance(told, str) and name not in skipped for name, told in found.items()):
        raise StepFailed(Fault.NO_SPRAYER(view=view(found)))
    for name, sprayer in world.drivers.sprayers.items():
        told = found[name]
        if isinstance(told, str):
            continue
        if not isinstance(sprayer, Haproxy):
            raise StepFailed(Fault.NOT_STEERABLE(sprayer=name))
        for server in told:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await order(sprayer, server)
            except (TimeoutError, DriverError) as error:
                raise StepFailed(Fault.SPRAYER(name=name, why=str(error) or None)) from error

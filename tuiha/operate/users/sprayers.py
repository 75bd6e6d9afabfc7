"""A pool server in the sprayers: out of them without cutting anybody off, and in again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.model.reports import BackendReport, BackendState
from tuiha.operate.kinds import Progress, Remains, StepFailed
from tuiha.operate.plan import Check, PlannedStep
from tuiha.operate.users import common
from tuiha.operate.world import World

_Order = Callable[[Haproxy, str], Awaitable[None]]
_TIMEOUT = 3.0  # seconds, of one sprayer
_IDLE = 70.0  # seconds until what a sprayer still sends to a drained server has ended; a long poll lasts 55


async def seen(world: World, server: str) -> dict[str, BackendReport | str | None]:
    """Sprayer -> how it sees a server: None when it does not have it, a text when the sprayer does not answer."""

    async def one(name: str) -> BackendReport | str | None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                report = await world.drivers.sprayers[name].poll()
        except TimeoutError:
            return "no answer"
        except DriverError as error:
            return str(error)
        return next((backend for backend in report.backends if backend.server == server), None)

    found = await asyncio.gather(*(one(name) for name in world.drivers.sprayers))
    return dict(zip(world.drivers.sprayers, found, strict=True))


def reachable(found: Mapping[str, BackendReport | str | None]) -> Check:
    """The check that all sprayers answer."""
    away = [f"{name}: {told}" for name, told in found.items() if isinstance(told, str)]
    return common.check(
        "sprayers", "sprayers", not away, "; ".join(away) or f"{len(found)} of {len(found)} answer", "all answer",
        common.BAD, "start it, or go on without it: a server that takes nobody answers 503 to its health check",
    )


def words(found: Mapping[str, BackendReport | str | None]) -> str:
    """How the sprayers see a server, as evidence."""
    return ", ".join(
        f"{name}: {told.state}, {told.sessions} sessions" if isinstance(told, BackendReport)
        else f"{name}: {told or 'does not have it'}"
        for name, told in found.items()
    ) or "no sprayer is configured"


@dataclass(frozen=True, slots=True)
class OutStep:
    """New users go elsewhere. Health checks rest meanwhile: a server that takes nobody answers 503 to them, and the
    sprayer would cut off whoever is still there.
    """

    planned: PlannedStep
    server: str
    skipped: frozenset[str]  # sprayers that did not answer when this was planned

    async def run(self, world: World, progress: Progress) -> str:
        """Drain in every sprayer. Raises StepFailed."""
        await _each(world, self.server, self.skipped, _out)

        async def read() -> tuple[bool, str]:
            found = await seen(world, self.server)
            return not any(isinstance(b, BackendReport) and b.state is BackendState.UP for b in found.values()), \
                words(found)

        good, text = await common.settled(read, 5.0)
        if not good:
            raise StepFailed(f"a sprayer still gives it users: {text}")
        return text

    async def undo(self, world: World, progress: Progress) -> str:
        """Let it have users again."""
        await _each(world, self.server, self.skipped, _in)
        return _undone(await seen(world, self.server))


@dataclass(frozen=True, slots=True)
class QuietStep:
    """Wait until no device is connected through a sprayer any more; then its health is checked again."""

    planned: PlannedStep
    server: str
    skipped: frozenset[str]

    async def run(self, world: World, progress: Progress) -> str:
        """Wait, at most a long poll's time. Devices that stay longer are cut off by the server's stop, not by this."""

        async def read() -> tuple[bool, str]:
            found = await seen(world, self.server)
            sessions = sum(b.sessions for b in found.values() if isinstance(b, BackendReport))
            progress.tell(f"{sessions} sessions left")
            return sessions == 0, words(found)

        good, text = await common.settled(read, _IDLE, 0.3)
        if not good:
            return f"{text}: these end with their requests; health checks rest until `enable`"
        await _each(world, self.server, self.skipped, _checked)
        return text

    async def undo(self, world: World, progress: Progress) -> str:
        """Nothing but health checks was changed, and these belong to the step that drained."""
        return "nothing to undo"


@dataclass(frozen=True, slots=True)
class InStep:
    """Sprayers give it users again."""

    planned: PlannedStep
    server: str
    skipped: frozenset[str]

    async def run(self, world: World, progress: Progress) -> str:
        """Make it ready in every sprayer. Raises StepFailed when one does not find it healthy."""
        await _each(world, self.server, self.skipped, _in)

        async def read() -> tuple[bool, str]:
            found = await seen(world, self.server)
            return all(b.state is BackendState.UP for b in found.values() if isinstance(b, BackendReport)), words(found)

        good, text = await common.settled(read, 10.0)
        if not good:
            raise StepFailed(f"a sprayer does not find it healthy: {text}")
        return text

    async def undo(self, world: World, progress: Progress) -> str:
        """Take it out again."""
        await _each(world, self.server, self.skipped, _out)
        return _undone(await seen(world, self.server))


def _undone(found: Mapping[str, BackendReport | str | None]) -> str:
    """How the sprayers see a server after an undo; one that does not answer may keep what it was told."""
    return Remains(words(found)) if any(isinstance(told, str) for told in found.values()) else words(found)


async def _out(sprayer: Haproxy, server: str) -> None:
    await sprayer.set_checks(server, False)
    await sprayer.set_state(server, "drain")


async def _in(sprayer: Haproxy, server: str) -> None:
    await sprayer.set_checks(server, True)
    await sprayer.set_state(server, "ready")


async def _checked(sprayer: Haproxy, server: str) -> None:
    await sprayer.set_checks(server, True)


async def _each(world: World, server: str, skipped: frozenset[str], order: _Order) -> None:
    """Give every sprayer that answers and has the server an order. Raises StepFailed.

    One that has stopped to answer since the plan is passed over, and the evidence says so: its health checks follow
    what the server itself says, and one that is started again begins as it is configured.
    """
    found = await seen(world, server)
    if found and all(isinstance(told, str) and name not in skipped for name, told in found.items()):
        raise StepFailed(f"no sprayer answers: {words(found)}")
    for name, sprayer in world.drivers.sprayers.items():
        told = found[name]
        if told is None or isinstance(told, str):
            continue
        if not isinstance(sprayer, Haproxy):
            raise StepFailed(f"{name} cannot be steered by its driver")
        try:
            async with asyncio.timeout(_TIMEOUT):
                await order(sprayer, server)
        except (TimeoutError, DriverError) as error:
            raise StepFailed(f"{name}: {str(error) or 'no answer'}") from error

"""What the coordinator reaches a pretended pool through, in place of sockets: control, drivers and agents.

The handlers of the control interface are the pool server's own; only HTTP is left out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

from tests.proof.operations.ground import Ground
from tests.proof.operations.lives import LIFE
from tests.proof.operations.postgres import NAMES, Node
from tests.proof.operations.sessions import followers
from tests.proof.parties import Server
from tests.proof.virtual import PROCESS
from tests.proof.world import IDENTIFIER
from tuiha.config.settings import Pool
from tuiha.drivers.factory import Drivers
from tuiha.drivers.protocols import AgentError, DriverError, Stopped
from tuiha.model.reports import (
    DatabaseReport,
    DatabaseRole,
    EpochRow,
    EpochState,
    MemberRow,
    ServerReport,
    ServerState,
    ServerTarget,
)
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import Coordinator
from tuiha.operate.reach.world import World
from tuiha.server.control.api import Control
from tuiha.server.http.problems import HttpProblem


class Member:
    """A pool server as others reach it."""

    def __init__(self, server: Server, address: str) -> None:
        self.server, self.address, self.name = server, address, server.process.name
        nothing: Any = None
        self._control = Control(tokens=nothing, report=self.report, gate=server.gate, attacher=server.attacher,
                                membership=nothing, bindings=nothing, monitors=nothing,
                                look_at=server.attacher.look_at, kept=nothing)
        self.handlers: Mapping[str, Callable[[Any], Awaitable[Any]]] = {
            "status": self._control.status, "hold": self._control.hold, "release": self._control.release,
            "attach": self._control.attach, "probe": self._control.probe,
            "ready": self._control.ready,
        }

    def report(self) -> ServerReport:
        """What the server's own report says of its database, by the server's own clock."""
        context = copy_context()
        context.run(PROCESS.set, self.server.process)
        return context.run(self._report)

    def _report(self) -> ServerReport:
        gate = self.server.gate
        attachment = gate.attachment
        state = ServerState.CUT_OFF if attachment is None else ServerState.WAITING if gate.held else ServerState.UP
        return ServerReport(
            self.name, "demo", "1", state, ServerTarget.UP, queue=gate.waiting,
            database=attachment.place.name if attachment else None, epoch=attachment.epoch if attachment else None,
            system_identifier=attachment.system_identifier if attachment else None,
            lease_seconds=round(attachment.lease_seconds, 2) if attachment else 0.0,
            reason=self.server.attacher.problem or gate.why or None,
        )


class _Request:
    """As much of a request as the handlers look at."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = json.dumps(body)

    async def text(self) -> str:
        """The body."""
        return self._body


class Wire:
    """Stands in for `ControlClient`."""

    def __init__(self, ground: Ground, members: Mapping[str, Member]) -> None:
        self._ground, self._members = ground, members

    async def get(self, address: str, path: str, *, seconds: float = 2.0) -> Any:
        """Ask. Raises ControlError."""
        return await self._ask(address, path, {}, seconds)

    async def post(self, address: str, path: str, body: Mapping[str, Any] | None = None, *,
                   seconds: float = 2.0) -> Any:
        """Tell. Raises ControlError."""
        return await self._ask(address, path, body or {}, seconds)

    async def _ask(self, address: str, path: str, body: Mapping[str, Any], seconds: float) -> Any:
        member, life = self._members[address], LIFE.get()
        context = copy_context()
        context.run(LIFE.set, None)
        context.run(PROCESS.set, member.server.process)
        answer = asyncio.get_running_loop().create_task(self._there(member, path, body, life), context=context)
        try:
            async with asyncio.timeout(seconds):
                status, found = await asyncio.shield(answer)
        except TimeoutError:
            raise ControlError("no answer") from None
        if status >= 400:
            raise ControlError(found["title"], status)
        return found

    async def _there(self, member: Member, path: str, body: Mapping[str, Any], life: Any) -> tuple[int, Any]:
        ground = self._ground
        await ground.travel()
        unsent = life is not None and life.dead and ground.chance.random() < 0.5
        if unsent or member.name in ground.deaf or ground.loses():
            await asyncio.Event().wait()
        request: Any = _Request(body)
        try:
            answer = await member.handlers[path](request)
            status, found = answer.status, json.loads(answer.text)
        except HttpProblem as problem:
            status, found = problem.status, {"title": problem.title}
        await ground.travel()
        if ground.loses():
            await asyncio.Event().wait()
        return status, found

    async def close(self) -> None:
        """Nothing is open."""


class ServerEye:
    """Stands in for the watcher's driver of a pool server."""

    capabilities: frozenset[str] = frozenset()

    def __init__(self, ground: Ground, member: Member) -> None:
        self._ground, self._member = ground, member

    async def poll(self) -> ServerReport:
        """Its report. Raises DriverError."""
        await self._ground.travel()
        stopped = self._member.server.process.stopped
        away = stopped[0] <= self._ground.now < stopped[1] or self._member.name in self._ground.deaf
        if away or self._ground.loses():
            raise DriverError("no answer")
        return self._member.report()

    async def close(self) -> None:
        """Nothing is open."""


class DatabaseEye:
    """Stands in for the watcher's driver of a database."""

    capabilities: frozenset[str] = frozenset()

    def __init__(self, ground: Ground, node: Node, members: Mapping[str, Member]) -> None:
        self._ground, self._node, self._members = ground, node, members

    async def poll(self) -> DatabaseReport:
        """What the node shows. Raises DriverError."""
        await self._ground.travel()
        node = self._node
        if not node.up or not self._ground.reaches(node) or self._ground.loses():
            raise DriverError("no answer")
        epoch, active, state = node.tables.epoch
        role = DatabaseRole.SECONDARY if node.recovering else DatabaseRole.PRIMARY
        members = tuple(
            MemberRow(m.name, m.address, ServerState.UP, ServerTarget.UP, 100, epoch, 0.1, True, 1)
            for m in self._members.values())
        return DatabaseReport(
            role, node.writable, IDENTIFIER, node.timeline, "17.5", len(node.log),
            replayed=node.replayed, receiving=node.receiver is not None if node.recovering else None,
            synchronous_names=node.setting(NAMES), replication=tuple(followers(node)),
            epoch=EpochRow("demo", epoch, active, EpochState(state)), members=members,
        )

    async def close(self) -> None:
        """Nothing is open."""


class Hand:
    """Stands in for the agent of a database. What it was told is done also when who told it is dead."""

    def __init__(self, ground: Ground, node: Node) -> None:
        self._ground, self._node = ground, node

    async def _order(self, work: Callable[[], Awaitable[Any]], seconds: float = 20.0) -> Any:
        ground, name = self._ground, self._node.name
        if name in ground.trouble_with_agents or ground.loses():
            await ground.travel()
            raise AgentError(f"the agent of {name} cannot be asked")

        async def done() -> Any:
            try:
                async with asyncio.timeout(seconds):
                    return await work()
            except TimeoutError:
                return AgentError(f"the agent of {name} did not finish in {seconds:g} s")
            except AgentError as error:
                return error

        answer = await ground.sent(done)
        if ground.loses():
            raise AgentError(f"the agent of {name} hung up")
        if isinstance(answer, AgentError):
            raise answer
        return answer

    async def stop(self, mode: str = "fast") -> Stopped:
        """A fast stop."""
        async def work() -> Stopped:
            await self._node.stop()
            return self._ended()

        return await self._order(work)  # type: ignore[no-any-return]

    async def start(self) -> None:
        """Start it."""
        async def work() -> None:
            self._node.starts_itself = True
            self._ground.spawn(self._node.start())

        await self._order(work)

    async def identity(self) -> str:
        """Whose data it has."""
        async def work() -> str:
            return IDENTIFIER

        return await self._order(work, 3.0)  # type: ignore[no-any-return]

    async def position(self) -> Stopped:
        """Where it ends."""
        async def work() -> Stopped:
            return self._ended()

        return await self._order(work)  # type: ignore[no-any-return]

    async def fence(self) -> bool:
        """kill -9, and no start by itself."""
        async def work() -> bool:
            node, ran = self._node, self._node.up
            node.starts_itself = False
            if ran:
                node.end(clean=False)
            return ran

        return await self._order(work)  # type: ignore[no-any-return]

    async def rewind(self, source: str) -> str:
        """pg_rewind; it fails now and then, and then a base backup is what helps."""
        async def work() -> str:
            self._ended()
            await self._ground.pause(0.1, 0.5)
            if self._ground.chance.random() < 0.1:
                raise AgentError("could not find common ancestor")
            self._copied(source)
            return "rewound"

        return await self._order(work)  # type: ignore[no-any-return]

    async def base_backup(self, source: str) -> None:
        """A fresh copy."""
        async def work() -> None:
            self._ended()
            await self._ground.pause(0.3, 1.0)
            self._copied(source)

        await self._order(work)

    async def follow(self, source: str) -> None:
        """standby.signal, and no settings of another role."""
        async def work() -> None:
            self._ended()
            self._node.signal, self._node.follows = True, source
            for name in ("primary_conninfo", NAMES):
                self._node.file.pop(name, None)

        await self._order(work)

    def _copied(self, source: str) -> None:
        self._ended()
        node = self._ground.pair[source]
        if not node.up:
            raise AgentError(f"{source} does not answer")
        self._node.copy(node)

    def _ended(self) -> Stopped:
        node = self._node
        if node.up:
            raise AgentError(f"{node.name} is running; stop it first")
        return Stopped(node.clean, len(node.log), node.timeline)


def opener(ground: Ground, members: list[Member]) -> Any:
    """Stands in for `open_world`: the same World, with the drivers above in it."""
    by_address = {member.address: member for member in members}
    by_name = {member.name: member for member in members}

    @asynccontextmanager
    async def open_world(pool: Pool, base: Path) -> AsyncIterator[World]:
        eyes: Any = {name: ServerEye(ground, member) for name, member in by_name.items()}
        databases: Any = {name: DatabaseEye(ground, node, by_name) for name, node in ground.pair.items()}
        ledger: Any = ground.ledger
        drivers = Drivers(eyes, databases, {}, {}, ledger, lambda name, address: ServerEye(ground, by_address[address]))
        control: Any = Wire(ground, by_address)
        coordinators = {name: Coordinator(name, f"{name}:5432", "tuiha", "tuiha_coordinator", "", None)
                        for name in ground.pair}
        agents: Any = {name: Hand(ground, node) for name, node in ground.pair.items()}
        try:
            yield World(pool, base, drivers, control, coordinators, agents=agents)
        finally:
            for database in coordinators.values():
                await database.close()

    return open_world

"""Being in the pool: the heartbeat, what it carries, what it brings back, and leaving."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tuiha import __version__
from tuiha.config.settings import Pool
from tuiha.model.reports import ServerState, ServerTarget
from tuiha.model.users.availability import DRAINING, availability_index, scarcest
from tuiha.model.users.placement import Candidate
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.leases import LEAVE, boottime
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.mail import ENROL_MAIL_SERVER, MAIL_SERVICE
from tuiha.pooldb.statements.servers import (
    BEAT,
    COUNT_SERVER,
    DELETE_WITHOUT_USERS,
    FORGET_SERVER,
    FORGET_SILENT,
    MARK_LEFT,
    NOTE_TARGET,
    SET_TARGET,
)
from tuiha.pooldb.statements.takeovers import CANDIDATES
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.pool.load import Figures
from tuiha.server.pool.takeover import candidates, note_refusal, take_over

log = logging.getLogger("tuiha.membership")

_SHORTEST = 0.1  # seconds between two beats
_ALL_LOOK = 200  # servers; in a larger pool not every one of them looks at all others with every beat
_MUCH = 0.02  # of a server's capacity: so many users more or less make a beat untrue


@dataclass(slots=True)
class Standing:
    """How this server stands in the pool right now."""

    target: ServerTarget = ServerTarget.UP
    index: int = 0
    reason: str | None = None  # why it is overloaded
    full: float | None = None  # percent of its limit that its scarcest resource uses
    limited_by: str | None = None  # that resource
    joined: bool = False
    leaving: bool = False
    candidates: dict[str, Candidate] = field(default_factory=dict)
    in_service: dict[str, bool] = field(default_factory=dict)  # mail servers, by the operators' word
    told_at: dict[str, float] = field(default_factory=dict)  # when that word was last given, unix seconds

    @property
    def state(self) -> ServerState:
        """The state that the heartbeat carries."""
        if self.leaving:
            return ServerState.LEFT
        if self.target is ServerTarget.DRAIN:
            return ServerState.DRAINING
        return ServerState.UP if self.index >= 0 else ServerState.OVERLOADED


def look_interval(servers: int, beat: float) -> float:
    """Seconds between two looks of a server at the others' rows; 0: with every beat.

    If everybody looked with every beat, the database would read the square of their number. So in a large pool each one
    looks less often, some 200 of them in a beat: somebody always does, and the dead are noticed as early as ever.
    """
    return 0.0 if servers <= _ALL_LOOK else beat * servers / _ALL_LOOK * random.uniform(0.8, 1.2)


class Membership:
    """Beats, and keeps `standing` true."""

    def __init__(
        self,
        name: str,
        instance: str,
        address: str,
        pool: Pool,
        gate: Gate,
        figures: Figures,
        owned: Callable[[], int],
        beaten: Callable[[Standing], None],
    ) -> None:
        self._name = name
        self._instance = instance
        self._address = address
        self._pool = pool
        self._gate = gate
        self._figures = figures
        self._owned = owned
        self._beaten = beaten
        self._nudged = asyncio.Event()
        self._written = 0
        self._look_at = 0.0  # monotonic seconds: the next look at the others' rows
        self.started_at = time.time()
        self.standing = Standing()

    async def run(self) -> None:
        """Beat every interval until cancelled, and earlier when users come or go in numbers.

        A beat that fails is followed by the next one.
        """
        while True:
            began = time.monotonic()
            try:
                await self.beat()
            except (Unavailable, OutcomeUnknown) as error:
                log.info("no heartbeat", extra={"reason": str(error)})
            except DatabaseError:  # refused for a reason of its own: the next beat tries again
                log.exception("no heartbeat")
            await asyncio.sleep(_SHORTEST)
            try:
                async with asyncio.timeout(max(0.0, self._pool.heartbeat.interval - (time.monotonic() - began))):
                    await self._nudged.wait()
            except TimeoutError:
                continue  # the ordinary case

    def users_changed(self) -> None:
        """Users came or went: beat early when the last beat is no longer true, so that the others judge by facts."""
        if abs(self._owned() - self._written) >= max(1.0, self._figures.capacity * _MUCH):
            self._nudged.set()

    async def beat(self) -> None:
        """One heartbeat: write this server's row, read the others', take over the users of the dead."""
        self._judge()
        began = time.monotonic()
        async with self._gate.transaction(wait=self._pool.heartbeat.interval) as connection:
            target = await self._write(connection)
        self._figures.committed(time.monotonic() - began)
        self.standing.target = ServerTarget(target)
        await self._gate.read(self._read_service, wait=self._pool.heartbeat.interval)
        if time.monotonic() >= self._look_at:
            await self._look_at_others()
        if not self.standing.joined:
            await self._join()
        self._beaten(self.standing)

    def _judge(self) -> None:
        load = self._figures.measure(self._owned(), self._gate.waiting)
        index, (resource, pressure) = availability_index(load), scarcest(load)
        self.standing.full, self.standing.limited_by = round(100 * pressure, 1), resource
        self.standing.reason = f"{resource} {pressure:.0%} of its limit".replace("%", " %") if index < 0 else None
        self.standing.index = DRAINING if self.standing.target is ServerTarget.DRAIN else index

    async def _write(self, connection: Connection) -> str:
        attachment = self._gate.attachment
        self._nudged.clear()
        self._written = self._owned()
        target = await connection.fetchval(
            BEAT,
            self._name,
            self._address,
            __version__,
            self.standing.state.wire,
            self.standing.index,
            self._figures.capacity,
            self._written,
            attachment.epoch if attachment else 0,
            self.started_at,
        )
        return str(target)

    async def _look_at_others(self) -> None:
        await self._gate.read(self._read_others, wait=self._pool.heartbeat.interval)
        others = self.standing.candidates
        self._look_at = time.monotonic() + look_interval(len(others), self._pool.heartbeat.interval)
        if any(not c.alive for c in others.values()):
            await self._take_over()

    async def _read_others(self, connection: Connection) -> None:
        self.standing.candidates = candidates(
            await connection.fetch(CANDIDATES, self._pool.heartbeat.window), self._excused()
        )

    async def _read_service(self, connection: Connection) -> None:
        rows = await connection.fetch(MAIL_SERVICE)
        self.standing.in_service = {row["name"]: row["in_service"] for row in rows}
        self.standing.told_at = {row["name"]: row["told_at"] for row in rows}

    def _excused(self) -> bool:
        """Whether this attachment is younger than the heartbeat window.

        While the database is away nobody's heart can beat. The first server that is back must not take the others,
        which are about to beat, for dead.
        """
        attachment = self._gate.attachment
        return attachment is None or boottime() - attachment.since < self._pool.heartbeat.window

    async def _join(self) -> None:
        servers = [(s.name, cluster.cluster) for cluster in self._pool.mail for s in cluster.servers]
        async with self._gate.transaction() as connection:
            await connection.executemany(ENROL_MAIL_SERVER, servers)
        await self.record("note", "joined the pool")
        self.standing.joined = True

    async def _take_over(self) -> None:
        async with self._gate.transaction(wait=self._pool.heartbeat.interval) as connection:
            taken = await take_over(connection, self._pool.heartbeat.window, excused=self._excused())
            await connection.execute(FORGET_SILENT)
        if taken is not None:
            log.warning("took over", extra={"users": taken.users, "detail": taken.text})

    async def refused(self, server: str) -> bool:
        """Another server's port refused connections: when somebody else found that too, its users move at once.

        Whether they do. Raises Unavailable, OutcomeUnknown.
        """
        async with self._gate.transaction(wait=self._pool.heartbeat.interval) as connection:
            gone = await note_refusal(connection, server, self._name, self._pool.heartbeat.window)
        if gone:
            await self._look_at_others()
        return gone

    async def withdraw(self, target: ServerTarget) -> None:
        """Set what this server is told to be, for good, and beat at once."""
        await self._gate.write(lambda c: c.execute(SET_TARGET, self._name, target))
        self.standing.target = target
        await self.record("warning" if target is ServerTarget.DRAIN else "note", _WORD[target])
        await self.beat()

    async def note_target(self, server: str, target: ServerTarget) -> bool:
        """Set what another server is told to be; False when the pool does not know it."""
        async def work(connection: Connection) -> bool:
            if await connection.fetchval(NOTE_TARGET, server, target) is not None:
                await connection.execute(
                    ADD_EVENT, "warning" if target is ServerTarget.DRAIN else "note", server, _WORD[target])
            return bool(await connection.fetchval(COUNT_SERVER, server))

        return bool(await self._gate.write(work))

    async def record(self, severity: str, text: str) -> None:
        """Write an event about this server."""
        async with self._gate.transaction() as connection:
            await connection.execute(ADD_EVENT, severity, self._name, text)

    async def forget(self, server: str) -> bool:
        """Remove the row of another server, whose heart beats no more and that has no users. False: it is not so.

        Its lease is left: it ends by its age, and whoever changes the database has to count with it until then.
        """
        async def work(connection: Connection) -> bool:
            if await connection.fetchval(FORGET_SERVER, server, self._pool.heartbeat.window) is None:
                return False
            await connection.execute(ADD_EVENT, "note", server, "forgotten: it was gone for good")
            return True

        return bool(await self._gate.write(work))

    async def leave(self, wait: float) -> None:
        """Hand the users over and take this server's row and lease away. Raises Unavailable, OutcomeUnknown."""
        self.standing.leaving = True
        async with self._gate.transaction(wait) as connection:
            await connection.execute(MARK_LEFT, self._name)
            await take_over(connection, self._pool.heartbeat.window, self._name, self._excused())
        async with self._gate.transaction(wait) as connection:
            await connection.execute(DELETE_WITHOUT_USERS, self._name)
            await connection.execute(LEAVE, self._name, self._instance)


_WORD: Mapping[ServerTarget, str] = {
    ServerTarget.DRAIN: "draining: takes nobody, its users move as their devices connect",
    ServerTarget.UP: "accepts users again",
}

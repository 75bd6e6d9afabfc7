"""Bindings in the database: who monitors whom, claimed by compare-and-set on the generation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.config.pace import Binding
from tuiha.model.users.placement import BoundUser
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.bindings import BIND, BINDING, BOUND_TO, KEEP_BINDING, MOVE_BINDING, TAKE_BINDINGS
from tuiha.pooldb.statements.events import WAKE
from tuiha.pooldb.statements.takeovers import NOTE_HOMES
from tuiha.server.database.gate import Gate


@dataclass(frozen=True, slots=True)
class Owned:
    """A user that this server monitors."""

    user_id: int
    name: str
    cluster: str
    generation: int


@dataclass(frozen=True, slots=True)
class SeenBinding:
    """A binding as it was read, with what is left of it."""

    bound: BoundUser
    seconds_left: float


async def notify(connection: Connection, *servers: str) -> None:
    """Tell servers that their bindings changed; delivered when the transaction commits."""
    for server in set(servers):
        await connection.execute(WAKE, server)


async def note_homes(connection: Connection, moved: Sequence[Any]) -> None:
    """Users (id, server of before, generation that they have now) return to that server when it is back.

    Who was on his way already returns to the first of them.
    """
    await connection.execute(
        NOTE_HOMES, [one[0] for one in moved], [one[1] for one in moved], [one[2] for one in moved])


class Bindings:
    """This server's view of bindings: what it owns, and how to read, claim and move any."""

    def __init__(self, server: str, gate: Gate, settings: Binding, changed: Callable[[], None]) -> None:
        self._server = server
        self._gate = gate
        self._settings = settings
        self._changed = changed
        self._version = 0
        self._stale = asyncio.Event()
        self.owned: dict[int, Owned] = {}

    async def look(self, user_id: int) -> SeenBinding | None:
        """Read a user's binding; None when there never was one."""
        row = await self._gate.read(lambda c: c.fetchrow(BINDING, user_id))
        if row is None:
            return None
        bound = BoundUser(row["server"], row["generation"], row["locked"], row["expired"], row["pinned"])
        return SeenBinding(bound, row["seconds_left"])

    async def bind(self, user: Owned, server: str, bound: BoundUser | None, lost: bool = False) -> bool:
        """Bind a user to a server. False when another server was faster; then look again.

        `lost`: the server of before is gone, so the user returns when it is back.
        """
        expire, lock = self._settings.expire, self._settings.lock

        async def work(connection: Connection) -> int | None:
            if bound is None:
                generation = await connection.fetchval(BIND, user.user_id, server, expire)
            else:
                locked = 0.0 if lost or bound.expired or bound.server == server else lock
                generation = await connection.fetchval(
                    MOVE_BINDING, user.user_id, server, expire, bound.generation, locked)
                if lost and generation is not None:
                    await note_homes(connection, [(user.user_id, bound.server, generation)])
            if generation is not None:
                await notify(connection, *({server, bound.server if bound else server} - {self._server}))
            return int(generation) if generation is not None else None

        generation = await self._gate.write(work)
        if generation is None:
            return False
        self._note(user, server, generation)
        return True

    async def take(self, users: Mapping[int, int]) -> set[int]:
        """Claim users (id -> the generation they were seen under) for this server; returns those it got.

        Done already, by a request whose answer was lost, counts as got: the generation is one more and the server is
        this one.
        """

        async def work(connection: Connection) -> set[int]:
            rows = await connection.fetch(
                TAKE_BINDINGS, list(users), list(users.values()), self._server, self._settings.lock
            )
            await notify(connection, *({row["former"] for row in rows} - {self._server}))
            return {row["user_id"] for row in rows}

        taken = await self._gate.write(work)
        await self.refresh()
        return taken | {
            user for user, generation in users.items()
            if user in self.owned and self.owned[user].generation == generation + 1
        }

    async def touch(self, user_id: int, bound: BoundUser) -> None:
        """A device of the user was here: the binding lives on."""
        await self._gate.write(
            lambda c: c.execute(KEEP_BINDING, user_id, bound.generation, self._settings.expire)
        )

    def _note(self, user: Owned, server: str, generation: int) -> None:
        self._version += 1
        if server == self._server:
            self.owned[user.user_id] = Owned(user.user_id, user.name, user.cluster, generation)
        else:
            self.owned.pop(user.user_id, None)
        self._changed()

    def forget_all(self) -> None:
        """Own nobody any more (leaving)."""
        self._version += 1
        self.owned = {}
        self._changed()

    def notified(self, server: str) -> None:
        """A notification came in: bindings of this server changed."""
        if server == self._server:
            self._stale.set()

    async def refresh(self) -> None:
        """Read what this server owns. A claim made meanwhile wins over what was read before it."""
        while True:
            version = self._version
            rows = await self._gate.read(lambda c: c.fetch(BOUND_TO, self._server))
            if version == self._version:
                break
        owned = {r["user_id"]: Owned(r["user_id"], r["name"], r["mail_cluster"], r["generation"]) for r in rows}
        if owned != self.owned:
            self.owned = owned
            self._changed()

    async def wait_stale(self, seconds: float) -> None:
        """Sleep until a notification says that bindings changed, at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._stale.wait()
        except TimeoutError:
            return
        finally:
            self._stale.clear()

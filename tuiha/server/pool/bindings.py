"""Bindings in the database: who monitors whom, claimed by compare-and-set on the generation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.config.pace import Binding
from tuiha.model.users.placement import Bound
from tuiha.server.database.gate import Gate

_LOOK = """
SELECT server, generation, pinned, locked_until > clock_timestamp() AS locked,
       expires_at <= clock_timestamp() AS expired,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds_left
FROM binding WHERE user_id = $1
"""
_FIRST = """
INSERT INTO binding (user_id, server, generation, expires_at)
SELECT id, $2, 1, clock_timestamp() + make_interval(secs => $3)
FROM app_user WHERE id = $1 AND disabled_at IS NULL FOR SHARE ON CONFLICT (user_id) DO NOTHING RETURNING generation
"""
_MOVE = """
UPDATE binding SET server = $2, generation = generation + 1, since = clock_timestamp(),
       expires_at = clock_timestamp() + make_interval(secs => $3),
       locked_until = clock_timestamp() + make_interval(secs => $5)
WHERE user_id = $1 AND generation = $4
  AND EXISTS (SELECT FROM app_user WHERE id = $1 AND disabled_at IS NULL) RETURNING generation
"""
_TAKE = """
UPDATE binding b SET server = $3, generation = b.generation + 1, since = clock_timestamp(),
       locked_until = clock_timestamp() + make_interval(secs => $4)
FROM unnest($1::bigint[], $2::bigint[]) AS t (user_id, generation),
     (SELECT user_id, server AS former FROM binding WHERE user_id = ANY($1::bigint[]) FOR UPDATE) AS before
WHERE b.user_id = t.user_id AND b.generation = t.generation AND before.user_id = b.user_id
RETURNING b.user_id, before.former
"""
_TOUCH = """
UPDATE binding SET expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE user_id = $1 AND generation = $2
"""
_HOMES = """
INSERT INTO home AS h (user_id, server, generation)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[])
ON CONFLICT (user_id) DO UPDATE SET generation = excluded.generation,
    server = CASE WHEN h.generation = excluded.generation - 1 THEN h.server ELSE excluded.server END
"""
_OWNED = """
SELECT b.user_id, b.generation, u.name, u.mail_cluster FROM binding b JOIN app_user u ON u.id = b.user_id
WHERE b.server = $1 AND b.expires_at > clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Owned:
    """A user that this server monitors."""

    user_id: int
    name: str
    cluster: str
    generation: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A binding as it was read, with what is left of it."""

    bound: Bound
    seconds_left: float


async def notify(connection: Any, *servers: str) -> None:
    """Tell servers that their bindings changed; delivered when the transaction commits."""
    for server in set(servers):
        await connection.execute("SELECT pg_notify('tuiha', $1)", server)


async def note_homes(connection: Any, moved: Sequence[Any]) -> None:
    """Users (id, server of before, generation that they have now) return to that server when it is back.

    Who was on his way already returns to the first of them.
    """
    await connection.execute(_HOMES, [one[0] for one in moved], [one[1] for one in moved], [one[2] for one in moved])


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

    async def look(self, user_id: int) -> Seen | None:
        """Read a user's binding; None when there never was one."""
        row = await self._gate.read(lambda c: c.fetchrow(_LOOK, user_id))
        if row is None:
            return None
        bound = Bound(row["server"], row["generation"], row["locked"], row["expired"], row["pinned"])
        return Seen(bound, row["seconds_left"])

    async def bind(self, user: Owned, server: str, bound: Bound | None, lost: bool = False) -> bool:
        """Bind a user to a server. False when another server was faster; then look again.

        `lost`: the server of before is gone, so the user returns when it is back.
        """
        expire, lock = self._settings.expire, self._settings.lock

        async def work(connection: Any) -> int | None:
            if bound is None:
                generation = await connection.fetchval(_FIRST, user.user_id, server, expire)
            else:
                locked = 0.0 if lost or bound.expired or bound.server == server else lock
                generation = await connection.fetchval(_MOVE, user.user_id, server, expire, bound.generation, locked)
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

        async def work(connection: Any) -> set[int]:
            rows = await connection.fetch(
                _TAKE, list(users), list(users.values()), self._server, self._settings.lock
            )
            await notify(connection, *({row["former"] for row in rows} - {self._server}))
            return {row["user_id"] for row in rows}

        taken = await self._gate.write(work)
        await self.refresh()
        return taken | {
            user for user, generation in users.items()
            if user in self.owned and self.owned[user].generation == generation + 1
        }

    async def touch(self, user_id: int, bound: Bound) -> None:
        """A device of the user was here: the binding lives on."""
        await self._gate.write(
            lambda c: c.execute(_TOUCH, user_id, bound.generation, self._settings.expire)
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
            rows = await self._gate.read(lambda c: c.fetch(_OWNED, self._server))
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

"""A gate on a real database, for tests: what a pool server has, without its HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD
from tests.until import until
from tuiha.drivers.protocols import LedgerDriver
from tuiha.server.database.attacher import Attacher
from tuiha.server.database.attachment import DatabasePlace
from tuiha.server.database.fence import Fence
from tuiha.server.database.gate import Gate
from tuiha.server.database.lease import LeaseKeeper
from tuiha.server.database.lifeline import Lifeline

PATIENCE = 30.0  # seconds that a test waits for an outcome on a busy machine
COUNT = "SELECT count(*) FROM event"

Attach = Callable[..., Any]  # of the fixture `attach`


async def insert(connection: Any, text: str = "hello") -> None:
    """Add an event."""
    await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 't', $1)", text)


def place(pair: Pair, name: str = "db1", server: str = "s1") -> DatabasePlace:
    """Where a database of the pair is, for a pool server."""
    node = pair.db1 if name == "db1" else pair.db2
    return DatabasePlace(name, "127.0.0.1", node.port, "tuiha", "tuiha_pool", PASSWORD, None, f"tuiha:{server}")


@dataclass
class Attached:
    """A gate with an attachment kept by a lease."""

    gate: Gate
    fence: Fence
    attacher: Attacher
    notifications: list[str]


@asynccontextmanager
async def attached(
    pair: Pair,
    server: str = "s1",
    *,
    lease: float = 5.0,
    hold: float = 10.0,
    fence_interval: float = 0.01,
    instance: str = "one",
    both: bool = False,
    wait: bool = True,
    ledger: LedgerDriver | None = None,
    beside: bool = True,
    patience: float = 60.0,
) -> AsyncIterator[Attached]:
    """A gate on the primary (or, with `both`, on whichever database of the pair is active).

    `beside`: its lease is renewed on a lifeline, as a pool server's is. `patience`: how long this loop may stand still.
    """

    async def prepared(_: DatabasePlace) -> None:
        """The schema is there."""

    gate, fence, heard = Gate(hold, 1000), Fence(fence_interval), list[str]()
    fence.start()
    lifeline = Lifeline()
    lifeline.start()
    attacher = Attacher(
        pool="demo",
        places=[place(pair, name, server) for name in (("db1", "db2") if both else ("db1",))],
        ledger=ledger,
        system_identifier=None,
        gate=gate,
        fence=fence,
        keeper=LeaseKeeper(server, instance, lease, heard.append, lifeline=lifeline if beside else None,
                           patience=patience),
        lease_seconds=lease,
        connections=4,
        prepare=prepared,
    )
    running = asyncio.create_task(attacher.run())
    try:
        if wait:
            await until(lambda: gate.attachment is not None, "a lease on the primary")
        yield Attached(gate, fence, attacher, heard)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await lifeline.stop()
        fence.stop()


@dataclass(frozen=True)
class Node:
    """A connection of the schema's owner to the primary, for arranging and checking."""

    admin: Any

    async def add_users(self, *names: str, cluster: str = "east") -> list[int]:
        """Add users whose password is `secret`; returns their ids."""
        from tuiha.server.devices.passwords import hash_password

        stored = hash_password("secret", 4)
        return [
            await self.admin.fetchval(
                "INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ($1, $2, $3) RETURNING id",
                name, stored, cluster,
            )
            for name in names
        ]

    async def add_server(
        self, name: str, *, age: float = 0.0, index: int = 80, users: int = 0, state: str = "UP", capacity: int = 1000
    ) -> None:
        """Add a row of the server table whose heartbeat is `age` seconds old."""
        await self.admin.execute(
            "INSERT INTO server (name, address, version, state, availability_index, capacity, users, epoch, started_at,"
            " heartbeat) VALUES ($1, 'http://127.0.0.1:1', '0', $2, $3, $4, $5, 1, now(),"
            " clock_timestamp() - make_interval(secs => $6))",
            name, state, index, capacity, users, age,
        )

    async def bind(self, server: str, users: list[int], generation: int = 1) -> None:
        """Bind users to a server."""
        await self.admin.executemany(
            "INSERT INTO binding (user_id, server, generation, expires_at) "
            "VALUES ($1, $2, $3, now() + interval '1 day')",
            [(user, server, generation) for user in users],
        )

    async def add_changes(self, user: int, *message_ids: str) -> None:
        """Add changes to a user's history."""
        for message_id in message_ids:
            seq = await self.admin.fetchval(
                "UPDATE app_user SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq", user
            )
            await self.admin.execute(
                "INSERT INTO change VALUES ($1, $2, 1, 'new', 'INBOX', $2, 'mail1', $3, 'hello', now())",
                user, seq, message_id,
            )

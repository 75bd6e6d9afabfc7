"""Two users who are one mailbox, on a real pool with mail: joined at a server's start, monitored once, nothing lost."""

from __future__ import annotations

import asyncpg
import pytest

from tests.operate.access.devices import Phone, deliver, passwords, phones
from tests.operate.pools import bound, monitored_once
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.world import open_world
from tuiha.server.devices.history import make_key

pytestmark = [pytest.mark.pool, pytest.mark.asyncio]

# What a server of the version before made when somebody came as USER0003: the same mailbox, read a little differently.
SECOND = """
WITH made AS (
    INSERT INTO app_user (name, password_hash, mail_cluster, last_seq)
    SELECT upper(name), password_hash, mail_cluster, 3 FROM app_user WHERE name = $1 RETURNING id
), bound AS (
    INSERT INTO binding (user_id, server, generation, expires_at) SELECT id, 's2', 5, now() + interval '1 day' FROM made
), told AS (
    INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, message_id, subject, at, size, sent)
    SELECT made.id, t.place, 1, 'new', 'INBOX', 1000 + t.place, 'mail1', t.id, coalesce(c.subject, 'x'),
           coalesce(c.at, now()), c.size, c.sent
      FROM made, unnest(ARRAY['<old@one>', '<c@one>', '<b@one>']) WITH ORDINALITY AS t (id, place)
      LEFT JOIN change c ON c.message_id = t.id AND c.user_id = (SELECT id FROM app_user WHERE name = $1)
)
INSERT INTO device (user_id, name, kind) SELECT id, 'tablet', 'tablet' FROM made RETURNING id
"""


async def test_a_restart_joins_them() -> None:
    async with EmbeddedPool(servers=2, users=10, load=False) as pool, \
            open_world(load(pool.config_path), pool.folder) as world:
        user, password = list(passwords(pool).items())[3]
        async with phones(world) as (session, addresses):
            phone = Phone(session, addresses, user, password)
            assert (await phone.register("s1")).status == 201
            for letter in "abc":
                await deliver(pool, user, password, f"<{letter}@one>")
                await phone.until("s1", f"<{letter}@one>")
            tablet = Phone(session, addresses, user.upper(), password, "tablet")
            tablet.key, tablet.got = make_key(await second(pool, user), 2), ["<old@one>", "<c@one>"]
            await pool.kill("s1")
            await pool.start("s1")

            async def joined() -> bool:
                return user.upper() not in await bound(world)

            await until(joined)
            await monitored_once(world)
            await deliver(pool, user, password, "<d@one>")
            for one in (phone, tablet):
                await one.until("s2", "<d@one>")
                assert sorted(one.got) == ["<a@one>", "<b@one>", "<c@one>", "<d@one>", "<old@one>"]
            rows = await Active(world).rows("SELECT name FROM app_user WHERE lower(name) = $1", user)
            assert [row["name"] for row in rows] == [user]


async def second(pool: EmbeddedPool, user: str) -> int:
    """The second user's device."""
    port = (await pool.state()).part("db1").port
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="tuiha_owner", database="tuiha", ssl=False, timeout=10,
        password=(pool.folder / "secrets" / "tuiha_owner").read_text().strip())
    try:
        return int(await connection.fetchval(SECOND, user))
    finally:
        await connection.close()
